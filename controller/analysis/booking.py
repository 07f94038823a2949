"""One stream's counts of one tick: into its block, its purse, its detector and its tallies."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from controller.analysis import change, elin, judge_error, relative, streams
from controller.analysis.dispersion import Dispersion, Scatter
from controller.domain.evidence import StreamEvidence, Tally
from controller.domain.measure import Measurement
from controller.domain.rollout import Margin, ModelRollout, Slo, StageKind

NONE = Tally()
FIELDS = tuple(field.name for field in fields(StreamEvidence))
MOST_STARTED = 10
"""Bets a detector starts for one measurement, however long the gap before it: a clock that jumps is no evidence."""


@dataclass(frozen=True, slots=True)
class Booking:
    """How this tick's counts of one SLO are booked. `weight`: the candidate's percent of the traffic.

    `frozen`: the judge's alarm rang on stable too, so that the candidate's own rate says nothing.
    """

    slo: Slo
    rollout: ModelRollout
    stage: StageKind | None
    verified: bool
    weight: int
    frozen: bool

    def book(self, stream: StreamEvidence, arm: Measurement | None, beside: Measurement | None) -> StreamEvidence:
        """All that changes in one copy: this runs for every stream of every rollout at every tick."""
        changes: dict[str, Any] = {}
        seen = beside is not None and beside.blind is None
        if beside is not None and seen:
            changes["stable"] = _plus(stream.stable, beside)
        if arm is not None and arm.blind is None and self.stage is not None and arm.ticks > 0:
            stable = Tally(beside.bad, beside.total) if beside is not None and seen else NONE
            changes |= self._bet(stream, arm, stable)
            changes |= {name: _plus(getattr(stream, name), arm) for name in self._tallies()}
        return _changed(stream, changes) if changes else stream

    def _bet(self, stream: StreamEvidence, arm: Measurement, stable: Tally) -> dict[str, Any]:
        if stream.against == "stable":
            return self._relative(stream, arm, stable)
        gathered = Tally(stream.block.bad + arm.bad, stream.block.total + arm.total)
        ticks = stream.block_ticks + arm.ticks
        if ticks < self._block_ticks():
            return {"block": gathered, "block_ticks": ticks}
        return {**self._absolute(stream, gathered, ticks), "block": NONE, "block_ticks": 0}

    def _block_ticks(self) -> int:
        block = self.rollout.block
        return max(1, round(block / self.rollout.interval)) if block else 1

    def _absolute(self, stream: StreamEvidence, counts: Tally, ticks: int) -> dict[str, Any]:
        """k > n is carried to the next block: a verdict counted before its total is late, not lost."""
        due = stream.surplus + counts.bad
        bad = min(due, counts.total)
        surplus = due - bad
        total = counts.total
        if self.frozen:
            bad, total = 0.0, 0.0
        purse = elin.Purse(stream.log_s, stream.reserve, stream.ticks)
        start = 1.0 if self.rollout.semantics == "average" else elin.START
        purse = elin.advance(purse, bad, total, stream.p0, self.rollout.horizon, ticks, start)
        started = min(ticks, MOST_STARTED)
        detector = change.advance(change.Detector(stream.change), bad, total, stream.p0, started)
        return {
            "log_s": purse.log_s,
            "reserve": purse.reserve,
            "ticks": purse.ticks,
            "surplus": surplus,
            "peak": max(stream.peak, elin.log_e(purse)),
            "change": detector.log_m,
        }

    def _relative(self, stream: StreamEvidence, arm: Measurement, stable: Tally) -> dict[str, Any]:
        """Only where both answer samples of the same requests."""
        if self.stage not in (StageKind.SHADOW, StageKind.CANARY):
            return {}
        state = relative.advance(
            relative_of(stream),
            Tally(arm.bad, arm.total),
            stable,
            margin_of(self.slo),
            self.rollout.horizon,
            arm.ticks,
            self.weight,
            relative.cluster(self.weight / 100),
        )
        return {
            "log_s": state.purse.log_s,
            "reserve": state.purse.reserve,
            "ticks": state.purse.ticks,
            "memory": state.stable,
            "block": state.block.candidate,
            "block_stable": state.block.stable,
            "block_ticks": state.block.ticks,
            "block_weight": None if state.block.weight is None else int(state.block.weight),
            "peak": max(stream.peak, relative.log_e(state)),
        }

    def _tallies(self) -> Iterator[str]:
        """Names of the tallies that this tick's counts of the candidate belong to."""
        yield "all"
        yield "cohort" if self.stage is StageKind.COHORT else "proof"
        if self.stage is not StageKind.SHADOW:
            yield "live"
        if self.verified:
            yield "stage"


def relative_of(stream: StreamEvidence) -> relative.Relative:
    """The engine's state as stored in a stream."""
    block = relative.Block(stream.block, stream.block_stable, stream.block_ticks, stream.block_weight)
    purse = elin.Purse(stream.log_s, stream.reserve, stream.ticks)
    return relative.Relative(stream.prior, stream.memory, purse, block)


def margin_of(slo: Slo) -> Margin:
    """The margin in the judge's own counts."""
    return judge_error.margin(slo.versus_stable or Margin(), streams.error_of(slo))


def packed(state: Dispersion) -> tuple[float, ...]:
    """Dispersion as it is stored."""
    halves = (state.now, state.before)
    return tuple(float(value) for half in halves for value in (half.ticks, half.bad, half.total, half.squares))


def unpacked(stored: tuple[float, ...]) -> Dispersion:
    """The stored numbers as a state."""
    now, before = stored[:4], stored[4:]
    return Dispersion(Scatter(int(now[0]), *now[1:]), Scatter(int(before[0]), *before[1:]))


def _changed(stream: StreamEvidence, changes: dict[str, Any]) -> StreamEvidence:
    """`dataclasses.replace` in half of its time: at scale it is what a tick spends most of its time on."""
    new = object.__new__(StreamEvidence)
    put = object.__setattr__
    for name in FIELDS:
        put(new, name, changes[name] if name in changes else getattr(stream, name))
    return new


def _plus(tally: Tally, measured: Measurement) -> Tally:
    return Tally(tally.bad + measured.bad, tally.total + measured.total, tally.errors + measured.errors)
