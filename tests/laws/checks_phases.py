"""What may follow what: the invariants about phases, asked of one pass."""

from controller.domain.state import HeldCause, Phase
from controller.testing.world import Passed


def phases_follow_the_design(p: Passed) -> None:
    """What may never follow what, said once more and by hand."""
    before, after = p.before.phase, p.decision.position.phase
    if after is Phase.COMPLETED:
        assert before in (Phase.PROGRESSING, Phase.COMPLETED, Phase.STALLED), f"{before} -> {after}"
    if before is Phase.ROLLING_BACK:
        assert after in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.IDLE), f"{before} -> {after}"
    if after is Phase.PROGRESSING and before is Phase.HELD and p.before.held is not HeldCause.BLIND:
        assert any(r.ask.value == "resume" for r in p.seen.requests), f"{p.before.held} ended without `resume`"
    if after is Phase.PROGRESSING and before is Phase.PAUSED:
        assert any(r.ask.value == "resume" for r in p.seen.requests), "a pause ended without `resume`"
    if before in (Phase.IDLE, Phase.ROLLED_BACK, Phase.COMPLETED):
        assert after in (before, Phase.PENDING, Phase.IDLE, Phase.STALLED), f"{before} -> {after}"


def nothing_lost_in_a_stall(p: Passed) -> None:
    """A broken spec that becomes good again ends neither a hold nor a pause, and skips no loading."""
    before, after = p.before, p.decision.position
    if before.phase is not Phase.STALLED or not before.under_way or after.phase is not Phase.PROGRESSING:
        return
    assert before.held is None, f"held ({before.held}) was forgotten"
    assert before.resume_phase in (Phase.PROGRESSING, Phase.AWAITING_APPROVAL), f"{before.resume_phase} was forgotten"
