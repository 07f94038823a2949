"""One stream's counts of one tick: into its block, its purse, its detector and its tallies."""

import math
from dataclasses import dataclass

from controller.analysis import change, elin, judge_error, relative, streams
from controller.analysis.dispersion import Dispersion, a_dispersion, a_scatter
from controller.analysis.swift import changer, maker
from controller.domain.evidence import StreamEvidence, Tally
from controller.domain.measure import Measurement
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.slo import Margin, Slo

NONE = Tally()
MOST_STARTED = 10
"""Bets a detector starts for one measurement, however long the gap before it: a clock that jumps is no evidence."""

a_tally = maker(Tally)
_with_tallies = changer(StreamEvidence, "all", "proof", "cohort", "live", "stage", "stable")
_with_stable = changer(StreamEvidence, "stable")
_with_block = changer(StreamEvidence, "block", "block_ticks")
_with_tick = changer(
    StreamEvidence,
    "log_s", "reserve", "ticks", "surplus", "peak", "change", "block", "block_ticks",
    "all", "proof", "cohort", "live", "stage", "stable",
)  # fmt: skip
Tallies = tuple[Tally, Tally, Tally, Tally, Tally]
_with_comparison = changer(
    StreamEvidence,
    "log_s", "reserve", "ticks", "memory", "block", "block_stable", "block_ticks", "block_weight", "peak",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Booking:
    """How this tick's counts of one SLO are booked. `weight`: the candidate's percent of the traffic.

    `frozen`: the judge's alarm rang on stable too, so that the candidate's own rate says nothing. `block_ticks` are
    judged together; `start` is the part of the money staked at once.
    """

    slo: Slo
    rollout: ModelRollout
    stage: StageKind | None
    verified: bool
    weight: int
    frozen: bool
    block_ticks: int
    start: float

    def book(self, stream: StreamEvidence, arm: Measurement | None, beside: Measurement | None) -> StreamEvidence:
        """The stream with this tick's counts of the candidate (`arm`) and of stable (`beside`)."""
        told = beside if beside is not None and beside.blind is None else None
        beside_now = plus(stream.stable, told) if told is not None else stream.stable
        if arm is None or arm.blind is not None or self.stage is None or arm.ticks <= 0:
            return _with_stable(stream, beside_now) if told is not None else stream
        if stream.against == "stable":
            stable = a_tally(told.bad, told.total) if told is not None else NONE
            return self._tallied(self._relative(stream, arm, stable), arm, beside_now)
        ticks = stream.block_ticks + arm.ticks
        if ticks < self.block_ticks:
            return self._tallied(_with_block(stream, _waiting(stream, arm), ticks), arm, beside_now)
        return self._absolute(stream, arm, ticks, beside_now)

    def _absolute(self, stream: StreamEvidence, arm: Measurement, ticks: int, stable: Tally) -> StreamEvidence:
        """k > n is carried to the next block: a verdict counted before its total is late, not lost.

        `elin.advance` and `change.moved` in one, with one copy of the stream: most of a tick is here.
        """
        waiting = stream.block
        total = waiting.total + arm.total
        due = stream.surplus + (waiting.bad + arm.bad)
        bad = due if due < total else total
        surplus = due - bad
        if self.frozen:
            bad, total = 0.0, 0.0
        grow = elin.factors(bad, total, stream.p0)
        stake, log_stake = elin.staked(stream.reserve, stream.ticks, self.rollout.horizon, ticks, self.start)
        log_s, reserve = elin.grown(stream.log_s, log_stake, grow), stream.reserve - stake
        detector = elin.grown(stream.change, change.started(min(ticks, MOST_STARTED)), grow)
        peak = _peak(stream.peak, log_s, reserve)
        whole, proof, cohort, live, stage = self._tallies(stream, arm)
        return _with_tick(
            stream, log_s, reserve, stream.ticks + ticks, surplus, peak, detector, NONE, 0,
            whole, proof, cohort, live, stage, stable,
        )  # fmt: skip

    def _relative(self, stream: StreamEvidence, arm: Measurement, stable: Tally) -> StreamEvidence:
        """Only where both answer samples of the same requests."""
        if self.stage not in (StageKind.SHADOW, StageKind.CANARY):
            return stream
        state = relative.advance(
            relative_of(stream),
            a_tally(arm.bad, arm.total),
            stable,
            margin_of(self.slo),
            self.rollout.horizon,
            arm.ticks,
            self.weight,
            relative.cluster(self.weight / 100),
        )
        purse, block = state.purse, state.block
        weight = None if block.weight is None else int(block.weight)
        peak = max(stream.peak, relative.log_e(state))
        return _with_comparison(
            stream, purse.log_s, purse.reserve, purse.ticks, state.stable,
            block.candidate, block.stable, block.ticks, weight, peak,
        )  # fmt: skip

    def _tallied(self, stream: StreamEvidence, arm: Measurement, stable: Tally) -> StreamEvidence:
        """The candidate's counts in every tally that they belong to, and the tally of stable beside them."""
        if not (arm.bad or arm.total or arm.errors):
            return stream if stable is stream.stable else _with_stable(stream, stable)
        return _with_tallies(stream, *self._tallies(stream, arm), stable)

    def _tallies(self, stream: StreamEvidence, arm: Measurement) -> Tallies:
        """All, proof, cohort, live and stage."""
        before = stream.all
        whole = plus(before, arm)
        proof, cohort, live, stage = stream.proof, stream.cohort, stream.live, stream.stage
        if whole is before:
            return before, proof, cohort, live, stage
        # A tally that was the same as all of the stream stays so: most of them are, and one sum serves them all.
        if self.stage is StageKind.COHORT:
            cohort = whole if cohort is before else plus(cohort, arm)
        else:
            proof = whole if proof is before else plus(proof, arm)
        if self.stage is not StageKind.SHADOW:
            live = whole if live is before else plus(live, arm)
        if self.verified:
            stage = whole if stage is before else plus(stage, arm)
        return whole, proof, cohort, live, stage


def _waiting(stream: StreamEvidence, arm: Measurement) -> Tally:
    """What waits until its block is full."""
    return a_tally(stream.block.bad + arm.bad, stream.block.total + arm.total)


def booking(
    slo: Slo, rollout: ModelRollout, stage: StageKind | None, verified: bool, weight: int, frozen: bool
) -> Booking:
    """How this tick's counts of `slo` are booked."""
    block = max(1, round(rollout.block / rollout.interval)) if rollout.block else 1
    start = 1.0 if rollout.semantics == "average" else elin.START
    return Booking(slo, rollout, stage, verified, weight, frozen, block, start)


def _peak(before: float, log_s: tuple[float, ...], reserve: float) -> float:
    """The greatest log E so far. Where a bound tells that this is no new one, its logarithm is not taken."""
    if before < elin.MOST and elin.worth_at_most(log_s, reserve) < elin.SURELY * math.exp(before):
        return before
    return max(before, elin.log_worth(log_s, reserve))


def relative_of(stream: StreamEvidence) -> relative.Relative:
    """The engine's state as stored in a stream."""
    block = relative.a_block(stream.block, stream.block_stable, stream.block_ticks, stream.block_weight)
    purse = elin.a_purse(stream.log_s, stream.reserve, stream.ticks)
    return relative.a_relative(stream.prior, stream.memory, purse, block)


def margin_of(slo: Slo) -> Margin:
    """The margin in the judge's own counts."""
    return judge_error.margin(slo.versus_stable or Margin(), streams.error_of(slo))


def scattered(stored: tuple[float, ...], bad: float, total: float, window: int) -> tuple[float, ...]:
    """`dispersion.advance` on the numbers as they are stored."""
    if total <= 0:
        return stored
    if stored[0] >= max(1, window // 2):
        return 1.0, bad, total, bad * bad / total, *stored[:4]
    ticks, all_bad, whole, squares = stored[:4]
    return ticks + 1, all_bad + bad, whole + total, squares + bad * bad / total, *stored[4:]


def unpacked(stored: tuple[float, ...]) -> Dispersion:
    """The stored numbers as a state."""
    ticks, bad, total, squares, old_ticks, old_bad, old_total, old_squares = stored
    return a_dispersion(
        a_scatter(int(ticks), bad, total, squares), a_scatter(int(old_ticks), old_bad, old_total, old_squares)
    )


def plus(tally: Tally, measured: Measurement) -> Tally:
    """The tally and what was measured; the same one when that is nothing."""
    bad, total, errors = measured.bad, measured.total, measured.errors
    return a_tally(tally.bad + bad, tally.total + total, tally.errors + errors) if bad or total or errors else tally
