"""The bound on the guard's path: what it calls calm is calm, with room for every rounding."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis import change, elin, streams
from controller.analysis.ledgers import MONTH, Pairs, ledgers_of, surely_calm
from controller.domain.evidence import NO_MONEY, SloEvidence, StreamEvidence
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Margin, OnBreach, Slo
from controller.testing.builders import a_rollout, a_slo

NEAR = 1e-9
"""So close to its limit a ledger is read in full."""
MANY = settings(max_examples=400, derandomize=True, database=None, deadline=None)
LOGS = st.one_of(st.just(NO_MONEY), st.floats(-40, 20), st.floats(-1000, 1000))
BETS = st.tuples(*[LOGS] * len(elin.BETS))
SLOS = st.lists(
    st.tuples(
        st.sampled_from(OnBreach),
        st.booleans(),
        st.sampled_from([(), ("ssh",), ("ssh", "cse")]),
        st.floats(0.1, 5),
    ),
    min_size=1,
    max_size=3,
)


def rollout_of(parts: list[tuple[OnBreach, bool, tuple[str, ...], float]]) -> ModelRollout:
    slos = [
        a_slo(f"slo-{n}", 0.05, names, on_breach=action, versus_stable=Margin(points=0.02) if beside else None)
        for n, (action, beside, names, _) in enumerate(parts)
    ]
    return a_rollout(slos=tuple(replace(slo, weight=one[3]) for slo, one in zip(slos, parts, strict=True)))


def pairs_of(rollout: ModelRollout) -> list[tuple[Slo, SloEvidence]]:
    fresh = streams.fresh(rollout, rollout.versions[1].digest)
    return [(slo, known) for slo in rollout.slos if (known := fresh.of(slo.name)) is not None]


def moved(known: SloEvidence, by: float) -> SloEvidence:
    """Every bet, and the reserve, times exp(`by`)."""
    return replace(known, streams=tuple(_moved(one, by) for one in known.streams))


def _moved(one: StreamEvidence, by: float) -> StreamEvidence:
    log_s, detector = ([max(s + by, NO_MONEY) for s in bets] for bets in (one.log_s, one.change))
    return replace(one, log_s=tuple(log_s), change=tuple(detector), reserve=one.reserve * math.exp(by))


def closest(pairs: Pairs, rollout: ModelRollout) -> float:
    """By how much the worst ledger, read in full, is over its limit; in logarithms."""
    found = [*ledgers_of(pairs, rollout, True), *ledgers_of(pairs, rollout, False)]
    return max((one.log_e - one.log_limit for one in found), default=-math.inf)


@MANY
@given(SLOS, st.floats(0.001, 0.5), st.sampled_from([1.0, 0.5, 0.25]), st.data())
def test_what_is_surely_calm_is_calm(
    parts: list[tuple[OnBreach, bool, tuple[str, ...], float]], alpha: float, budget: float, data: st.DataObject
) -> None:
    """Whatever the bets are worth, and however close to the limit all of them are brought together."""
    rollout = replace(rollout_of(parts), max_false_rollback=alpha)
    pairs = []
    for slo, known in pairs_of(rollout):
        filled = [
            replace(
                one, budget=budget, log_s=data.draw(BETS), change=data.draw(BETS), reserve=data.draw(st.floats(0, 1))
            )
            for one in known.streams
        ]
        pairs.append((slo, replace(known, streams=tuple(filled))))
    for by in (0.0, *_to_the_limit(pairs, rollout)):
        near = [(slo, moved(known, by)) for slo, known in pairs]
        if closest(near, rollout) >= -NEAR:
            assert not surely_calm(near, rollout)


def _to_the_limit(pairs: Pairs, rollout: ModelRollout) -> list[float]:
    """Shifts that end at the limit, or a little before or behind it."""
    over = closest(pairs, rollout)
    return [d - over for d in (-1e-6, -NEAR, 0.0, NEAR, 1e-6)] if -600 < over < 600 else []


@pytest.mark.parametrize("d", [-NEAR, -1e-12, 0.0, 1e-12, NEAR])
@pytest.mark.parametrize("kind", ["evidence", "change"])
@pytest.mark.parametrize("beside", [None, Margin(points=0.02)])
@pytest.mark.parametrize("names", [(), ("ssh",)])
def test_equal_bets_against_the_objective_are_the_tightest_case(
    kind: str, d: float, beside: Margin | None, names: tuple[str, ...]
) -> None:
    """There the bound is the ledger itself: only the margin is left."""
    rollout = a_rollout(slos=(a_slo("harm", 0.05, names or None, versus_stable=beside),))
    ((slo, known),) = pairs_of(rollout)
    mine = [one for one in known.streams if one.against == "objective"]
    share = sum(one.weight for one in mine) * (2 if beside else 1)
    calm = (NO_MONEY,) * len(elin.BETS)
    limit = 1 / rollout.max_false_rollback
    if kind == "change":
        limit = change.threshold(MONTH / rollout.interval, rollout.max_false_rollback)
    bets = (math.log((limit * math.exp(d) - known.reserve_weight) / share),) * len(elin.BETS)
    log_s, detector = (bets, calm) if kind == "evidence" else (calm, bets)
    filled = [
        replace(one, log_s=log_s, change=detector, reserve=0.0)
        if one in mine
        else replace(one, log_s=calm, change=calm, reserve=0.0)
        for one in known.streams
    ]
    pairs = [(slo, replace(known, streams=tuple(filled)))]
    assert abs(closest(pairs, rollout)) <= abs(d) + 1e-12
    assert not surely_calm(pairs, rollout)
    assert surely_calm([(slo, moved(one, -1e-6)) for slo, one in pairs], rollout)


def test_fresh_evidence_is_calm_and_what_is_no_number_never_is() -> None:
    rollout = a_rollout(slos=(a_slo("harm", 0.05),))
    ((slo, known),) = pairs_of(rollout)
    assert surely_calm([(slo, known)], rollout)
    for value in (math.nan, 1e300, math.inf):
        wrong = replace(known.streams[0], log_s=(value,) * len(elin.BETS))
        assert not surely_calm([(slo, replace(known, streams=(wrong,)))], rollout)


@MANY
@given(BETS)
def test_the_freeze_gate_by_its_bound_is_the_gate(bets: tuple[float, ...]) -> None:
    level = change.LOG_FREEZE - change.log_worth(bets)
    for by in (0.0, level, level + 1e-12, level - 1e-12):
        near = tuple(max(one + by, NO_MONEY) for one in bets)
        assert change.freezes(near) == (change.log_worth(near) >= math.log(change.FREEZE))


@pytest.mark.parametrize("d", [-1e-6, -1e-12, 0.0, 1e-12, 1e-6])
def test_equal_bets_at_the_gate(d: float) -> None:
    bets = (change.LOG_FREEZE + d,) * len(elin.BETS)
    assert change.freezes(bets) == (change.log_worth(bets) >= math.log(change.FREEZE))
