"""What the evidence says at one tick, for people and for `decide`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeVar, overload

from controller.domain.evidence import Against
from controller.domain.measure import Blindness
from controller.domain.names import SloName
from controller.domain.slo import OnBreach


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


class Proof(Protocol):
    """How sure it is that the rate is low enough. Worked out for its readers, as `Ends` are."""

    @property
    def log_e(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the answers that are old enough to be judged are judged. `age`: older than so many seconds.

    `missing` of them have no result of the judge at all. `known` is False when they cannot be counted now.
    """

    eligible: float
    judged: float
    missing: float
    age: float
    enough: bool
    known: bool = True


@dataclass(frozen=True, slots=True)
class StreamVerdict:
    """One stream: counts, rate with its confidence sequence [lower, upper], e-value (natural log) and verdict.

    `log_proof` is E-PROM; `proof_needed` what-if: judged answers still needed for proof if the true rate is half the
    objective. `stage_total` counts judged answers since this stage was verified. A `threshold` has a `value`.
    `coverage`: where eligible answers are counted, whether the judge has kept up with them; without that no proof.
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
    proof: Proof | None = None
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
    coverage: Coverage | None = None

    @property
    def log_proof(self) -> float:
        """log E-PROM; 0 where nothing can be proven."""
        return self.proof.log_e if self.proof is not None else 0.0

    @property
    def lower(self) -> float:
        """The lower end of the confidence sequence (0..1)."""
        return self.between.lower

    @property
    def upper(self) -> float:
        """The upper end of the confidence sequence (0..1)."""
        return self.between.upper


LedgerKind = Literal["evidence", "change"]
Trait = Literal["blind", "value", "alert"]
"""What sets a verdict apart: its SLO cannot be measured, is a `threshold`, or is only told of (`onBreach: alert`)."""


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


V = TypeVar("V", StreamVerdict, LedgerVerdict)


class Later(Sequence[V]):
    """Verdicts that are worked out when they are first read: most of a history's are never looked at."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], tuple[V, ...]]) -> None:
        self._make: Callable[[], tuple[V, ...]] | None = make
        self._made: tuple[V, ...] = ()

    def all(self) -> tuple[V, ...]:
        """As a tuple."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    @overload
    def __getitem__(self, at: int) -> V: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[V, ...]: ...
    def __getitem__(self, at: int | slice) -> V | tuple[V, ...]:
        return self.all()[at]

    def __len__(self) -> int:
        return len(self.all())

    def __iter__(self) -> Iterator[V]:
        return iter(self.all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Later | tuple) and self.all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self.all())

    def __repr__(self) -> str:
        return repr(self.all())


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts of one tick.

    Where known apart, `weighed` are those of `streams` that are not detectors of change, and `breaches` the breached
    ones of `ledgers`: what decides is at hand although nothing else was worked out. `traits` are all that any verdict
    may have; None: not known, so look at each.
    """

    streams: Sequence[StreamVerdict] = ()
    ledgers: Sequence[LedgerVerdict] = ()
    weighed: Sequence[StreamVerdict] | None = field(default=None, compare=False, repr=False)
    breaches: tuple[LedgerVerdict, ...] | None = field(default=None, compare=False, repr=False)
    traits: frozenset[Trait] | None = field(default=None, compare=False, repr=False)

    @property
    def on_evidence(self) -> Sequence[StreamVerdict]:
        """All streams but the detectors of change, which neither blind nor hold back anything."""
        if self.weighed is not None:
            return self.weighed
        return tuple(s for s in self.streams if s.against != "change")

    def breach(self, action: OnBreach) -> StreamVerdict | None:
        """The stream to name when `action` must be taken now: from its ledger or a `threshold`; None otherwise."""
        breaches = self.ledgers if self.breaches is None else self.breaches
        ledger = next((one for one in breaches if one.action is action and one.breached), None)
        if ledger is not None and ledger.guilty is not None:
            return self.find(*ledger.guilty)
        values = (s for s in self._with("value") if s.value is not None and s.verdict is Verdict.BREACH)
        return next((s for s in values if s.on_breach is action), None)

    def find(self, slo: SloName, scenario: str | None = None, against: Against = "objective") -> StreamVerdict | None:
        """The verdict of one stream, or None."""
        same = (s for s in self.streams if s.slo == slo and s.scenario == scenario)
        return next((s for s in same if s.against == against), None)

    def blind(self) -> tuple[StreamVerdict, ...]:
        """Streams that cannot be measured now."""
        return tuple(s for s in self._with("blind") if s.verdict is Verdict.BLIND)

    def alerts(self) -> tuple[StreamVerdict, ...]:
        """Breached streams that are only told of."""
        told = (s for s in self._with("alert") if s.on_breach is OnBreach.ALERT)
        return tuple(s for s in told if s.verdict is Verdict.BREACH)

    def _with(self, trait: Trait) -> Sequence[StreamVerdict]:
        """Those that may have it: none of them is worked out where none can."""
        return self.on_evidence if self.traits is None or trait in self.traits else ()
