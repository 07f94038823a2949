"""Rollout files to begin from, and a way to spoil them."""

from pathlib import Path

from controller.domain.rollout import ModelRollout
from controller.spec.parse import parse_text

EXAMPLES = Path(__file__).resolve().parents[2] / "rollouts"
MINIMAL = (EXAMPLES / "minimal.yaml").read_text(encoding="utf-8")
FULL = (EXAMPLES / "support-bot.yaml").read_text(encoding="utf-8")


def edited(text: str, *edits: tuple[str, str]) -> str:
    """The text with every (old, new) applied once; old must be there exactly once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def good(text: str) -> ModelRollout:
    """The one rollout of a text without problems."""
    rollouts, problems = parse_text(text, "a.yaml")
    assert not problems, "\n".join(map(str, problems))
    assert len(rollouts) == 1
    return rollouts[0][0]


def told(text: str) -> list[str]:
    """All problems of a text, as people read them; the text must have some."""
    rollouts, problems = parse_text(text, "a.yaml")
    assert problems
    assert not rollouts
    return [str(problem) for problem in problems]
