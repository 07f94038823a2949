"""Each stream's share of its ledger, as the ledger itself weighs it. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.analysis.ledgers import ledgers_of
from controller.domain.evidence import NO_MONEY, Against, Evidence, StreamEvidence
from controller.domain.names import SloName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import OnBreach

StreamName = tuple[SloName, str | None, Against]

STAKES = len(StreamEvidence(None, 1.0, 0.5).log_s)


@dataclass(frozen=True, slots=True)
class Part:
    """What a breach of the stream leads to, and the stream's share (0..1) of that ledger, restarts included."""

    action: OnBreach
    share: float


def parts(evidence: Evidence, rollout: ModelRollout) -> dict[StreamName, Part]:
    """Every stream's part, its detector of change included; streams of `alert` SLOs have none."""
    return dict(_parts(evidence, rollout))


def _parts(evidence: Evidence, rollout: ModelRollout) -> Iterator[tuple[StreamName, Part]]:
    known = [(slo, mine) for slo in rollout.slos if (mine := evidence.of(slo.name)) is not None]
    for slo, mine in known:
        for stream in mine.streams:
            alone = replace(mine, streams=(_neutral(stream),), reserve_weight=0.0)
            only = [(one, alone if one is slo else replace(its, streams=(), reserve_weight=0.0)) for one, its in known]
            for ledger in ledgers_of(only, rollout, evidence.trusted):
                against: Against = "change" if ledger.kind == "change" else stream.against
                share = math.exp(ledger.log_e) if ledger.log_e > NO_MONEY else 0.0
                yield (slo.name, stream.scenario, against), Part(ledger.action, share)


def _neutral(stream: StreamEvidence) -> StreamEvidence:
    """With evidence of exactly 1, so that the ledger shows the weight alone."""
    return replace(stream, log_s=(NO_MONEY,) * STAKES, reserve=1.0, change=(0.0,) * STAKES)
