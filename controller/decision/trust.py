"""Trust in the comparison with stable: won by an A/A run, for the SLOs as they were then; gone when they mean another.

An A/A run shows that the comparison is calm as this judge judges this traffic. Another judge, margin or indicator is
another comparison: it holds again, instead of rolling back, until it was shown calm too. Pure.
"""

import math
from dataclasses import replace

from controller.decision.turn import Turn
from controller.domain.decision import Notice, Reason, Severity
from controller.domain.evidence import Evidence
from controller.domain.observation import Observation
from controller.domain.rollout import ModelRollout
from controller.domain.state import Position

LOG_RESTLESS = math.log(20.0)
"""A comparison of a version with itself that ever got this far is not calm on this traffic (statistics, section 2)."""
ENOUGH_FOR_TRUST = 1_000

Compared = tuple[tuple[str, str], ...]


def compared_in(spec: ModelRollout) -> Compared:
    """The SLOs that are compared with stable, each with what it means."""
    return tuple((slo.name, slo.definition) for slo in spec.slos if slo.versus_stable is not None)


def earn(turn: Turn) -> Turn:
    """A run of the same bundle against itself that kept the comparison with stable calm: it may act."""
    run, evidence = turn.run, turn.evidence
    stable = run.spec.find(run.stable)
    if stable is None or evidence is None or not stable.pinned or stable.digest != run.digest:
        return turn
    compared = [stream for slo in evidence.slos for stream in slo.streams if stream.against == "stable"]
    judged = all(min(s.all.total, s.stable.total) >= ENOUGH_FOR_TRUST for s in compared if s.scenario is None)
    if not compared or not judged or max(stream.peak for stream in compared) >= LOG_RESTLESS:
        return turn
    answers = min(min(s.all.total, s.stable.total) for s in compared if s.scenario is None)
    peak = math.exp(max(stream.peak for stream in compared))
    seconds = (turn.now - run.started_at).total_seconds()
    turn = turn.at(trusted=True, trusted_as=compared_in(run.spec))
    return turn.tell(
        Reason.TRUSTED, Severity.INFO, run=run.id, twin=run.candidate, of=run.stable, answers=answers,
        peak_e=round(peak, 2), seconds=seconds,
    )  # fmt: skip


def lapse(
    position: Position, evidence: Evidence | None, seen: Observation
) -> tuple[Position, Evidence | None, tuple[Notice, ...]]:
    """Without the trust, when an SLO that is compared means something else than in the A/A run. Told once.

    Trust of a time in which that was not written down stays until somebody takes it back.
    """
    run = position.run if position.under_way else None
    spec = run.spec if run else seen.spec.spec
    if not position.trusted or not position.trusted_as or spec is None:
        return position, evidence, ()
    changed = [name for name, meaning in compared_in(spec) if (name, meaning) not in position.trusted_as]
    if not changed:
        return position, evidence, ()
    why = f"{', '.join(changed)}: the SLO, its judge or its margin is not that of the A/A run any more"
    notice = Notice(Reason.TRUST_REVOKED, seen.now, Severity.INFO, {"why": why})
    evidence = replace(evidence, trusted=False) if evidence else None
    return replace(position, trusted=False, trusted_as=()), evidence, (notice,)
