"""What is stable? Found on the route or in the spec where state does not know, never guessed; stalled when in doubt."""

from dataclasses import replace

from controller.analysis import streams
from controller.decision.traffic import describe
from controller.decision.turn import Turn
from controller.domain.decision import Reason, Severity
from controller.domain.names import VersionName
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable, Split


def find_stable(turn: Turn, spec: ModelRollout) -> Turn:
    """State and journal know nothing: ask the route, then the spec; never guess."""
    if turn.route is None:
        why = getattr(turn.seen.route, "why", "unknown")
        return stalled(turn, f"what serves now cannot be known: {why}")
    table = turn.route.table
    sole = table.sole() if table else None
    recorded = turn.seen.recorded
    if recorded is not None and spec.find(recorded.stable) is not None and _is_ours(table, recorded):
        return _adopt(turn, recorded.stable, "the record beside the route says so, and the database knows nothing")
    if sole is not None and spec.find(sole) is not None:
        return _adopt(turn, sole, "the route sends everything to it")
    if table is None and spec.initial_stable is not None:
        return _adopt(turn, spec.initial_stable, "initialStable says so and nothing is routed yet")
    found = describe(table) if table else "no route yet"
    hint = "set spec.initialStable to the version that serves" if table is None else "send everything to one version"
    return stalled(turn, f"what is stable? found {found}; {hint}")


def _is_ours(table: RouteTable | None, recorded: Split) -> bool:
    """Is the route what Tidegate left, a stage of a run or stable alone, and not what somebody made of it since?"""
    known = {recorded.stable, recorded.candidate}
    named = {name for part in (table.shares, table.mirrors, table.cohorts) for name, _ in part} if table else known
    return named <= known


def _adopt(turn: Turn, stable: VersionName, why: str) -> Turn:
    """What was tried here before, and how it ended, is not known any more: the next run has half of the budget."""
    spec, known = turn.seen.spec.spec, turn.seen.recorded is not None
    target = spec.find(spec.version) if spec else None
    exposed = known and turn.route is not None and turn.route.table != Split(stable).table()
    severity = Severity.WARN if exposed else Severity.QUIET
    turn = unstalled(turn).tell(Reason.ADOPTED, severity, stable=stable, why=why)
    if known and spec is not None and target is not None and turn.evidence is None and target.name != stable:
        turn = replace(turn, evidence=streams.lost(spec, target.digest))
        turn = turn.tell(Reason.EVIDENCE_LOST, candidate=target.name)
    return _as_reported(turn).at(stable=stable).route_to(Split(stable))


def _as_reported(turn: Turn) -> Turn:
    """A version that was rolled back is not tried again because a database was lost; no run's name comes twice."""
    told, position = turn.seen.spec.reported, turn.position
    if told is None:
        return turn
    refused = (told.refused,) if told.refused is not None and told.refused not in position.rejected else ()
    return turn.at(runs=max(position.runs, told.runs), rejected=(*position.rejected, *refused))


def moved_by_hand(turn: Turn) -> str | None:
    """Without a run nobody fights a person: a route that serves another listed version is left alone.

    A listed GitOps tool is no person: what it wrote is taken away again.
    """
    mark, route = turn.position.traffic, turn.route
    if mark is None or mark.accepted_at is None or route is None or route.table is None or turn.observing:
        return None
    sole, stable = route.table.sole(), turn.position.stable
    if sole is None or sole == stable or route.overwritten_by is not None:
        return None
    return f"the route sends everything to {sole}, but {stable} is stable; commit `version: {sole}` or `resume`"


def stalled(turn: Turn, why: str) -> Turn:
    """A person must say what is right; traffic is left as it is. Told once, however often it is found."""
    if turn.position.phase is Phase.STALLED:
        return turn.say(why)
    turn = turn.tell(Reason.STALLED, Severity.WARN, why=why)
    return turn.at(phase=Phase.STALLED, resume_phase=turn.position.phase, message=why)


def unstalled(turn: Turn) -> Turn:
    """What was wrong is right again: back to the phase before, without a run."""
    if turn.position.phase is not Phase.STALLED:
        return turn
    back = turn.position.resume_phase
    back = back if back in (Phase.ROLLED_BACK, Phase.COMPLETED) else Phase.IDLE
    return turn.at(phase=back, message="", resume_phase=None)
