"""Is stable as strong as when the run began? A weight is not raised while a rollback would fall on fewer shoulders."""

from controller.decision.turn import Turn
from controller.domain.decision import Fact
from controller.domain.observation import Unknown


def known_strength(turn: Turn) -> Turn:
    """Remember how many of stable's endpoints are ready at the start of the run, as soon as that is known."""
    ready = turn.seen.stable_endpoints
    if turn.run.stable_endpoints is not None or not isinstance(ready, int):
        return turn
    return turn.with_run(stable_endpoints=ready)


def too_weak(turn: Turn) -> str | None:
    """Why the candidate may not get more now, or None. Never asked on the way down."""
    ready, began_with = turn.seen.stable_endpoints, turn.run.stable_endpoints
    if ready is None or turn.observing:
        return None
    if isinstance(ready, Unknown):
        return f"the ready endpoints of stable cannot be counted: {ready.why}"
    if began_with is None or ready >= began_with:
        return None
    return f"stable has {ready} of {began_with} ready endpoints"


def strength(turn: Turn) -> dict[str, Fact]:
    """For the alert: how many of stable's endpoints are ready, when they are fewer than at the start of the run."""
    ready, began_with = turn.seen.stable_endpoints, turn.run.stable_endpoints
    if not isinstance(ready, int) or began_with is None or ready >= began_with:
        return {}
    return {"stable_ready": ready, "stable_ready_at_start": began_with}
