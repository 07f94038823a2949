"""Bugs we know how to make. Each is one edit of one function; a law that does not see it is not worth its time."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from controller.analysis import booking, elin, ledger, ledgers
from controller.analysis import judge as judging
from controller.analysis import sight as seeing
from controller.analysis import streams as shares
from controller.decision import (
    advance,
    asked,
    clock,
    edits,
    guard,
    guarding,
    overwritten,
    share,
    sight,
    stable,
    tick,
    traffic,
)
from tests.analysis import test_engine_laws as engine
from tests.laws import test_evidence_and_people_laws as more
from tests.laws import test_gitops_laws as gitops
from tests.laws import test_guarding_laws as unheld
from tests.laws import test_journey_laws as laws

HOME = "return turn.route_to(Split(turn.run.stable)).tell(Reason.ROLLBACK_STARTED"
GOOD = laws.test_a_good_candidate_stands_on_every_stage_in_order_and_is_promoted
HARMFUL = laws.test_a_candidate_that_turns_harmful_ends_at_zero_from_every_stage
GUARDED = laws.test_the_guard_is_on_in_every_phase
BLIND = laws.test_a_blind_run_stands_still_withdraws_and_comes_back
BY_HAND = laws.test_whatever_a_hand_writes_the_candidate_ends_within_its_stage
NO_DATA = laws.test_without_judged_answers_nothing_is_promoted
ZERO = laws.test_a_rollback_ends_at_zero_and_not_before
PAUSE = laws.test_a_pause_survives_a_broken_spec
HOLD = laws.test_a_hold_survives_a_broken_spec
HOLD_CLASS = more.test_a_hold_class_breach_holds_and_never_rolls_back
ALL_WELL = gitops.test_a_gitops_tool_is_undone_only_while_all_is_well
SHARE = more.test_a_share_that_is_not_what_was_set_is_stopped


@dataclass(frozen=True, slots=True)
class Bug:
    """`old` becomes `new` in the source of `where`; `law` is what must then fail."""

    name: str
    where: Any
    old: str
    new: str
    law: Callable[..., None]

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """The function with the bug, wherever it is referred to, until the block ends."""
        whole: FunctionType = self.where
        good = whole.__code__
        whole.__code__ = self._bad()
        try:
            yield
        finally:
            whole.__code__ = good

    def _bad(self) -> Any:
        source = textwrap.dedent(inspect.getsource(self.where))
        assert source.count(self.old) == 1, f"{self.name}: `{self.old}` is not (once) in {self.where.__qualname__}"
        space = dict(self.where.__globals__)
        exec(compile(source.replace(self.old, self.new), f"<bug: {self.name}>", "exec"), space)
        found = space[self.where.__name__]
        return found.__code__


BUGS: tuple[Bug, ...] = (
    Bug(
        "a breach is not acted on",
        guard.guard,
        "if worst is not None and turn.position.phase is not Phase.ROLLING_BACK",
        "if False",
        HARMFUL,
    ),
    Bug(
        "the guard sleeps in a pause",
        guard.guard,
        "is not Phase.ROLLING_BACK",
        "not in (Phase.ROLLING_BACK, Phase.PAUSED)",
        GUARDED,
    ),
    Bug(
        "the guard sleeps in a stall",
        guard.guard,
        "is not Phase.ROLLING_BACK",
        "not in (Phase.ROLLING_BACK, Phase.STALLED)",
        GUARDED,
    ),
    Bug(
        "the guard sleeps in a hold",
        guard.guard,
        "is not Phase.ROLLING_BACK",
        "not in (Phase.ROLLING_BACK, Phase.HELD)",
        GUARDED,
    ),
    Bug(
        "the hold ledger rolls back",
        guard.guard,
        "turn.judgement.breach(OnBreach.ROLLBACK)",
        "(turn.judgement.breach(OnBreach.ROLLBACK) or turn.judgement.breach(OnBreach.HOLD))",
        HOLD_CLASS,
    ),
    Bug(
        "a rollback keeps the candidate's split",
        guard.roll_back,
        HOME,
        "return turn.tell(Reason.ROLLBACK_STARTED",
        HARMFUL,
    ),
    Bug(
        "a rollback forgets the mirror",
        guard.roll_back,
        HOME,
        "return turn.route_to(replace(turn.position.split(), weight=0, cohort=())).tell(Reason.ROLLBACK_STARTED",
        HARMFUL,
    ),
    Bug("the rollback is over unverified", guard.finish_rollback, "or mark.verified_at is None", "", ZERO),
    Bug(
        "what breached is tried again",
        guard._rejected,
        "return (*rejected, digest) if breached and digest not in rejected else rejected",
        "return rejected",
        HARMFUL,
    ),
    Bug(
        "a breach on the way out is forgotten",
        guard._rejected,
        "or turn.judgement.breach(OnBreach.ROLLBACK) is not None",
        "",
        more.test_a_breach_while_leaving_is_remembered,
    ),
    Bug("minDuration is ignored", advance._missing, "if left > timedelta():", "if False:", GOOD),
    Bug("minSamples is ignored", advance._stream_missing, "and s.stage_total < needed", "and False", NO_DATA),
    Bug(
        "no data advances",
        advance._stream_missing,
        "needed = max(1, stage.min_samples)",
        "needed = stage.min_samples",
        NO_DATA,
    ),
    Bug("proof is not asked for", advance._stream_missing, "and not s.proven", "and False", more.test_proof_is_proof),
    Bug("blind counts as pass", judging.blind_now, "if slo.blind is not None", "if False", BLIND),
    Bug("promoted one stage early", advance.complete, "turn.run.stage + 1 <", "turn.run.stage + 2 <", GOOD),
    Bug(
        "a stage is skipped",
        advance.complete,
        "enter_stage(turn, turn.run.stage + 1)",
        "enter_stage(turn, min(turn.run.stage + 2, len(turn.run.spec.stages) - 1))",
        GOOD,
    ),
    Bug(
        "an unverified stage counts",
        advance.advance,
        "if mark is None or mark.verified_at is None:",
        "if mark is None:",
        GOOD,
    ),
    Bug("a stage ends between two measurements", advance.advance, "if not turn.seen.measured:", "if False:", GOOD),
    Bug(
        "one person approves twice",
        asked._approve,
        "if request.actor in turn.run.approved_by:",
        "if False:",
        more.test_people_stop_and_start_it,
    ),
    Bug(
        "abort is not heard in a hold",
        asked._abort,
        "if turn.position.phase not in RUNNING",
        "if turn.position.phase not in RUNNING or turn.position.phase is Phase.HELD",
        more.test_an_abort_is_heard_in_every_hold,
    ),
    Bug(
        "abort of a finished run",
        asked._abort,
        "or not turn.position.under_way",
        "",
        more.test_a_finished_run_cannot_be_aborted,
    ),
    Bug(
        "resume forgets the breach",
        asked._resume_breach,
        "evidence = streams.restart(turn.evidence, spec, names) if turn.evidence else None",
        "evidence = streams.fresh(spec, turn.run.digest)",
        HOLD_CLASS,
    ),
    Bug("drift correction raises", traffic.to_write, "if not raises(mark.split, route.table):", "if True:", HOLD),
    Bug(
        "a lowered split is not adopted",
        traffic._adopt_lower,
        "lower = lower if lower.exposes() else Split(run.stable)",
        "return turn",
        BY_HAND,
    ),
    Bug(
        "more here and less there is left alone",
        traffic.correct_drift,
        "if raises(mark.split, route.table):",
        "if False:",
        BY_HAND,
    ),
    Bug(
        "a GitOps tool is taken for a person",
        overwritten.before_restoring,
        "route.overwritten_by is None",
        "True",
        gitops.test_what_a_gitops_tool_writes_over_a_stage_is_undone,
    ),
    Bug(
        "a GitOps tool is undone while blind",
        overwritten.before_restoring,
        "or blind_now(turn.evidence)",
        "",
        gitops.test_a_blind_guard_lets_a_gitops_tool_lower,
    ),
    Bug(
        "a person is taken for a GitOps tool",
        overwritten.before_restoring,
        "or route.overwritten_by is None",
        "",
        BY_HAND,
    ),
    Bug(
        "a GitOps tool is undone over a limit",
        overwritten.before_restoring,
        "if any(",
        "if False and any(",
        gitops.test_what_is_over_a_limit_may_be_lowered_by_a_gitops_tool,
    ),
    Bug(
        "a GitOps tool is undone after the glass was broken",
        overwritten.before_restoring,
        "if turn.seen.break_glass is not None:",
        "if False:",
        gitops.test_who_broke_the_glass_is_heard_though_a_gitops_tool_wrote_since,
    ),
    Bug(
        "a GitOps tool is undone in a hold",
        overwritten.stood,
        "turn.position.phase in RESTORED",
        "True",
        gitops.test_a_held_stage_is_not_put_back,
    ),
    Bug(
        "a GitOps tool is undone before the stage stood",
        overwritten.stood,
        "run.stage_since is not None and",
        "",
        gitops.test_a_stage_that_never_stood_is_not_put_back,
    ),
    Bug(
        "what undoes a GitOps tool is written whatever came since",
        traffic.to_write,
        "before_restoring(turn) is not None if stood(turn)",
        "True if stood(turn)",
        ALL_WELL,
    ),
    Bug(
        "a person who repeats a GitOps tool is not heard",
        traffic._on_its_way,
        "return route.overwritten_by is not None or",
        "return True or",
        ALL_WELL,
    ),
    Bug("zero without a quiet second", traffic._proved, "turn.now - mark.quiet_since >= QUIET", "True", ZERO),
    Bug("a wrong share is not seen", share.share_rejected, "> LOG_REJECT", "> 1e9", SHARE),
    Bug("a wrong share is told again and again", traffic.check_share, "if not mark.overdue:", "if True:", SHARE),
    Bug("blind is never withdrawn", sight._too_long, "if blind_for < policy.after or", "if True or", BLIND),
    Bug("shadow is withdrawn too", sight._too_long, "turn.run.current.kind is StageKind.SHADOW", "False", BLIND),
    Bug("back while the candidate cannot be seen", seeing._hopeless, "if not scope.withdrawn:", "if True:", BLIND),
    Bug(
        "silence is not blind",
        seeing._silence,
        "if age is None or age <= slo.judge.max_age:",
        "if True:",
        laws.test_after_a_clock_jump_blind_is_still_blind,
    ),
    Bug(
        "a clock set back blinds the guard",
        clock._clamped,
        "return replace(value, **cast(dict[str, Any], late)) if late else value",
        "return value",
        laws.test_a_clock_set_back_costs_no_more_than_the_wait_itself,
    ),
    Bug(
        "downtime is soak",
        clock.taken_up,
        "replace(run, stage_since=as_long_ago(run.stage_since))",
        "run",
        laws.test_time_in_which_nobody_looked_is_no_soak,
    ),
    Bug(
        "downtime ends the watch after a promotion",
        clock.taken_up,
        "promoted_at=as_long_ago(position.promoted_at)",
        "promoted_at=position.promoted_at",
        laws.test_time_in_which_nobody_looked_ends_no_watch_after_a_promotion,
    ),
    Bug(
        "lost evidence is new evidence",
        tick._evidence,
        "streams.lost(run.spec, run.digest)",
        "streams.fresh(run.spec, run.digest)",
        laws.test_lost_evidence_never_advances_and_costs_half,
    ),
    Bug(
        "a used-up mirror is blind",
        tick.scope,
        "withdrawn=run.withdrawn or unused",
        "withdrawn=run.withdrawn",
        more.test_a_used_up_mirror_is_not_blind,
    ),
    Bug(
        "a broken spec ends a hold",
        edits._unstall,
        "back = Phase.HELD if turn.position.held is not None else back",
        "",
        HOLD,
    ),
    Bug(
        "a broken spec ends a pause",
        stable.stalled,
        "resume_phase=turn.position.phase",
        "resume_phase=turn.position.resume_phase or turn.position.phase",
        PAUSE,
    ),
    Bug(
        "evidence is reset at each stage",
        shares._stageless,
        "replace(stream, stage=blank)",
        "StreamEvidence(stream.scenario, stream.weight, stream.p0, stream.budget)",
        more.test_evidence_gathers_over_many_short_stages,
    ),
    Bug(
        "a restart has the whole budget",
        shares.restart,
        "budget_left(known) / 2",
        "1.0",
        engine.test_every_restart_halves_the_budget,
    ),
    Bug(
        "new scenarios re-normalise",
        shares.discover,
        "if all(stream.ticks == 0 for stream in known.streams):",
        "if True:",
        engine.test_new_scenarios_are_paid_from_the_reserve,
    ),
    Bug(
        "a new SLO gets weight that nobody gave",
        shares._within,
        "if whole <= most or whole <= 0:",
        "if True:",
        engine.test_weights_never_exceed_one_however_often_the_spec_is_edited,
    ),
    Bug(
        "k > n is clipped",
        booking.Booking._absolute,
        "surplus = due - bad",
        "surplus = 0.0",
        engine.test_a_verdict_counted_before_its_total_is_late_not_lost,
    ),
    Bug(
        "the stake is chosen after reading k",
        elin.advance,
        "stake, log_stake = staked(purse.reserve, purse.ticks, horizon, ticks, start)",
        "stake = purse.reserve if bad > total * p0 else 0.0; log_stake = math.log(stake) if stake > 0 else NO_MONEY",
        lambda: engine.test_fair_by_exact_enumeration(0.05, 1.0, 3),
    ),
    Bug(
        "observe writes the route",
        traffic.to_write,
        "if mark is None or turn.observing:",
        "if mark is None:",
        more.test_observe_tells_the_same_and_writes_nothing,
    ),
    Bug("a paused run skips its loading", asked._resume_paused, "if loading(turn.position):", "if False:", PAUSE),
    Bug(
        "any evidence is a breach",
        ledger.read,
        "total >= log_limit",
        "total >= 0.0",
        engine.test_a_ledger_is_breached_at_its_limit_and_no_bound_hides_it,
    ),
    Bug(
        "a bound hides a breach",
        ledgers.surely_calm,
        "evidence < CLEARLY / budget",
        "True",
        engine.test_a_ledger_is_breached_at_its_limit_and_no_bound_hides_it,
    ),
    Bug(
        "the surest verdict is blind to a breach",
        ledgers.ledgers_of,
        "if entries:",
        "if entries and not any(known.blind for _, known in pairs):",
        more.test_a_breach_stays_visible_when_sight_is_lost,
    ),
    Bug(
        "a stage is left without the lease",
        guarding.standstill,
        "else turn.seen.guarding",
        'else ""',
        unheld.test_a_good_candidate_stands_still_and_goes_on_when_it_is_held_again,
    ),
    Bug(
        "the guard sleeps without the lease",
        guard.guard,
        "if worst is not None and turn.position.phase",
        "if worst is not None and not turn.seen.guarding and turn.position.phase",
        unheld.test_a_harmful_candidate_ends_at_zero,
    ),
    Bug(
        "a raise is completed without the lease",
        traffic.to_write,
        "if not may_write(turn, mark):",
        "if False:",
        unheld.test_a_raise_that_was_decided_before_waits,
    ),
    Bug(
        "what another process did is undone",
        guarding.may_be_anothers,
        "unasked and mark.verified_at is not None",
        "False",
        unheld.test_without_the_database_what_another_did_is_not_undone,
    ),
)
