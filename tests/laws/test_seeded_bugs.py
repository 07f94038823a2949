"""The laws bite: with each seeded bug the law named beside it fails, and without it holds again."""

import pytest

from tests.laws.seeded_bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_laws_catch(bug: Bug) -> None:
    with bug.seeded(), pytest.raises(Exception) as caught:  # noqa: PT011 - a bug may break a law in any way
        bug.law()
    assert not isinstance(caught.value, SyntaxError | NameError), f"the seeded bug itself is broken: {caught.value}"


def test_every_bug_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 14
