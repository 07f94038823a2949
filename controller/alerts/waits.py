"""Alerts of runs that begin, wait, or cannot see. Pure."""

from controller.alerts import sentences as say
from controller.alerts.scene import ACT_TODAY, NO_ACTION, Scene, Text
from controller.alerts.troubles import external
from controller.alerts.wording import command, duration, without_userinfo
from controller.domain.measure import BlindCause
from controller.domain.rollout import MetricServer, StageKind
from controller.domain.state import HeldCause

SHARED_CAUSES = {BlindCause.QUERY_FAILED.value}
"""Causes that every rollout of the same metric server has at once."""

HELD = {
    HeldCause.DEADLINE: ("the stage's time ran out before there was enough evidence", "Give it more time, or end it."),
    HeldCause.BREACH: ("an objective that holds was broken", "Decide whether to go on or to end it."),
    HeldCause.FROZEN: (
        "the judge's alarm rang on stable too",
        "Look at the judge and at the questions, then resume it.",
    ),
    HeldCause.REVIEW: ("an answer waits for review", "Look at the finding, then confirm or dismiss it."),
}
NEEDS_A_PERSON = ("it needs a person", "Look at what it says, then let it go on or end it.")


def run_started(scene: Scene) -> Text:
    """A run began."""
    stages = ", ".join(stage.name for stage in scene.run.spec.stages) if scene.run else ""
    return Text(
        title=f"{NO_ACTION} {scene.name}: rollout {scene.stable} → {scene.candidate} began.",
        paragraphs=(f"Stages: {stages}." if stages else "", say.origin(scene), command("watch", scene.key)),
        event="run_started",
    )


def held(scene: Scene) -> Text:
    """The run stands still; its cause says what to do."""
    cause = scene.position.held or _held_cause(scene.text("cause"))
    if cause is HeldCause.BLIND:
        return blind(scene)
    if cause is HeldCause.EXTERNAL:
        return external(scene)
    if cause is HeldCause.DEADLINE and scene.run and not scene.run.ready:
        return startup_deadline(scene)
    headline, todo = HELD.get(cause, NEEDS_A_PERSON) if cause else NEEDS_A_PERSON
    reason = say.why(scene) if cause is HeldCause.BREACH and scene.breach else scene.why
    return Text(
        title=f"{scene.call} {scene.name}: {scene.candidate} is held, {headline}.",
        paragraphs=(reason, _as_it_is(scene), todo, say.origin(scene), say.commands(scene, "resume", "abort")),
        event=f"held:{cause or 'unknown'}:{scene.moment}",
    )


def _held_cause(text: str) -> HeldCause | None:
    return HeldCause(text) if text in set(HeldCause) else None


def _as_it_is(scene: Scene) -> str:
    return f"{say.standing(scene)} Traffic stays as it is; the guard is on.".strip()


def blind(scene: Scene) -> Text:
    """An SLO cannot be measured: nothing advances, and the guard does not see that SLO."""
    unguarded = scene.exposed and scene.run is not None and scene.run.current.kind is not StageKind.SHADOW
    what = f"{scene.candidate} cannot be measured" + (f" ({scene.text('slo')})" if scene.text("slo") else "")
    return Text(
        title=f"{scene.call if unguarded else ACT_TODAY} {scene.name}: {what}; it does not advance.",
        paragraphs=(
            scene.why,
            _next_when_blind(scene, unguarded),
            _shared(scene),
            "It goes on by itself when the numbers are back.",
            say.commands(scene, "abort"),
        ),
        event=f"blind:{scene.text('cause') or scene.moment}" + ("" if _scope(scene) else f":{scene.moment}"),
        scope=_scope(scene),
    )


def _next_when_blind(scene: Scene, unguarded: bool) -> str:
    if scene.run is None or not unguarded:
        return "No user gets an answer of the candidate now."
    policy = scene.run.spec.on_blind
    deed = {
        "withdraw": "it is withdrawn",
        "rollback": "it is rolled back",
        "hold": "it is held with the traffic it has",
    }
    return f"{say.standing(scene)} After {duration(policy.after)} without sight {deed[policy.then.value]}."


def withdrawn(scene: Scene) -> Text:
    """The candidate is at zero, the run is kept."""
    scope = _scope(scene)
    return Text(
        title=f"{scene.call} {scene.name}: {scene.candidate} is being withdrawn to {scene.stable}; the run is kept.",
        paragraphs=(
            scene.why,
            _shared(scene),
            "It returns to its stage by itself when the numbers are back." if not scene.text("scenario") else "",
            say.harm_done(scene),
            say.origin(scene),
            say.commands(scene, "abort"),
        ),
        event=f"withdrawn:{scene.text('cause')}" if scope else f"withdrawn:{scene.moment}",
        scope=scope,
    )


def _server(scene: Scene) -> MetricServer | None:
    return scene.run.spec.metrics if scene.run else None


def _urls(server: MetricServer) -> str:
    return ", ".join(without_userinfo(url) for url in server.urls)


def _scope(scene: Scene) -> str | None:
    """One alert per cause: the metric server and the hour, where every rollout of that server has the same trouble."""
    server = _server(scene)
    if server is None or scene.text("cause") not in SHARED_CAUSES:
        return None
    return f"{server.provider}:{_urls(server)}:{scene.notice.at:%Y-%m-%dT%H}"


def _shared(scene: Scene) -> str:
    server = _server(scene)
    if server is None or _scope(scene) is None:
        return ""
    return f"Every rollout that reads {_urls(server)} has the same trouble; this is told once."


def startup_deadline(scene: Scene) -> Text:
    """The candidate did not load in time."""
    version = scene.run.spec.find(scene.run.candidate) if scene.run else None
    after = f" within {duration(version.startup.deadline)}" if version and version.startup else " in time"
    probe = (
        f"Look at its log, and whether {version.backend.name}:{version.backend.port}{version.startup.path} answers."
        if version and version.startup
        else "Look at its log."
    )
    return Text(
        title=f"{ACT_TODAY} {scene.name}: {scene.candidate} did not load{after}; {scene.stable} serves everything.",
        paragraphs=(scene.why, probe, say.origin(scene), say.commands(scene, "resume", "abort")),
        event=f"startup_deadline:{scene.moment}",
    )


def preflight_failed(scene: Scene) -> Text:
    """A check before the run failed."""
    return Text(
        title=f"{ACT_TODAY} {scene.name}: {scene.candidate} was not started; {scene.stable} serves everything.",
        paragraphs=(
            scene.why,
            "It is tried again by itself when that is put right.",
            say.origin(scene),
            say.commands(scene),
        ),
        event=f"preflight_failed:{scene.moment}",
    )


def awaiting_approval(scene: Scene) -> Text:
    """The next stage wants a person's yes."""
    wanted = scene.text("stage") or "the next stage"
    return Text(
        title=f"{ACT_TODAY} {scene.name}: {scene.candidate} waits for approval before {wanted}.",
        paragraphs=(scene.why, _as_it_is(scene), say.origin(scene), say.commands(scene, "approve", "abort")),
        event=f"awaiting_approval:{scene.moment}",
    )
