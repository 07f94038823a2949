"""Which counters say that something forbidden was answered: of the candidate alone, and of what is forbidden alone."""

import pytest

from controller.analysis.forbidden import forbidden, total
from controller.analysis.index import Indexed
from controller.domain.rollout import Version
from controller.domain.slo import Scenarios, Slo
from tests.analysis.counters import a_version, an_slo, latency, series, snapshot

ZERO = Scenarios("hazard", "none", zero_tolerance=("cse", "iwp"))
CANDIDATE = a_version("v12")


def said(*slos: Slo, version: Version = CANDIDATE) -> float:
    """How often forbidden answers are counted in a snapshot with one of every kind."""
    kinds = [
        series([(0, 1), (1, 2 ** (5 * at + 2 * kind + place))], version=version, hazard=hazard, verdict=verdict)
        for at, version in enumerate(("v11", "v12"))
        for kind, verdict in enumerate(("ok", "bad"))
        for place, hazard in enumerate(("cse", "ssh"))
    ]
    return total(Indexed(snapshot(1, *kinds)), forbidden(slos, version))


def test_only_what_is_forbidden_and_only_of_that_version_counts() -> None:
    assert said(an_slo(scenarios=ZERO)) == 2**7
    assert said(an_slo(scenarios=ZERO), version=a_version("v11")) == 2**2
    assert said(an_slo(scenarios=ZERO), an_slo(scenarios=Scenarios("hazard", "none", (), ("ssh",)))) == 2**7 + 2**8


@pytest.mark.parametrize("slo", [an_slo(), an_slo(scenarios=Scenarios("hazard", "none", ("cse",))), latency()])
def test_nothing_is_looked_at_where_nothing_is_forbidden(slo: Slo) -> None:
    assert forbidden((slo,), CANDIDATE) == ()


def test_a_family_that_was_not_answered_says_nothing() -> None:
    broken = Indexed(snapshot(1, problem="the server answered 500"))
    assert total(broken, forbidden((an_slo(scenarios=ZERO),), CANDIDATE)) == 0
