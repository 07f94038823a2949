"""`tidegate aa`: trust said, explained, withdrawn; and the pieces of YAML that a linted file takes."""

from pathlib import Path
from typing import Any

import pytest

from controller.spec.parse import parse_text
from tests.cli import views
from tests.cli.conftest import FakeDaemon, quick

FILE = views.EXAMPLES / "support-bot.yaml"
SAW: dict[str, Any] = {
    "run": "support-bot-2",
    "answers": 12000,
    "peak_e": 3.1,
    "seconds": 7200.0,
    "twin": "v11-aa",
    "of": "v11",
}


def entry(reason: str, actor: str | None = None, **facts: Any) -> dict[str, Any]:
    return {"reason": reason, "at": "2026-01-05T12:00:00+00:00", "actor": actor, "facts": facts}


def test_not_trusted_says_how_to_get_there(daemon: FakeDaemon) -> None:
    ran = quick("aa", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    assert "not trusted: a version that is worse than stable is held, not rolled back" in ran.out
    assert "tidegate aa FILE --write" in ran.out


def test_trusted_says_what_it_saw(daemon: FakeDaemon) -> None:
    daemon.rollouts = [{**daemon.rollouts[0], "trusted": True}]
    daemon.entries = [entry("promoted"), entry("trusted", **SAW)]
    ran = quick("aa", "support-bot", "--state-dir", daemon.state_dir)
    assert "run support-bot-2: 12,000 answers of either version in 2 h, evidence of a difference at most 3.1" in ran.out
    as_json = quick("aa", "support-bot", "--state-dir", daemon.state_dir, "-o", "json").json
    assert as_json["rollouts"][0]["last"]["answers"] == 12000
    assert as_json["rollouts"][0]["trusted"] is True


def test_withdrawn_says_by_whom(daemon: FakeDaemon) -> None:
    daemon.entries = [entry("trust_revoked", "ada", said="new judge"), entry("trusted", **SAW)]
    assert "withdrawn by ada: new judge" in quick("aa", "--state-dir", daemon.state_dir).out


def test_revoke_is_asked_with_its_reason(daemon: FakeDaemon) -> None:
    ran = quick("aa", "support-bot", "--revoke", "--reason", "new judge", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    assert (daemon.asked[0].verb, daemon.asked[0].args["reason"]) == ("revoke", "new judge")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--revoke", "--reason", "x"), "say which rollout"),
        (("support-bot", "--revoke"), "say why: tidegate aa --revoke support-bot"),
        (("support-bot", "--revoke", "--write"), "say either"),
        (("--write",), "say which file"),
        (("nowhere.yaml", "--write"), "nowhere.yaml cannot be read"),
        ((str(views.EXAMPLES / "minimal.yaml"), "--write"), "has no bundle"),
    ],
)
def test_what_cannot_be_done_is_said(args: tuple[str, ...], why: str, state_dir: Path) -> None:
    ran = quick("aa", *args, "--state-dir", state_dir)
    assert ran.code == 2
    assert why in ran.err


def with_comparison() -> str:
    text = FILE.read_text("utf-8")
    return (
        text
        if "versusStable" in text
        else text.replace(
            "    objective: {max: 0.1%}", "    objective: {max: 0.1%}\n    versusStable: {points: 0.1%}", 1
        )
    )


def test_the_pieces_make_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "support-bot.yaml"
    file.write_text(with_comparison(), "utf-8")
    ran = quick("aa", file, "--write")
    assert ran.code == 0, ran.err
    twin, version = ran.out.split("# spec.version:")
    piece = "".join(f"  {line}\n" for line in twin.splitlines())
    before, _, after = with_comparison().partition("  versions:\n")
    text = before + "  versions:\n" + piece + after
    line = version.strip().splitlines()[-1]
    text = "\n".join(f"  {line}" if one.startswith("  version: ") else one for one in text.splitlines())
    found, problems = parse_text(text, "support-bot.yaml")
    assert not problems, problems
    rollout = found[0][0]
    twins = [
        one
        for one in rollout.versions
        if one.digest == next(v for v in rollout.versions if v.name == rollout.version).digest
    ]
    assert sorted(one.name for one in twins) == ["v12", "v12-aa"]
    assert rollout.version == "v12-aa"


def test_without_a_comparison_there_is_nothing_to_trust(tmp_path: Path) -> None:
    file = tmp_path / "support-bot.yaml"
    text = "\n".join(one for one in with_comparison().splitlines() if "versusStable" not in one)
    file.write_text(text, "utf-8")
    ran = quick("aa", file, "--write")
    assert ran.code == 2
    assert "versusStable" in ran.err
