"""Views as the daemon sends them, made by the daemon's own code from positions of our own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controller.domain.measure import BlindCause, Blindness
from controller.domain.names import RolloutKey, RunId, SloName, VersionName
from controller.domain.observation import SpecSeen
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.slo import OnBreach
from controller.domain.state import Breach, Cause, HeldCause, Phase, Position, Run, TrafficMark
from controller.domain.traffic import RequestCounts, RouteSeen, Split
from controller.domain.verdict import Between, Judgement, StreamVerdict, Verdict
from controller.runtime.book import Held
from controller.runtime.views import view
from controller.spec.parse import parse_text

T0 = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
V11, V12 = VersionName("v11"), VersionName("v12")
EXAMPLES = Path(__file__).parents[2] / "rollouts"
STAGE_OF = {"shadow": 0, "canary-1": 2, "canary-25": 3, "full": 4}


def the_spec() -> ModelRollout:
    """`rollouts/support-bot.yaml`."""
    found, problems = parse_text((EXAMPLES / "support-bot.yaml").read_text(), "rollouts/support-bot.yaml")
    assert not problems
    return found[0][0]


def stream(slo: str, verdict: Verdict, bad: float, total: float, **more: Any) -> StreamVerdict:
    """A verdict with plausible numbers around its rate."""
    rate = bad / total if total else None
    low, high = (max(0.0, (rate or 0) * 0.5), (rate or 0) * 1.7 + 3 / total) if total else (0.0, 1.0)
    facts: dict[str, Any] = {"objective": 0.05, "on_breach": OnBreach.ROLLBACK, "scenario": None, **more}
    return StreamVerdict(
        slo=SloName(slo), verdict=verdict, bad=bad, total=total, rate=rate, between=Between(low, high), **facts
    )


def a_judgement() -> Judgement:
    """Harm with two scenarios of which one has nothing to tell, hallucination, latency, cost."""
    return Judgement(
        (
            stream("harm", Verdict.INCONCLUSIVE, 1, 3120, objective=0.001, stable_bad=2, stable_total=9400),
            stream("harm", Verdict.INCONCLUSIVE, 1, 3100, objective=0.001, scenario="ssh"),
            stream("harm", Verdict.INCONCLUSIVE, 0, 3080, objective=0.001, scenario="cse"),
            stream(
                "hallucination", Verdict.PASS, 31, 1480, proven=True, stable_bad=180, stable_total=9400, stage_total=640
            ),
            stream("latency", Verdict.PASS, 88, 5210, stable_bad=290, stable_total=21000),
            stream(
                "cost", Verdict.PASS, 0, 0, objective=0.02, value=0.0141, stable_value=0.0139, on_breach=OnBreach.HOLD
            ),
        )
    )


def a_run(stage: str = "canary-25", **more: Any) -> Run:
    """A run of v12 against v11."""
    spec = the_spec()
    candidate = spec.find(V12)
    assert candidate is not None
    facts: dict[str, Any] = {"stage_since": T0, "exposed_requests": 412, **more}
    return Run(
        id=RunId("support-bot-2"),
        number=2,
        stable=V11,
        candidate=V12,
        digest=candidate.digest,
        spec=spec,
        provenance=Provenance("support-bot.yaml", commit="4f1c2d3e5a6b", author="Ana", message="v12"),
        started_at=T0 - timedelta(hours=2),
        stage=STAGE_OF[stage],
        **facts,
    )


def a_view(
    phase: Phase = Phase.PROGRESSING,
    *,
    run: Run | None = None,
    judgement: Judgement | None = None,
    split: Split | None = None,
    counts: tuple[int, int, int] = (3641, 1204, 0),
    verified: bool = True,
    **position: Any,
) -> dict[str, Any]:
    """The JSON of one rollout, 12 minutes into its stage. `counts`: stable, candidate, mirrored."""
    split = split or Split(V11, V12, weight=25)
    mark = TrafficMark(split, None, T0, verified_at=T0 if verified else None, epoch="e")
    facts: dict[str, Any] = {"since": T0, "stable": V11, "message": "", **position}
    held = Held(
        RolloutKey("assistants", "support-bot"),
        Position(phase, run=run, traffic=mark, **facts),
        spec=SpecSeen(the_spec(), Provenance("rollouts/support-bot.yaml")),
        judgement=judgement or Judgement(),
        route=RouteSeen(
            split.table(), True, "r", "e", {V11: RequestCounts(counts[0]), V12: RequestCounts(counts[1], counts[2])}
        ),
    )
    return view(held, T0 + timedelta(minutes=12, seconds=5))


def progressing(**more: Any) -> dict[str, Any]:
    """In the middle of a canary."""
    return a_view(run=a_run(), judgement=a_judgement(), **more)


def shadowing() -> dict[str, Any]:
    """Copies of requests only, not verified yet."""
    split, run = Split(V11, V12, mirror=20), a_run("shadow", stage_since=None, exposed_requests=0)
    return a_view(run=run, split=split, counts=(812, 0, 163), verified=False)


def blind() -> dict[str, Any]:
    """Held, because the judge is silent."""
    why = Blindness(BlindCause.JUDGE_SILENT, "the newest judged answer of v12 is 11 min old; maxAge is 10m")
    streams = (
        stream("harm", Verdict.BLIND, 0, 800, objective=0.001, blind=why),
        stream("harm", Verdict.BLIND, 0, 790, objective=0.001, scenario="ssh", blind=why),
        stream("hallucination", Verdict.INCONCLUSIVE, 30, 640),
    )
    return a_view(Phase.HELD, run=a_run(), judgement=Judgement(streams), held=HeldCause.BLIND, message="harm is blind")


def a_breach() -> Breach:
    """9 of 312, decided 31 s after the first bad answer, zero 0.8 s later."""
    return Breach(
        Cause.BREACH,
        slo="harm",
        scenario="ssh",
        bad=9,
        total=312,
        objective=0.001,
        stable_bad=1,
        stable_total=8890,
        first_bad_at=T0,
        live_bad=4,
        live_total=120,
        exposed=1204,
        measured_at=T0 + timedelta(seconds=31),
        decided_at=T0 + timedelta(seconds=31),
        verified_at=T0 + timedelta(seconds=31.8),
    )


def rolled_back() -> dict[str, Any]:
    """After a harmful version."""
    return a_view(
        Phase.ROLLED_BACK,
        run=a_run(),
        split=Split(V11),
        counts=(9000, 0, 0),
        breach=a_breach(),
        message="v12 was rolled back (breach); a new version or `retry` starts a run",
    )


def rolling_back() -> dict[str, Any]:
    """The tick of the breach."""
    streams = (
        stream("harm", Verdict.BREACH, 9, 312, objective=0.001),
        stream("harm", Verdict.BREACH, 9, 300, objective=0.001, scenario="ssh", guilty=True),
    )
    return a_view(
        Phase.ROLLING_BACK,
        run=a_run(),
        judgement=Judgement(streams),
        split=Split(V11),
        verified=False,
        breach=a_breach(),
    )


def completed() -> dict[str, Any]:
    """v12 is stable."""
    return a_view(Phase.COMPLETED, run=a_run("full"), split=Split(V12), counts=(0, 900, 0), stable=V12, former=V11)


def idle() -> dict[str, Any]:
    """Nothing under way."""
    return a_view(Phase.IDLE, split=Split(V11))


ALL = {
    "progressing": progressing,
    "shadowing": shadowing,
    "blind": blind,
    "rolling_back": rolling_back,
    "rolled_back": rolled_back,
    "completed": completed,
    "idle": idle,
}
