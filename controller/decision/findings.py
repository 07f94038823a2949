"""Zero tolerance: the first bad answer withdraws the candidate and pages, until a person has looked at it."""

from dataclasses import replace

from controller.decision.traffic import hold
from controller.decision.turn import Turn
from controller.domain.decision import Reason, Severity
from controller.domain.evidence import Evidence, Finding
from controller.domain.names import SloName
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import Split


def findings(turn: Turn) -> tuple[tuple[SloName, Finding], ...]:
    """What no person has reviewed yet, by SLO."""
    slos = turn.evidence.slos if turn.evidence else ()
    return tuple((slo.name, finding) for slo in slos for finding in slo.findings)


def reviewed(evidence: Evidence | None) -> Evidence | None:
    """The same evidence with nothing left to review."""
    if evidence is None:
        return None
    return replace(evidence, slos=tuple(replace(slo, findings=()) for slo in evidence.slos))


def watch_findings(turn: Turn) -> Turn:
    """Rule of every phase with a candidate: to verified zero, held for review."""
    found = findings(turn)
    position = turn.position
    waiting = position.held is HeldCause.REVIEW
    if not found or waiting or position.phase is Phase.ROLLING_BACK:
        return turn
    slo, first = found[0]
    turn = turn.tell(
        Reason.FOUND, Severity.PAGE, slo=slo, scenario=first.scenario, bad=sum(one.bad for _, one in found)
    )
    turn = turn.with_run(withdrawn=True, stage_since=None).route_to(Split(turn.run.stable))
    why = f"a bad answer in {slo}/{first.scenario}, where none is tolerated; `review --confirm` or `review --dismiss`"
    if position.phase is Phase.HELD:
        return turn.at(held=HeldCause.REVIEW, message=why)
    return hold(turn, HeldCause.REVIEW, why)
