"""JSON Patch (RFC 6902) as the API server applies it: all or nothing, on a copy."""

import copy
from collections.abc import Sequence

from controller.domain.cluster import Document, Operation


class TestFailedError(Exception):
    """A `test` did not hold."""

    __test__ = False  # its name looks like a test class to pytest


class PatchError(Exception):
    """A step that cannot be done."""


def apply_patch(document: Document, operations: Sequence[Operation]) -> dict[str, object]:
    """The changed copy. Raises TestFailedError, PatchError."""
    changed: dict[str, object] = copy.deepcopy(dict(document))
    for step in operations:
        _apply(changed, step)
    return changed


def _apply(document: dict[str, object], step: Operation) -> None:
    *way, last = _parts(step.path)
    try:
        holder: object = document
        for part in way:
            holder = _inside(holder, part)
        _DOING[step.op](holder, last, copy.deepcopy(step.value))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if step.op == "test":
            raise TestFailedError(f"testing value {step.path} failed: it is missing") from error
        raise PatchError(f"{step.op} operation does not apply: {step.path} is missing") from error
    except TestFailedError as error:
        raise TestFailedError(f"testing value {step.path} failed") from error


def _parts(path: str) -> list[str]:
    if not path.startswith("/"):
        raise PatchError(f"`{path}` is no JSON pointer into a document: it begins with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _inside(holder: object, part: str) -> object:
    if isinstance(holder, dict):
        return holder[part]
    if isinstance(holder, list):
        return holder[_index(part)]
    raise TypeError(part)


def _index(part: str) -> int:
    if not part.isdecimal():
        raise ValueError(part)
    return int(part)


def _add(holder: object, last: str, value: object) -> None:
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list):
        at = len(holder) if last == "-" else _index(last)
        if at > len(holder):
            raise IndexError(at)
        holder.insert(at, value)
    else:
        raise TypeError(last)


def _replace(holder: object, last: str, value: object) -> None:
    if isinstance(holder, dict):
        holder[last] = value  # also what is not there: the API server does not mind
    elif isinstance(holder, list):
        holder[_index(last)] = value


def _remove(holder: object, last: str, _: object) -> None:
    _inside(holder, last)
    if isinstance(holder, dict):
        del holder[last]
    elif isinstance(holder, list):
        del holder[_index(last)]


def _test(holder: object, last: str, value: object) -> None:
    if _inside(holder, last) != value:
        raise TestFailedError


_DOING = {"add": _add, "replace": _replace, "remove": _remove, "test": _test}
