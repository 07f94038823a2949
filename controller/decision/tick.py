"""The one function that decides, live and in every replay: judge + decide, bit for bit the same for the same inputs."""

from controller.analysis import judge as judging
from controller.analysis.accumulate import Scope
from controller.decision.decide import decide
from controller.decision.turn import Turn
from controller.domain.decision import Decision
from controller.domain.evidence import Evidence
from controller.domain.observation import Observation
from controller.domain.state import Phase, Position, Run
from controller.domain.verdict import Judgement


def tick(position: Position, evidence: Evidence | None, seen: Observation) -> Decision:
    """Next position, split, evidence and notices for one rollout at one instant. Pure."""
    run = position.run
    mine = evidence if run is not None and evidence is not None and evidence.digest == run.digest else None
    if run is None or mine is None or not position.under_way:
        return decide(Turn(position, evidence, Judgement(), seen))
    if not seen.measured:
        return decide(Turn(position, mine, judging.verdicts(mine, run.spec), seen))
    mine, judgement = judging.judge(mine, seen.measurements, seen.series, scope(position, run, seen))
    return decide(Turn(position, mine, judgement, seen))


def scope(position: Position, run: Run, seen: Observation) -> Scope:
    """Where this tick's counts belong: to the stage whose traffic is, or is about to be, routed."""
    loading = position.phase is Phase.PENDING or position.resume_phase is Phase.PENDING
    return Scope(
        rollout=run.spec,
        stable=run.stable,
        candidate=run.candidate,
        stage=None if loading else run.current.kind,
        since=run.stage_since,
        withdrawn=run.withdrawn,
        now=seen.now,
        sampled_at=seen.sampled_at,
    )
