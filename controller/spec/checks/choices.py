"""Blocks in which exactly one of several fields must be given."""

from collections.abc import Iterator

from controller.spec.fields import Block
from controller.spec.finding import Finding, Path
from controller.spec.sentences import beside, needs_one


def check_one_of(block: Block, path: Path, *fields: str, hint: str = "") -> Iterator[Finding]:
    """Exactly one of `fields` (names in the file) is set."""
    given = [name for name in fields if name in _set(block)]
    if not given:
        yield Finding(path, *needs_one(fields, hint))
    elif len(given) > 1:
        yield Finding((*path, given[1]), *beside(given[0], tuple(given)))


def _set(block: Block) -> set[str]:
    fields = type(block).model_fields
    return {fields[name].alias or name for name in block.model_fields_set}
