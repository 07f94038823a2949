"""What the evidence says at one tick, for people and for `decide`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from controller.domain.evidence import Against
from controller.domain.measure import Blindness
from controller.domain.names import SloName
from controller.domain.rollout import OnBreach


class Verdict(StrEnum):
    """`inconclusive`: not enough evidence yet; `blind`: cannot measure. Neither ever promotes."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    BREACH = "breach"
    INCONCLUSIVE = "inconclusive"
    BLIND = "blind"


class Ends(Protocol):
    """Between which rates the truth lies. It takes long to work out and decides nothing, so it waits for a reader."""

    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Between:
    """Two rates that are known."""

    lower: float = 0.0
    upper: float = 1.0


EVERYWHERE = Between()


@dataclass(frozen=True, slots=True)
class StreamVerdict:
    """One stream: counts, rate with its confidence sequence [lower, upper], e-value (natural log) and verdict.

    `log_proof` is E-PROM; `proof_needed` what-if: judged answers still needed for proof if the true rate is half the
    objective. `stage_total` counts judged answers since this stage was verified. A `threshold` has a `value`.
    """

    slo: SloName
    scenario: str | None
    verdict: Verdict
    on_breach: OnBreach
    objective: float | None
    bad: float = 0.0
    total: float = 0.0
    rate: float | None = None
    between: Ends = EVERYWHERE
    log_e: float = 0.0
    log_proof: float = 0.0
    proven: bool = False
    proof_needed: float = 0.0
    guilty: bool = False
    stage_total: float = 0.0
    stable_bad: float = 0.0
    stable_total: float = 0.0
    value: float | None = None
    stable_value: float | None = None
    strikes: int = 0
    blind: Blindness | None = None
    against: Against = "objective"

    @property
    def lower(self) -> float:
        """The lower end of the confidence sequence (0..1)."""
        return self.between.lower

    @property
    def upper(self) -> float:
        """The upper end of the confidence sequence (0..1)."""
        return self.between.upper


LedgerKind = Literal["evidence", "change"]


@dataclass(frozen=True, slots=True)
class LedgerVerdict:
    """All streams that lead to one action, merged: breached when `log_e` reaches `log_limit`.

    `evidence`: log E against log(1 / budget); `change`: log M of the detectors against their threshold.
    """

    action: OnBreach
    log_e: float
    log_limit: float
    breached: bool
    guilty: tuple[SloName, str | None, Against] | None = None
    kind: LedgerKind = "evidence"


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts of one tick. `worst` is the guilty or largest stream of a breached action, None without a breach."""

    streams: tuple[StreamVerdict, ...] = ()
    ledgers: tuple[LedgerVerdict, ...] = ()

    def breach(self, action: OnBreach) -> StreamVerdict | None:
        """The stream to name when `action` must be taken now: from its ledger or a `threshold`; None otherwise."""
        ledger = next((one for one in self.ledgers if one.action is action and one.breached), None)
        if ledger is not None and ledger.guilty is not None:
            return self.find(*ledger.guilty)
        values = (s for s in self.streams if s.value is not None and s.verdict is Verdict.BREACH)
        return next((s for s in values if s.on_breach is action), None)

    def find(self, slo: SloName, scenario: str | None = None, against: Against = "objective") -> StreamVerdict | None:
        """The verdict of one stream, or None."""
        same = (s for s in self.streams if s.slo == slo and s.scenario == scenario)
        return next((s for s in same if s.against == against), None)

    def blind(self) -> tuple[StreamVerdict, ...]:
        """Streams that cannot be measured now."""
        return tuple(s for s in self.streams if s.verdict is Verdict.BLIND)
