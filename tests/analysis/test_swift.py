"""Values made fast are the values that their classes make: equal, frozen, and nothing more to them."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis.change import Detector
from controller.analysis.elin import Purse
from controller.analysis.interval import Interval
from controller.analysis.ledger import Entry
from controller.analysis.relative import Block
from controller.analysis.swift import changer, maker
from controller.domain.evidence import StreamEvidence, Tally
from controller.domain.verdict import StreamVerdict, Verdict

NUMBERS = st.floats(allow_nan=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A default that is made anew for each value."""

    name: str
    notes: dict[str, int] = field(default_factory=dict)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_made_value_is_the_value(bad: float, total: float, errors: float) -> None:
    made, plain = maker(Tally)(bad, total, errors), Tally(bad, total, errors)
    assert type(made) is Tally
    assert (made, hash(made), repr(made)) == (plain, hash(plain), repr(plain))
    assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == replace(made) == plain


@pytest.mark.parametrize(
    ("frozen", "given"),
    [
        (Tally, ()),
        (Purse, ()),
        (Detector, ()),
        (Interval, (1.0, 2.0)),
        (Entry, ("harm", None, 0.5, 1.0, 0.0)),
        (StreamEvidence, (None, 0.5, 0.05)),
        (StreamVerdict, ("harm", None, Verdict.PASS, "rollback", 0.05)),
    ],
)
def test_defaults_are_those_of_the_class(frozen: Any, given: tuple[Any, ...]) -> None:
    assert maker(frozen)(*given) == frozen(*given)
    named = dict(zip((one.name for one in fields(frozen)), given, strict=False))
    assert maker(frozen)(**named) == frozen(*given)


def test_what_is_made_stays_as_it_is() -> None:
    for made in (maker(Tally)(1.0, 2.0, 0.0), changer(Tally, "bad")(Tally(), 1.0)):
        with pytest.raises(FrozenInstanceError):
            made.bad = 3.0  # type: ignore[misc]  # that it cannot be set is what is tested
        with pytest.raises((AttributeError, TypeError)):
            made.other = 3.0  # type: ignore[attr-defined]  # as above


def test_a_default_that_is_made_anew_is_never_shared() -> None:
    """It must be given: one dictionary for all values would be worse than slow."""
    with pytest.raises(TypeError):
        maker(Kept)("a")
    with pytest.raises(TypeError):
        maker(Block)()
    assert maker(Kept)("a", {"b": 1}) == Kept("a", {"b": 1})


@given(st.lists(st.sampled_from([one.name for one in fields(StreamEvidence)]), unique=True), NUMBERS)
def test_a_changed_copy_is_what_replace_gives(names: list[str], value: float) -> None:
    before = StreamEvidence("ssh", 0.25, 0.05, all=Tally(1.0, 9.0))
    after = changer(StreamEvidence, *names)(before, *[value] * len(names))
    assert type(after) is StreamEvidence
    assert after == replace(before, **dict.fromkeys(names, value))  # type: ignore[arg-type]  # any field, any number
    assert before == StreamEvidence("ssh", 0.25, 0.05, all=Tally(1.0, 9.0))


def test_a_field_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(AssertionError):
        changer(Tally, "bads")
