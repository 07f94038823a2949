"""Which scale a version should have: a table of where the rollout stands."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.decision.spare import spared
from controller.decision.turn import Turn
from controller.domain.names import RolloutKey
from controller.domain.observation import SpecSeen
from controller.domain.rollout import Mode, ModelRollout, Scale, Version
from controller.domain.route import BackendRef
from controller.domain.state import Phase, Position, Run, Spare, TrafficMark
from controller.domain.traffic import Split
from controller.domain.verdict import Judgement
from controller.runtime.scaling_routes import sends_to
from controller.runtime.scaling_wanted import needed_by_others, wanted
from controller.testing.builders import CANDIDATE, PROVENANCE, STABLE, THIRD, a_rollout, a_run, a_version, seen
from controller.testing.clock import START
from controller.testing.gateway import a_backend, a_route

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def a_scale(name: str) -> Scale:
    return Scale("apps/v1", "Deployment", f"chat-{name}", 4, 30 * MINUTE, 10 * MINUTE)


def scaled(name: str) -> Version:
    return a_version(name, scale=a_scale(name), backend=BackendRef("Service", f"chat-{name}", 8000))


SPEC = a_rollout(versions=(scaled("v11"), scaled("v12"), scaled("v13")))
RUN = a_run(SPEC)


def at(phase: Phase, split: Split | None = None, run: Run | None = RUN, **changes: Any) -> Position:
    mark = TrafficMark(split or Split(STABLE), None, START, START, START)
    position = Position(phase, START, stable=STABLE, run=run, traffic=mark)
    return replace(position, **changes)


def named(position: Position, minutes: float = 0.0, spec: ModelRollout = SPEC, **text: object) -> dict[str, int]:
    told = replace(SpecSeen(spec, PROVENANCE), **text)  # type: ignore[arg-type]  # as above
    return {one.version.name: one.replicas for one in wanted(position, told, START + minutes * MINUTE)}


UNDER_WAY = (Phase.PENDING, Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL)


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_the_candidate_of_a_run_is_up(phase: Phase) -> None:
    assert named(at(phase)) == {"v12": 4}


def test_also_while_the_run_is_stalled() -> None:
    assert named(at(Phase.STALLED, resume_phase=Phase.PENDING)) == {"v12": 4}


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.COMPLETED])
def test_nothing_is_brought_up_without_a_run(phase: Phase) -> None:
    assert named(at(phase)) == {}


def test_a_version_without_a_scale_is_left_alone() -> None:
    plain = a_rollout()
    assert named(at(Phase.PENDING, run=a_run(plain)), spec=plain) == {}


def test_a_rollout_that_observes_moves_nothing() -> None:
    watching = replace(SPEC, mode=Mode.OBSERVE)
    assert named(at(Phase.PENDING, run=a_run(watching)), spec=watching) == {}
    assert named(at(Phase.ROLLED_BACK, spare=(Spare(scaled("v12"), START),)), 60, watching) == {}


GONE = at(Phase.ROLLED_BACK, spare=(Spare(scaled("v12"), START),))


@pytest.mark.parametrize(("minutes", "down"), [(0, {}), (9.9, {}), (10, {"v12": 0}), (10_000, {"v12": 0})])
def test_down_after_a_delay(minutes: float, down: dict[str, int]) -> None:
    assert named(GONE, minutes) == down


def unverified(position: Position) -> Position:
    assert position.traffic is not None
    return replace(position, traffic=replace(position.traffic, verified_at=None))


@pytest.mark.parametrize(
    "position",
    [
        pytest.param(unverified(GONE), id="zero is not verified"),
        pytest.param(replace(GONE, traffic=None), id="nothing is known of the traffic"),
        pytest.param(at(Phase.ROLLED_BACK, Split(STABLE, CANDIDATE, 10), spare=GONE.spare), id="it has a weight"),
        pytest.param(at(Phase.ROLLED_BACK, Split(STABLE, CANDIDATE, 0, 20), spare=GONE.spare), id="it is mirrored to"),
        pytest.param(at(Phase.IDLE, stable=CANDIDATE, spare=GONE.spare), id="it is stable"),
        pytest.param(at(Phase.IDLE, Split(CANDIDATE), spare=GONE.spare), id="everything goes to it"),
        pytest.param(at(Phase.ROLLING_BACK, spare=GONE.spare), id="it is still being rolled back"),
        pytest.param(at(Phase.IDLE, former=CANDIDATE, promoted_at=START, spare=GONE.spare), id="it can be returned to"),
    ],
)
def test_never_down(position: Position) -> None:
    assert "v12" not in {name for name, replicas in named(position, 60).items() if replicas == 0}


def test_never_down_under_a_spec_that_is_broken_or_gone() -> None:
    assert named(GONE, 60, problems=("wrong",)) == {}
    assert named(GONE, 60, deleted=True) == {}


def test_a_version_is_scaled_as_it_is_listed_now() -> None:
    moved = replace(scaled("v12"), scale=replace(a_scale("v12"), name="other", down_after=60 * MINUTE))
    spec = replace(SPEC, versions=(scaled("v11"), moved))
    assert named(GONE, 59, spec) == {}
    assert next(iter(wanted(GONE, SpecSeen(spec, PROVENANCE), START + DAY))).scale.name == "other"
    without = replace(SPEC, versions=(scaled("v11"), replace(moved, scale=None)))
    assert named(GONE, 59, without) == {}
    unlisted = replace(SPEC, versions=(scaled("v11"),))
    assert named(GONE, 59, unlisted) == {"v12": 0}


@pytest.mark.parametrize("same", [{"scale": a_scale("v12")}, {"backend": BackendRef("Service", "chat-v12", 9)}])
def test_never_down_what_stable_is_made_of_under_another_name(same: dict[str, object]) -> None:
    stable = replace(scaled("v11"), **same)  # type: ignore[arg-type]  # fields of a test
    assert named(GONE, 60, replace(SPEC, versions=(stable,))) == {}


def test_never_down_what_another_rollout_lists() -> None:
    near, far = RolloutKey("default", "other"), RolloutKey("elsewhere", "other")
    assert needed_by_others(SPEC.key, scaled("v12"), [(SPEC.key, SPEC), (near, SPEC)])
    assert not needed_by_others(SPEC.key, scaled("v12"), [(SPEC.key, SPEC), (far, SPEC)])
    assert not needed_by_others(SPEC.key, scaled("v12"), [(near, replace(SPEC, versions=(scaled("v11"),)))])


@pytest.mark.parametrize(
    ("rule", "sends"),
    [
        ({"backendRefs": [a_backend("chat-v12")]}, True),
        ({"backendRefs": [{"name": "chat-v12"}]}, True),
        ({"backendRefs": [a_backend("chat-v12", 0), a_backend("chat-v11")]}, False),
        ({"backendRefs": [{"name": "chat-v12", "namespace": "other"}]}, False),
        ({"backendRefs": [{"name": "chat-v12", "kind": "InferencePool"}]}, False),
        ({"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "chat-v12"}}}]}, True),
        ({}, False),
    ],
)
def test_any_route_that_sends_something(rule: dict[str, object], *, sends: bool) -> None:
    found = sends_to([a_route("preview", "default", rule)], "default", scaled("v12").backend)
    assert found == ("HTTPRoute default/preview" if sends else None)


class TestSpare:
    """Who falls out of use, and when."""

    def after(self, before: Position, after: Position, minutes: float = 0.0) -> dict[str, timedelta]:
        turn = Turn(after, None, Judgement(), seen(after, START + minutes * MINUTE, spec=SpecSeen(SPEC, PROVENANCE)))
        return {one.version.name: one.since - START for one in spared(before, turn).position.spare}

    def test_a_rolled_back_candidate(self) -> None:
        assert self.after(at(Phase.ROLLING_BACK), at(Phase.ROLLED_BACK), 5) == {"v12": 5 * MINUTE}

    def test_one_that_was_superseded(self) -> None:
        third = replace(RUN, candidate=THIRD)
        assert self.after(at(Phase.IDLE), at(Phase.PENDING, run=third), 5) == {"v12": 5 * MINUTE}

    def test_nobody_while_the_run_goes_on(self) -> None:
        assert self.after(at(Phase.PENDING), at(Phase.PROGRESSING)) == {}

    def test_one_that_is_tried_again(self) -> None:
        assert self.after(GONE, at(Phase.PENDING, spare=GONE.spare)) == {}

    def test_the_former_stable_when_its_time_is_over(self) -> None:
        done: dict[str, Any] = {"stable": CANDIDATE, "former": STABLE, "promoted_at": START}
        promoted = at(Phase.COMPLETED, Split(CANDIDATE), **done)
        assert self.after(promoted, promoted, 60) == {}
        idle = at(Phase.IDLE, Split(CANDIDATE), **done)
        assert self.after(promoted, idle, 60) == {}
        assert self.after(idle, idle, 24 * 60 + 1) == {"v11": timedelta()}

    def test_the_since_of_one_that_is_known_stays(self) -> None:
        assert self.after(GONE, GONE, 60) == {"v12": timedelta()}

    def test_not_without_a_scale(self) -> None:
        plain = a_rollout()
        run = a_run(plain)
        turn = Turn(at(Phase.ROLLED_BACK, run=run), None, Judgement(), seen(now=START, spec=SpecSeen(plain)))
        assert spared(at(Phase.ROLLING_BACK, run=run), turn) is turn

    def test_so_many_are_remembered(self) -> None:
        many = tuple(Spare(scaled(f"v{number}"), START) for number in range(20, 50))
        assert len(self.after(GONE, replace(GONE, spare=many))) == 20
