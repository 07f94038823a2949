"""Alerts of how a run ended, or should have: rolled back, not verified, promoted, returned. Pure."""

from controller.alerts import sentences as say
from controller.alerts.scene import ACT_NOW, NO_ACTION, Scene, Text
from controller.alerts.wording import break_glass, command, count, duration
from controller.domain.route import EnvoyRoute, GatewayApiRoute
from controller.domain.state import Phase


def rolled_back(scene: Scene) -> Text:
    """The rollback is done and verified."""
    serving = f"{scene.name} {scene.candidate} → {scene.stable}, 100 % on {scene.stable}, verified."
    return Text(
        title=f"{NO_ACTION} {serving}",
        paragraphs=(
            say.why(scene),
            say.timeline(scene),
            say.harm_done(scene),
            _strength(scene),
            _streams(scene),
            say.origin(scene),
            _tried_again(scene),
            say.commands(scene, "retry"),
        ),
        event="rollback_verified",
    )


def not_verified(scene: Scene) -> Text:
    """A split was written and the data plane did not show it in time."""
    if scene.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) or not scene.exposed:
        return _leaking(scene)
    return Text(
        title=f"{scene.lead} {scene.name}: the traffic of {scene.candidate} is not as it should be"
        f"{_after(scene)}; it does not advance.",
        paragraphs=(scene.why, say.standing(scene), _look_at_the_data_plane(scene), say.commands(scene, "abort")),
        event=f"not_verified:{_mark(scene)}",
    )


def _leaking(scene: Scene) -> Text:
    return Text(
        title=f"{ACT_NOW} rollback not confirmed: {scene.name} {scene.candidate} may still get traffic"
        f"{_after(scene) or ' after 30 s'}.",
        paragraphs=(
            f"Tidegate keeps trying. {scene.why}".strip(),
            say.why(scene) if scene.breach else "",
            say.timeline(scene),
            _look_at_the_data_plane(scene),
            "If nothing else helps, take the traffic away by hand; it needs neither the daemon nor its database:\n"
            + "\n".join([break_glass(scene.key, _target(scene)), command("explain", scene.key)]),
            say.origin(scene),
        ),
        event=f"not_verified:{_mark(scene)}",
    )


def _after(scene: Scene) -> str:
    traffic = scene.position.traffic
    return f" after {duration(scene.notice.at - traffic.applied_at)}" if traffic else ""


def _mark(scene: Scene) -> str:
    traffic = scene.position.traffic
    return traffic.applied_at.isoformat() if traffic else scene.moment


def _target(scene: Scene) -> EnvoyRoute | GatewayApiRoute | None:
    return scene.run.spec.route.target if scene.run else None


def _look_at_the_data_plane(scene: Scene) -> str:
    target = _target(scene)
    where = f": {_where(target)}" if target else ""
    return f"Look whether the data plane runs and can be reached{where}."


def _where(target: EnvoyRoute | GatewayApiRoute) -> str:
    if isinstance(target, EnvoyRoute):
        return f"{target.router}, admin at {target.admin}, configuration in {target.config_dir}"
    return f"{target.router}, {target.place}"


def _tried_again(scene: Scene) -> str:
    rejected = scene.run is not None and scene.run.digest in scene.position.rejected
    return f"{scene.candidate} is not tried again until somebody asks for it." if rejected else ""


def _strength(scene: Scene) -> str:
    ready, whole = scene.fact("stable_ready"), scene.fact("stable_ready_at_start")
    if not isinstance(ready, int) or not isinstance(whole, int):
        return ""
    return (
        f"stable {ready} of {whole} ready: {scene.stable} has fewer ready endpoints than when the run began; "
        "see whether it carries the load."
    )


def _streams(scene: Scene) -> str:
    open_streams = scene.fact("streams_in_flight")
    if not isinstance(open_streams, int) or open_streams <= 0:
        return ""
    return f"{count(open_streams)} answers of {scene.candidate} that had begun were allowed to finish."


def promoted(scene: Scene) -> Text:
    """The candidate is stable now, or would be."""
    if scene.observing:
        return _would_promote(scene)
    window = scene.run.spec.rollback_window if scene.run else None
    after = f" {scene.stable} is kept for {duration(window)} and can be returned to." if window else ""
    return Text(
        title=f"{NO_ACTION} {scene.name}: {scene.candidate} serves 100 %, verified.",
        paragraphs=(
            f"Every objective held through all stages; the guard goes on.{after}",
            _took(scene),
            say.origin(scene),
            say.commands(scene),
        ),
        event="promoted",
    )


def _would_promote(scene: Scene) -> Text:
    return Text(
        title=f"{NO_ACTION} {scene.name}: would have promoted {scene.candidate}; observe mode, no traffic was moved.",
        paragraphs=("Every objective held through all stages.", say.origin(scene), say.commands(scene)),
        event="would_promote",
    )


def _took(scene: Scene) -> str:
    return f"The run took {duration(scene.notice.at - scene.run.started_at)}." if scene.run else ""


def returned(scene: Scene) -> Text:
    """Traffic went back to the former stable on a person's wish."""
    serves = scene.position.stable or "the former stable"
    return Text(
        title=f"{NO_ACTION} {scene.name}: back on {serves}, verified.",
        paragraphs=(scene.why, say.origin(scene), say.commands(scene)),
        event=f"returned:{scene.moment}",
    )


def would_roll_back(scene: Scene) -> Text:
    """Observe mode: the breach is real, and nothing was moved."""
    return Text(
        title=f"{scene.lead} {scene.name}: would have rolled back {scene.candidate} → {scene.stable}; "
        "observe mode, no traffic was moved.",
        paragraphs=(
            say.why(scene),
            f"{scene.candidate} keeps the traffic that it has: taking it away is up to you.",
            say.timeline(scene),
            say.origin(scene),
            "Set `mode: enforce` to let Tidegate act.",
            say.commands(scene),
        ),
        event="would_roll_back",
    )
