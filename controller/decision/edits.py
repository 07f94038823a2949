"""A spec that changed, broke or vanished in the middle of a run: what it means for the run."""

from dataclasses import replace

from controller.analysis import streams
from controller.decision.guard import roll_back
from controller.decision.stable import stalled
from controller.decision.turn import Turn, loading
from controller.domain.decision import Reason, Severity
from controller.domain.edits import loosened
from controller.domain.observation import SpecSeen
from controller.domain.rollout import ModelRollout
from controller.domain.state import Cause, Phase


def follow_spec(turn: Turn) -> Turn:
    """Rule for every phase with a run: revert, supersede, restart, adopt, or stall under the pinned copy."""
    if turn.seen.spec.removed:
        return end_run(turn, Cause.REVERTED, f"the rollout {turn.run.spec.key} was deleted")
    trouble = spec_trouble(turn.seen.spec, turn.run.spec)
    if trouble is not None:
        return stalled(turn, trouble)
    spec = turn.seen.spec.spec
    assert spec is not None
    if turn.seen.route_conflict is not None:
        return stalled(turn, turn.seen.route_conflict)
    if spec.content_hash == turn.run.spec.content_hash:
        return _unstall(turn)
    return _edited(turn, spec)


def spec_trouble(seen: SpecSeen, pinned: ModelRollout) -> str | None:
    """Why the present text cannot be followed, or None."""
    if seen.deleted or seen.spec is None:
        return f"the spec of {pinned.key} is gone: the run stays guarded under the last good one; put it back"
    if seen.problems:
        return f"the spec is broken, the last good one stays in force: {seen.problems[0]}"
    return None


def _unstall(turn: Turn) -> Turn:
    if turn.position.phase is not Phase.STALLED:
        return turn
    back = turn.position.resume_phase or Phase.PROGRESSING
    back = Phase.PROGRESSING if back is Phase.AWAITING_APPROVAL else back
    back = Phase.HELD if turn.position.held is not None else back
    after = Phase.PENDING if loading(turn.position) else Phase.PROGRESSING
    after_that = after if back in (Phase.HELD, Phase.PAUSED) else None
    message = f"{back.value} as before the spec was broken" if back is not Phase.PROGRESSING else ""
    turn = turn.tell(Reason.RESUMED, why="the spec is good again")
    return turn.at(phase=back, message=message, resume_phase=after_that)


def _edited(turn: Turn, spec: ModelRollout) -> Turn:
    run = turn.run
    candidate = spec.find(spec.version)
    assert candidate is not None
    if spec.version == run.stable:
        return end_run(turn, Cause.REVERTED, f"{spec.version} should serve again")
    if candidate.name != run.candidate or candidate.digest != run.digest:
        return end_run(turn, Cause.SUPERSEDED, f"{spec.version} should serve now")
    if spec.find(run.stable) is None:
        return stalled(turn, f"{run.stable} still serves but is not in spec.versions any more; put it back")
    if spec.mode is not run.spec.mode:
        return end_run(turn, Cause.EDITED, f"mode is {spec.mode.value} now")
    looser = loosened(run.spec, spec)
    if spec.run_hash != run.spec.run_hash or looser:
        why = f"loosened: {', '.join(looser)}" if looser else "bundles, routes or stages changed"
        return end_run(turn, Cause.EDITED, why)
    return _unstall(_adopt(turn, spec))


def _adopt(turn: Turn, spec: ModelRollout) -> Turn:
    """Tightened SLOs, durations and policies apply at once; a changed SLO starts its evidence again."""
    evidence = streams.adapt(turn.evidence, spec) if turn.evidence else None
    provenance = turn.seen.spec.provenance or turn.run.provenance
    turn = replace(turn, evidence=evidence).with_run(spec=spec, provenance=provenance)
    return turn.tell(Reason.SPEC_EDITED, commit=provenance.commit)


def end_run(turn: Turn, cause: Cause, detail: str, actor: str | None = None) -> Turn:
    """End the run whatever its phase: without traffic at once, otherwise by a verified rollback."""
    if turn.position.phase is Phase.ROLLING_BACK:
        return turn
    if _never_routed(turn):
        turn = turn.tell(Reason.ABORTED, Severity.INFO, actor, cause=cause.value, detail=detail)
        after = Phase.ROLLED_BACK if cause is Cause.ABORTED else Phase.IDLE
        message = f"{detail}; no traffic was moved; `retry` starts again" if cause is Cause.ABORTED else ""
        return turn.at(phase=after, message=message, resume_phase=None)
    return roll_back(turn, cause, actor=actor, detail=detail)


def _never_routed(turn: Turn) -> bool:
    """Only a run that is still loading has never had traffic."""
    return turn.position.phase is Phase.PENDING or loading(turn.position)
