"""What is told and what is kept: the invariants about notices, messages and evidence, asked of one pass."""

from controller.analysis.judge import log_e
from controller.domain.evidence import Evidence
from controller.domain.slo import OnBreach
from controller.domain.state import Phase, Run
from controller.testing.world import Passed

MUST_SAY_WHY = (Phase.PENDING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.ROLLING_BACK, Phase.STALLED)


def told(p: Passed) -> None:
    """10: every change is told, with its instant; what a person asked for is answered with the name."""
    before, after = p.before, p.decision.position
    for one in ("phase", "held", "stable", "rejected", "runs"):
        if getattr(before, one) != getattr(after, one):
            assert p.decision.notices or one == "phase", f"{one} changed and nobody was told"
    assert all(n.at == p.seen.now for n in p.decision.notices)
    assert set(p.decision.settled) <= {r.id for r in p.seen.requests}
    for request in p.seen.requests:
        if request.id in p.decision.settled:
            assert any(n.actor == request.actor for n in p.decision.notices), f"{request.ask} was answered silently"


def says_why(p: Passed) -> None:
    """Whoever waits says for what."""
    after = p.decision.position
    if after.phase in MUST_SAY_WHY:
        assert after.message, f"{after.phase} ({after.held}) without a message"
    assert after.phase is not Phase.HELD or after.held is not None, "held without a cause"


def evidence_is_kept(p: Passed) -> None:
    """Evidence belongs to the digest: a stage, a hold, a pause never makes a stream forget. Weights stay within 1."""
    old, new, run = p.evidence, p.decision.evidence, p.decision.position.run
    if new is None or run is None:
        return
    _weights(new, run)
    if old is None or old.digest != new.digest:
        return
    for slo in new.slos:
        known = old.of(slo.name)
        if known is None or known.definition != slo.definition or len(known.streams) > len(slo.streams):
            continue
        for before, after in zip(known.streams, slo.streams, strict=False):
            if before.scenario == after.scenario and before.budget == after.budget:
                assert after.ticks >= before.ticks, "a stream forgot its evidence"
                assert after.all.total >= before.all.total, "a stream forgot its counts"
                assert after.budget <= 1


def _weights(evidence: Evidence, run: Run) -> None:
    for action in (OnBreach.ROLLBACK, OnBreach.HOLD):
        names = [slo.name for slo in run.spec.slos if slo.on_breach is action]
        mine = [slo for slo in evidence.slos if slo.name in names]
        whole = sum(s.reserve_weight + sum(stream.weight for stream in s.streams) for s in mine)
        assert whole <= 1 + 1e-9, f"weights of {action} sum to {whole}"
    assert all(log_e(stream) == log_e(stream) for slo in evidence.slos for stream in slo.streams), "not a number"
