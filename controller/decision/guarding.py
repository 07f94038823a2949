"""A guard whose lease ran out: what waits until the rollout is held again, and what is left alone. Pure.

Another process may hold the rollout by now: nothing is raised or begun here, and what it may have done is not undone.
"""

from controller.decision.turn import Turn
from controller.domain.state import TrafficMark
from controller.domain.traffic import RouteTable


def standstill(turn: Turn, suspended: str) -> str:
    """Why nothing goes up, complete or not: the spec says so, in these words, or only the guard may act; else empty."""
    return suspended if turn.run.spec.suspend else turn.seen.guarding


def may_write(turn: Turn, mark: TrafficMark) -> bool:
    """Is it held; or does writing take from the run's candidate, and can undo nothing that another process wrote?"""
    if not turn.seen.guarding:
        return True
    run, table = turn.position.run, turn.route.table if turn.route else None
    if run is None or may_be_anothers(turn, mark):
        return False
    return not mark.split.table().exposes_more(table or RouteTable(), run.candidate)


def may_be_anothers(turn: Turn, mark: TrafficMark) -> bool:
    """A split that stood, where another process may have gone on: nobody can be asked, or it may have begun a run.

    What is not verified yet was decided here.
    """
    unasked = turn.seen.storeless or not turn.position.under_way
    return bool(turn.seen.guarding) and unasked and mark.verified_at is not None
