"""History through the very function that decides live: when a run begins, goes on, and ends."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.decision.recount import recount
from controller.decision.replay import Frame, Replay, Step, replay
from controller.domain.decision import UNSAID, Reason
from controller.domain.measure import FamilyReading, Measurement, Series, Snapshot
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import BlindAction, BlindPolicy, ModelRollout, Stage, StageKind
from controller.domain.slo import Margin, Scenarios
from controller.domain.state import Phase
from controller.domain.verdict import Verdict
from controller.spec.parse import parse_text

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
V1, V2 = VersionName("v1"), VersionName("v2")
SLO = SloName("hallucination")
SPEC = Path(__file__).parents[2] / "rollouts" / "minimal.yaml"
TICKS = ((0, 10), (1, 9), (3, 12), (2, 10), (0, 0), (4, 11), (1, 8), (2, 10), (3, 10), (2, 9))
LOG_E = (
    -0.205901520, -0.092876286, 0.389156304, 0.980613577, 0.980613577,
    2.251032602, 2.803046807, 3.812060014, 5.235535925, 6.408108407,
)  # fmt: skip


def a_rollout(budget: float = 0.05) -> ModelRollout:
    """One SLO of at most 5 %, judged every minute, planned for 360 ticks."""
    found, problems = parse_text(SPEC.read_text(), "minimal.yaml")
    assert not problems
    return replace(found[0][0], interval=MINUTE, horizon=360, max_false_rollback=budget)


def frames(counts: Sequence[tuple[float, float]], every: timedelta = MINUTE) -> list[Frame]:
    """The candidate's bad and total, tick by tick."""
    return [Frame(START + n * every, (Measurement(SLO, V2, None, *one),)) for n, one in enumerate(counts)]


def log_e(step: Step) -> float:
    """Of the pooled stream against its objective."""
    return next(one.log_e for one in step.judgement.streams if one.scenario is None and one.against == "objective")


def test_all_counts_from_the_first_frame_on_are_judged() -> None:
    steps = list(replay(a_rollout(1e-4), V1, frames(TICKS)))
    assert [log_e(step) for step in steps] == pytest.approx(LOG_E, abs=1e-8)
    assert steps[0].stage == "shadow"
    begun = [notice.reason for notice in steps[0].notices]
    assert begun[:2] == [Reason.ADOPTED, Reason.RUN_STARTED]
    assert steps[0].position.run is not None
    assert steps[0].position.run.started_at < START


def test_the_comparison_with_stable_sees_both_arms() -> None:
    """Known values: margin of one point, a guess of 4 % at the start, one weight throughout."""
    stable = ((8, 190), (7, 185), (9, 192), (6, 188), (0, 0), (8, 190), (7, 191), (9, 187), (8, 190), (7, 189))
    expected = (
        -0.212272129, -0.098704174, 0.330125471, 0.943750492, 0.943750492,
        2.157591218, 2.721252250, 3.595762292, 4.952985843, 6.131758284,
    )  # fmt: skip
    slo = replace(a_rollout().slos[0], max_bad=0.04, versus_stable=Margin(points=0.01))
    beside = [Measurement(SLO, V1, None, *counts) for counts in stable]
    both = [replace(one, measured=(*one.measured, two)) for one, two in zip(frames(TICKS), beside, strict=True)]
    steps = replay(replace(a_rollout(1e-4), slos=(slo,)), V1, both)
    found = [one.log_e for step in steps for one in step.judgement.streams if one.against == "stable"]
    assert found == pytest.approx(expected, abs=1e-8)


def test_the_run_ends_in_the_tick_of_the_breach_and_the_counts_are_judged_on() -> None:
    steps = list(replay(a_rollout(), V1, frames(TICKS)))
    assert [step.position.phase for step in steps] == [Phase.PROGRESSING] * 7 + [Phase.ROLLED_BACK] * 3
    assert [log_e(step) for step in steps[7:]] == pytest.approx([3.812060014, 5.235535925, 6.408108407], abs=1e-8)
    assert steps[7].notices
    assert not steps[8].notices
    assert steps[7].weight == 0
    assert steps[7].judgement.streams[0].verdict is Verdict.BREACH


def test_a_good_version_is_promoted_and_people_are_not_waited_for() -> None:
    stages = (
        Stage("canary", StageKind.CANARY, 5 * MINUTE, timedelta(hours=9), a_rollout().stages[0].require, weight=10),
        replace(a_rollout().stages[-1], min_duration=5 * MINUTE),
    )
    asking = replace(a_rollout(), suspend=True, stages=tuple(replace(one, approvals=2) for one in stages))
    steps = list(replay(asking, V1, frames([(0, 20)] * 60)))
    assert steps[-1].position.phase is Phase.COMPLETED
    assert steps[-1].position.stable == V2
    assert sorted({step.weight for step in steps}) == [10, 100]


def test_a_gap_is_one_larger_block() -> None:
    one, other = (Replay(a_rollout(), V1, START - MINUTE) for _ in range(2))
    for frame in frames([(1, 10), (0, 0), (0, 0)]):
        one.feed(frame)
    late = Measurement(SLO, V2, None, 1.0, 10.0)
    other.feed(Frame(START, (late,)))
    gap = other.feed(Frame(START + 2 * MINUTE, (), ticks=2))
    streams = [step.evidence.slos[0].streams[0] for step in (gap, one.feed(Frame(START + 3 * MINUTE))) if step.evidence]
    assert streams[0].ticks == 3
    assert streams[1].ticks == 4
    assert streams[0].reserve == pytest.approx(streams[1].reserve + 0.5 / 360)


def test_what_is_not_mentioned_had_nothing_new_also_a_known_scenario() -> None:
    slo = replace(a_rollout().slos[0], scenarios=Scenarios("hazard", "none", required=("ssh",)))
    world = Replay(replace(a_rollout(), slos=(slo,)), V1, START - MINUTE)
    world.feed(Frame(START, (Measurement(SLO, V2, "new", 0.0, 5.0),)))
    step = world.feed(Frame(START + MINUTE))
    assert step.position.phase is Phase.PROGRESSING
    assert {one.verdict for one in step.judgement.streams} == {Verdict.INCONCLUSIVE}
    assert step.evidence is not None
    assert {(one.scenario, one.ticks) for one in step.evidence.slos[0].streams} == {(None, 2), ("ssh", 2), ("new", 2)}


def test_silence_of_the_judge_is_blind_as_it_is_live() -> None:
    policy = BlindPolicy(5 * MINUTE, BlindAction.WITHDRAW)
    steps = list(replay(replace(a_rollout(), on_blind=policy), V1, frames([(0, 10), *[(0, 0)] * 14, (0, 10)])))
    phases = [step.position.phase for step in steps]
    assert Phase.HELD in phases
    assert phases[-1] is Phase.PROGRESSING


def test_the_same_history_gives_the_same_steps() -> None:
    first, second = (list(replay(a_rollout(), V1, frames(TICKS))) for _ in range(2))
    assert first == second


def counters(at: datetime, bad: float, ok: float) -> Snapshot:
    """What a server answers about one moment: two versions, the stable one without bad answers."""

    def series(version: str, verdict: str, value: float) -> Series:
        labels = (("evaluation", "hallucination"), ("verdict", verdict), ("version", version))
        return Series(labels, ((at.timestamp(), value),))

    found = (series("v2", "bad", bad), series("v2", "ok", ok), series("v1", "bad", 0.0), series("v1", "ok", ok))
    return Snapshot(at, {"llm_eval_results_total": FamilyReading(found)})


def test_counters_of_the_past_are_counted_as_those_of_today() -> None:
    """The first snapshot is the baseline; the same counts as in the known values follow."""
    bad, ok, shots = 100.0, 5000.0, [counters(START - MINUTE, 100.0, 5000.0)]
    for n, (k, total) in enumerate(TICKS[:4]):
        bad, ok = bad + k, ok + total - k
        shots.append(counters(START + n * MINUTE, bad, ok))
    rollout = a_rollout()
    rollout = replace(rollout, metrics=replace(rollout.metrics, scrape_interval=MINUTE))
    steps = list(replay(rollout, V1, recount(rollout, V1, shots)))
    assert [log_e(step) for step in steps[1:]] == pytest.approx(LOG_E[:4], abs=1e-8)
    assert steps[-1].judgement.streams[0].stable_total == 35.0


def test_words_that_nobody_reads_are_found_when_they_are_read() -> None:
    """Without them everything else is the same, and with them the message is that of a live tick."""
    aloud, silent = (Replay(a_rollout(1e-4), V1, START - MINUTE) for _ in range(2))
    plain = aloud._seen
    aloud._seen = lambda now, measured: replace(plain(now, measured), wordless=False)  # type: ignore[method-assign]
    told = set()
    for frame in frames(TICKS):
        one, other = aloud.feed(frame), silent.feed(frame)
        assert other.position == one.position
        assert (other.evidence, other.judgement, other.notices) == (one.evidence, one.judgement, one.notices)
        told.add(other.place.message)
    assert UNSAID in told
