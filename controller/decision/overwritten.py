"""A GitOps tool that wrote its own version of the route over a split that stood: put back, even upwards.

It is the one exception to "found below what was persisted: adopt it". The tool expresses nobody's wish about this run,
it only repeats what is committed; so it is listed by name (`gitopsManagers`), and undone while store and guard are
well. The store is asked where the decision is carried out: what raises is not written without it.
"""

from controller.analysis.judge import blind_now
from controller.decision.turn import Turn
from controller.domain.slo import OnBreach
from controller.domain.state import Phase, Run
from controller.domain.traffic import RouteTable, Split

RESTORED = frozenset({Phase.PROGRESSING, Phase.AWAITING_APPROVAL, Phase.PAUSED})
"""Phases in which the stage's weight is meant to stand. Held for any cause, less is never made more."""


def before_restoring(turn: Turn) -> Split | None:
    """The split that a listed tool left behind, where it may be undone; None: it counts as anybody's change."""
    route, run = turn.route, turn.position.run
    if route is None or route.overwritten_by is None or route.table is None or run is None or not stood(turn):
        return None
    if turn.seen.guarding:  # another process may act by now: nothing is corrected upwards
        return None
    if turn.seen.break_glass is not None:  # a person sent everything home before the tool wrote
        return None
    if turn.evidence is None or blind_now(turn.evidence) or turn.seen.spec.problems or turn.seen.spec.deleted:
        return None
    if any(turn.judgement.breach(kind) is not None for kind in (OnBreach.ROLLBACK, OnBreach.HOLD)):
        return None
    return _as_split(route.table, run)


def stood(turn: Turn) -> bool:
    """Was this stage's traffic verified before, and is it meant to stand?"""
    run = turn.position.run
    return run is not None and run.stage_since is not None and turn.position.phase in RESTORED


def _as_split(table: RouteTable, run: Run) -> Split | None:
    """The table with roles, when it names nobody else."""
    cohorts, mirrors = dict(table.cohorts), dict(table.mirrors)
    weight, mirror, cohort = table.share(run.candidate), mirrors.get(run.candidate, 0), cohorts.get(run.candidate, ())
    exposed = bool(weight or mirror or cohort)
    split = Split(run.stable, run.candidate, weight, mirror, cohort) if exposed else Split(run.stable)
    return split if split.table() == table else None
