"""What a journal entry keeps beside a decision: written as compact JSON, read back as frozen values. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar

from controller.analysis.booking import margin_of
from controller.analysis.judge_error import for_promotion
from controller.analysis.streams import error_of
from controller.decision.advance import late
from controller.domain.evidence import Evidence, StreamEvidence
from controller.domain.rollout import ModelRollout, Stage
from controller.domain.slo import Slo
from controller.domain.verdict import Judgement, StreamVerdict, Verdict
from controller.runtime.parts import Part, StreamName, parts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One stream as it was judged. `share`: its part of the ledger of `action`; None: in no ledger, or not kept then.

    `p0` is the limit the bets were held to, as its judge would report it; against stable, what was allowed beside
    stable's rate. `ticks` were bet on. `proof_p0` and `log_proof_limit` belong to the proof that it is good; `late`
    says how far the judge was behind, where that kept it from being proven.
    """

    slo: str
    scenario: str | None = None
    against: str = "objective"
    verdict: str = "inconclusive"
    bad: float = 0.0
    total: float = 0.0
    lower: float = 0.0
    upper: float = 1.0
    log_e: float = 0.0
    log_proof: float = 0.0
    objective: float | None = None
    value: float | None = None
    stable_bad: float = 0.0
    stable_total: float = 0.0
    on_breach: str = "rollback"
    guilty: bool = False
    proven: bool = False
    strikes: int = 0
    stage_total: float = 0.0
    blind: str | None = None
    action: str | None = None
    share: float | None = None
    budget: float = 1.0
    p0: float | None = None
    ticks: int = 0
    proof_p0: float | None = None
    log_proof_limit: float | None = None
    late: str | None = None

    @property
    def name(self) -> str:
        """`harm` or `harm/ssh`."""
        return f"{self.slo}/{self.scenario}" if self.scenario else self.slo


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """All evidence that leads to one action, merged, and where it acts."""

    action: str
    kind: str = "evidence"
    log_e: float = 0.0
    log_limit: float = math.log(20)


@dataclass(frozen=True, slots=True)
class StageRow:
    """The stage that the run stood on when it was decided, and what it asked for."""

    name: str
    require: str = "noBreach"
    min_samples: int = 0


FIELDS = {kind: tuple(one.name for one in fields(kind)) for kind in (Row, LedgerRow, StageRow)}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that was kept."""

    streams: tuple[Row, ...] = ()
    ledgers: tuple[LedgerRow, ...] = ()
    stage: StageRow | None = None


def written(judgement: Judgement, evidence: Evidence | None, rollout: ModelRollout | None, stage: Stage | None) -> str:
    """All verdicts as compact JSON, with what is needed to explain them later."""
    known = parts(evidence, rollout) if evidence and rollout else {}
    rows = [_flat(_row(s, evidence, rollout, known)) for s in judgement.streams]
    ledgers = [_flat(LedgerRow(one.action.value, one.kind, one.log_e, one.log_limit)) for one in judgement.ledgers]
    at = {"stage": _flat(StageRow(stage.name, stage.require.value, stage.min_samples))} if stage else {}
    return json.dumps({"streams": rows, "ledgers": ledgers, **at}, separators=(",", ":"))


def _flat(row: Row | LedgerRow | StageRow) -> dict[str, object]:
    """What `dataclasses.asdict` gives for a row without rows in it, at a tenth of the time: done for every decision."""
    names = FIELDS[type(row)]
    return dict(zip(names, attrgetter(*names)(row), strict=True))


def read(text: str) -> Inputs:
    """What was written; fields that an older daemon did not keep have their defaults. Empty where nothing reads."""
    try:
        kept = json.loads(text)
    except ValueError:
        return Inputs()
    if not isinstance(kept, dict):
        return Inputs()
    streams = tuple(_made(Row, one) for one in kept.get("streams", ()))
    ledgers = tuple(_made(LedgerRow, one) for one in kept.get("ledgers", ()))
    return Inputs(streams, ledgers, _made(StageRow, kept["stage"]) if kept.get("stage") else None)


def _made(kind: type[T], kept: Mapping[str, Any]) -> T:
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # only called with the dataclasses above
    return kind(**{name: value for name, value in kept.items() if name in names})


def _row(
    s: StreamVerdict, evidence: Evidence | None, rollout: ModelRollout | None, known: Mapping[StreamName, Part]
) -> Row:
    slo = next((one for one in rollout.slos if one.name == s.slo), None) if rollout else None
    part = known.get((s.slo, s.scenario, s.against))
    stream = _stream(s, evidence)
    return Row(
        s.slo,
        s.scenario,
        s.against,
        s.verdict.value,
        s.bad,
        s.total,
        s.lower,
        s.upper,
        s.log_e,
        s.log_proof,
        s.objective,
        s.value,
        s.stable_bad,
        s.stable_total,
        s.on_breach.value,
        s.guilty,
        s.proven,
        s.strikes,
        s.stage_total,
        s.blind.detail if s.verdict is Verdict.BLIND and s.blind else None,
        part.action.value if part else None,
        part.share if part else None,
        stream.budget if stream else 1.0,
        _limit(s, slo, stream),
        stream.ticks if stream else 0,
        for_promotion(slo.max_bad, error_of(slo)) if slo and slo.max_bad is not None else None,
        math.log(1 / slo.max_false_promotion) if slo and slo.max_bad is not None else None,
        late(s.coverage) if s.coverage is not None and not s.coverage.enough else None,
    )


def _stream(s: StreamVerdict, evidence: Evidence | None) -> StreamEvidence | None:
    """The stream behind a verdict; a detector of change sits on the one against the objective."""
    slo = evidence.of(s.slo) if evidence else None
    against = "objective" if s.against == "change" else s.against
    streams = slo.streams if slo else ()
    return next((one for one in streams if one.scenario == s.scenario and one.against == against), None)


def _limit(s: StreamVerdict, slo: Slo | None, stream: StreamEvidence | None) -> float | None:
    if s.against == "stable":
        allowed = slo is not None and slo.versus_stable is not None and s.stable_total > 0
        return margin_of(slo).limit(s.stable_bad / s.stable_total) if slo is not None and allowed else None
    return stream.p0 if stream else None
