"""Frozen values made fast: a tick makes some hundreds of them, and that was most of its time.

A frozen dataclass sets every field through `object.__setattr__`. Here a class of the same slots that is not frozen is
filled and then becomes the frozen one: the value is the same in every respect, and is made in a sixth of the time.
"""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def maker(frozen: type[T]) -> type[T]:
    """What is called like `frozen` itself and gives the same values; for calling only."""
    known = fields(frozen)  # type: ignore[arg-type]  # only for dataclasses
    defaults = {f"_{one.name}": one.default for one in known if one.default is not MISSING}
    arguments = ", ".join(_argument(one) for one in known)
    body = [f"self.{one.name} = {one.name}" for one in known]
    return type(f"{frozen.__name__}Made", (), {
        "__slots__": tuple(one.name for one in known),
        "__init__": _function("__init__", f"self, {arguments}", [*body, "self.__class__ = _frozen"], {
            **defaults, "_frozen": frozen,
        }),
    })  # fmt: skip


def changer(frozen: type[T], *names: str) -> Callable[..., T]:
    """A function of a value, and of new values for the fields `names`, that gives the changed copy."""
    known = [one.name for one in fields(frozen)]  # type: ignore[arg-type]  # as above
    assert set(names) <= set(known), names
    blank = type(f"{frozen.__name__}Changed", (), {"__slots__": tuple(known)})
    body = [f"new.{name} = {name if name in names else f'old.{name}'}" for name in known]
    lines = ["new = _blank()", *body, "new.__class__ = _frozen", "return new"]
    return _function("changed", ", ".join(("old", *names)), lines, {"_blank": blank, "_frozen": frozen})


def _argument(one: "Field[Any]") -> str:
    """Defaults are looked up by name: they are values, not text. A default that is made anew must be given."""
    return one.name if one.default is MISSING else f"{one.name}=_{one.name}"


def _function(name: str, arguments: str, lines: Iterable[str], known: dict[str, Any]) -> Callable[..., Any]:
    text = "\n    ".join((f"def {name}({arguments}):", *lines))
    space = dict(known)
    exec(text, space)  # noqa: S102 - names of fields only, written as dataclasses themselves are
    made: Callable[..., Any] = space[name]
    return made
