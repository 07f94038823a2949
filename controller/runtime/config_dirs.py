"""Where Envoy's files may lie: the folders that specs name, broken specs too, and those below the state folder."""

from collections.abc import Iterator
from pathlib import Path

from controller.spec.yaml_text import read_documents


def in_specs(folder: Path) -> Iterator[Path]:
    """The `configDir`s that the files of a folder (or one file) name."""
    files = [folder] if folder.is_file() else sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
    for file in files:
        try:
            text = file.read_text("utf-8", errors="replace")
        except OSError:
            continue
        for document in read_documents(text):
            yield from (Path(found) for found in _named(document.value))


def below(folder: Path) -> list[Path]:
    """The folders below `folder` in which a rollout has a record."""
    return sorted({path.parent for path in folder.rglob("tidegate.*.json")})


def _named(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "configDir" and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
