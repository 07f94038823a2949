"""Alerts of what others did to the route or the spec, and of all that has no words of its own. Pure."""

from controller.alerts import sentences as say
from controller.alerts.scene import ACT_NOW, ACT_TODAY, Scene, Text


def external(scene: Scene) -> Text:
    """Somebody else moved the traffic."""
    return Text(
        title=f"{scene.call} {scene.name}: somebody else changed the traffic of {scene.candidate}; the run is held.",
        paragraphs=(
            scene.why,
            _found(scene),
            "The lower share was adopted; Tidegate does not raise it by itself.",
            say.origin(scene),
            say.commands(scene, "resume", "abort"),
        ),
        event=f"external:{scene.moment}",
    )


def _found(scene: Scene) -> str:
    found, wanted = scene.text("found"), scene.text("wanted")
    return f"Found: {found}" + (f"; wanted: {wanted}." if wanted else ".") if found else ""


def drift_corrected(scene: Scene) -> Text:
    """Somebody else moved the traffic up, and it was put back; or a GitOps tool that is listed moved it anywhere."""
    if scene.notice.actor:
        return _overwritten(scene, scene.notice.actor)
    return Text(
        title=f"{scene.lead} {scene.name}: somebody else changed its traffic; Tidegate is putting it back.",
        paragraphs=(_found(scene), "Find out who writes to this route.", say.origin(scene), say.commands(scene)),
        event=f"drift_corrected:{scene.notice.at.isoformat()}",
    )


def _overwritten(scene: Scene, tool: str) -> Text:
    """Once an hour: a tool that heals itself does it again and again."""
    return Text(
        title=f"{scene.lead} {scene.name}: `{tool}` overwrites its traffic; Tidegate is putting it back.",
        paragraphs=(
            _found(scene),
            "Tell the tool to leave the backends of this route alone (Argo CD: ignoreDifferences).",
            say.origin(scene),
            say.commands(scene),
        ),
        event=f"overwritten:{tool}:{scene.notice.at:%Y-%m-%dT%H}",
    )


def adopted(scene: Scene) -> Text:
    """Nothing that is stored knows of the route, and it was not stable alone that served."""
    stable = scene.text("stable")
    return Text(
        title=f"{ACT_TODAY} {scene.name}: the database knows nothing of its route; everything is put on {stable}.",
        paragraphs=(
            f"The record beside the route says that {stable} is stable; another version had traffic, unguarded.",
            "A run begins anew at its first stage, with half of the allowance for a false rollback.",
            "Find out what happened to the database. To go back to it, stop the daemon and restore a backup.",
            say.origin(scene),
            say.commands(scene),
        ),
        event=f"adopted:{scene.notice.at.isoformat()}",
    )


def found(scene: Scene) -> Text:
    """A bad answer where none is tolerated: the candidate is away from users, a person must look."""
    place = f"{scene.text('slo')}/{scene.text('scenario')}"
    return Text(
        title=f"{ACT_TODAY} {scene.name}: a bad answer of {scene.candidate} in {place}, where none is tolerated;"
        f" it is being taken off all traffic and waits for review.",
        paragraphs=(
            "Look at the answer where your judge keeps it, then say what it was.",
            say.origin(scene),
            say.commands(scene, "review --confirm", "review --dismiss"),
        ),
        event=f"found:{place}:{scene.notice.at.isoformat()}",
    )


def alarm(scene: Scene) -> Text:
    """What serves turned bad, and nothing can take over."""
    former = scene.text("former") or "the former version"
    return Text(
        title=f"{ACT_NOW} {scene.name}: {scene.candidate} turned bad after promotion, and {former} is not ready.",
        paragraphs=(
            say.why(scene),
            f"Bring the backend of {former} up: Tidegate goes back to it by itself as soon as it answers.",
            say.origin(scene),
            say.commands(scene),
        ),
        event=f"alarm:{scene.text('slo')}",
    )


def share_rejected(scene: Scene) -> Text:
    """The requests counted do not fit the weight."""
    return Text(
        title=f"{scene.lead} {scene.name}: {scene.candidate} gets another share of requests than it should.",
        paragraphs=(
            f"It should get {scene.text('weight') or '?'} % and got {scene.text('share') or '?'} % of the requests.",
            "Look at what else decides where requests go: another route, sticky sessions, a way past the gateway.",
            say.origin(scene),
            say.commands(scene, "abort"),
        ),
        event=f"share_rejected:{scene.notice.at.isoformat()}",
    )


def spec_broken(scene: Scene) -> Text:
    """The present text of the spec cannot be used."""
    guarded = "the run goes on guarded under the last good one" if scene.run else "nothing was started"
    where = scene.text("file")
    lint = f"`tidegate lint {where}`" if where else "`tidegate lint FILE`"
    return Text(
        title=f"{ACT_TODAY} {scene.name}: the spec cannot be used; {guarded}.",
        paragraphs=(scene.why, lint),
        event=f"spec_broken:{scene.notice.at.isoformat()}",
    )


def stalled(scene: Scene) -> Text:
    """A person must fix the spec or say what is stable."""
    return Text(
        title=f"{ACT_TODAY} {scene.name} is stalled: a person must put it right; traffic stays as it is.",
        paragraphs=(scene.why, say.origin(scene), say.commands(scene)),
        event=f"stalled:{scene.moment}",
    )


def alert_slo(scene: Scene) -> Text:
    """An SLO that only alerts was broken."""
    return Text(
        title=f"{scene.lead} {scene.name}: {scene.candidate} broke {scene.text('slo') or 'an objective'};"
        " it only alerts, the run goes on.",
        paragraphs=(say.why(scene), say.standing(scene), say.origin(scene), say.commands(scene, "abort")),
        event=f"alert_slo:{scene.text('slo')}:{scene.text('scenario')}",
    )


def anything(scene: Scene) -> Text:
    """A notice that wants people and has no words of its own."""
    said = scene.notice.reason.value.replace("_", " ")
    return Text(
        title=f"{scene.lead} {scene.name}: {said}.",
        paragraphs=(scene.why, say.standing(scene), say.origin(scene), say.commands(scene)),
        event=f"{scene.notice.reason.value}:{scene.notice.at.isoformat()}",
    )
