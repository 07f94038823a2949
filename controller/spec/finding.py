"""One mistake before it has a file and a line: where in the tree, what is wrong, what to do."""

from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a path of the document."""

    path: Path
    message: str
    hint: str = ""


def spell(path: Path) -> str:
    """A path as people write it: `spec.slos[1].objective.max`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
