"""Position, evidence, verdicts, observation -> decision. Guard first, then people, spec, traffic, and only then up."""

from collections.abc import Mapping
from datetime import timedelta

from controller.decision.advance import advance, await_approval
from controller.decision.aftercare import watch_over
from controller.decision.asked import answer
from controller.decision.begin import prepare, rest
from controller.decision.edits import follow_spec
from controller.decision.findings import watch_findings
from controller.decision.guard import finish_rollback, guard
from controller.decision.sight import watch_sight
from controller.decision.spare import spared
from controller.decision.traffic import check_share, correct_drift, count_exposure, limit_mirror, to_write, verify
from controller.decision.turn import Rule, Turn
from controller.domain.decision import Decision
from controller.domain.state import Phase

SOON = timedelta(milliseconds=250)
"""When to look again while a split is on its way."""
LATER = timedelta(seconds=2)
"""The same, after the alarm for an unverified split was given: it keeps trying, without a busy loop."""

GUARDED: tuple[Rule, ...] = (count_exposure, guard, watch_findings, answer, follow_spec, correct_drift, verify)

RULES: Mapping[Phase, tuple[Rule, ...]] = {
    Phase.IDLE: (answer, verify, rest),
    Phase.PENDING: (count_exposure, answer, follow_spec, verify, prepare),
    Phase.PROGRESSING: (*GUARDED, check_share, limit_mirror, watch_sight, advance),
    Phase.HELD: (*GUARDED, check_share, watch_sight),
    Phase.PAUSED: (*GUARDED, check_share, watch_sight),
    Phase.AWAITING_APPROVAL: (*GUARDED, check_share, watch_sight, await_approval),
    Phase.ROLLING_BACK: (count_exposure, answer, verify, finish_rollback),
    Phase.ROLLED_BACK: (count_exposure, answer, verify, rest),
    Phase.COMPLETED: (count_exposure, watch_over, answer, verify, rest),
    Phase.STALLED: (answer, verify, rest),
}
STALLED_IN_RUN: tuple[Rule, ...] = (*GUARDED, check_share, watch_sight)


def decide(turn: Turn) -> Decision:
    """Apply the rules of the phase in order; a rule that changes the phase ends the tick's chain."""
    before, phase = turn.position, turn.position.phase
    stalled_in_run = phase is Phase.STALLED and turn.position.under_way
    for rule in STALLED_IN_RUN if stalled_in_run else RULES[phase]:
        turn = rule(turn)
        if turn.position.phase is not phase:
            break
    turn = spared(before, turn)
    wanted = to_write(turn)
    return Decision(
        turn.position,
        turn.evidence,
        turn.judgement,
        wanted,
        turn.notices,
        turn.settled,
        _revisit(turn, phase),
        turn.unsaid,
    )


def _revisit(turn: Turn, before: Phase) -> timedelta:
    mark, position = turn.position.traffic, turn.position
    if position.phase is not before or turn.seen.rebuilding:
        return SOON
    if mark is not None and mark.verified_at is None:
        return LATER if mark.overdue else SOON
    if position.phase is Phase.PENDING:
        return LATER
    run = position.run
    return run.spec.interval if run and position.guarded else timedelta(seconds=60)
