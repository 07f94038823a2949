"""The sentences of a rollback alert: why, when, who was harmed, who started it, what to type. Pure."""

from datetime import datetime

from controller.alerts.scene import Scene
from controller.alerts.wording import clock, command, count, duration, instant, number, one_line, percent
from controller.domain.rollout import StageKind
from controller.domain.slo import LatencyIndicator, Slo
from controller.domain.state import Breach, Cause, Run

WORDS_FOR_BAD = {
    "harm": "were harmful",
    "hallucination": "were hallucinated",
    "groundedness": "were not grounded",
    "refusal": "were refusals",
}


def why(scene: Scene) -> str:
    """One plain sentence: counts, limit and stable's rate, or what else led to the rollback."""
    breach = scene.breach
    if breach is None:
        return scene.why
    if breach.cause is not Cause.BREACH:
        return _why_without_breach(scene, breach)
    if breach.value is not None:
        return _why_value(scene, breach)
    if breach.total <= 0:
        return breach.detail or f"The limit of {breach.slo or 'an SLO'} was passed."
    return _why_counts(scene, breach)


def _why_counts(scene: Scene, breach: Breach) -> str:
    slo = scene.slo
    noun = "requests" if slo and isinstance(slo.indicator, LatencyIndicator) else "judged answers"
    scenario = f" in scenario {breach.scenario}" if breach.scenario else ""
    found = f"{count(breach.bad)} of {count(breach.total)} {noun} of {scene.candidate} {_bad(breach, slo)}{scenario}"
    parts = [f"{found} ({percent(breach.bad / breach.total)})"]
    if breach.objective is not None:
        parts.append(f"the limit is {percent(breach.objective)}")
    if breach.stable_total > 0:
        rate = percent(breach.stable_bad / breach.stable_total)
        parts.append(f"stable {scene.stable} had {count(breach.stable_bad)} of {count(breach.stable_total)} ({rate})")
    return "; ".join(parts) + "."


def _bad(breach: Breach, slo: Slo | None) -> str:
    if slo and isinstance(slo.indicator, LatencyIndicator):
        return f"took longer than {number(slo.indicator.under)} s"
    return WORDS_FOR_BAD.get(breach.slo or "", f"were bad for {breach.slo or 'an SLO'}")


def _why_value(scene: Scene, breach: Breach) -> str:
    threshold = scene.slo.threshold if scene.slo else None
    parts = [f"{breach.slo} of {scene.candidate} was {number(breach.value or 0.0)}"]
    if threshold and threshold.consecutive > 1:
        parts[0] += f", outside of its limit {threshold.consecutive} times in a row"
    bounds = (("the limit", threshold.max), ("the least allowed", threshold.min)) if threshold else ()
    parts += [f"{name} is {number(bound)}" for name, bound in bounds if bound is not None]
    return "; ".join(parts) + "."


def _why_without_breach(scene: Scene, breach: Breach) -> str:
    by = f" by {breach.actor}" if breach.actor else ""
    said = one_line(breach.detail or scene.text("detail"), 500)
    sentence = {
        Cause.ABORTED: f"The run was aborted{by}",
        Cause.BLIND: f"{scene.candidate} could not be measured for too long, and the spec says to roll back then",
        Cause.REVERTED: f"The spec asks for {scene.stable} again{by}",
        Cause.SUPERSEDED: "The spec asks for another version now",
        Cause.EDITED: "The spec was edited in a way that starts a new run",
        Cause.CONFIRMED: f"A finding was confirmed{by}",
        Cause.INCONCLUSIVE: "The stage's time ran out before there was enough evidence",
    }.get(breach.cause, "The limit of an SLO was passed")
    return f"{sentence}: {said.rstrip('.')}." if said else f"{sentence}."


def timeline(scene: Scene) -> str:
    """When the first bad answer, the decision and the verified zero were; empty when nothing of it is known."""
    breach = scene.breach
    if breach is None:
        return ""
    verified = breach.verified_at or scene.when("verified_at")
    steps = (
        ("first bad answer", breach.first_bad_at),
        ("numbers that show it", breach.measured_at if breach.measured_at != breach.decided_at else None),
        ("decision", breach.decided_at),
        (f"verified that {scene.candidate} gets no traffic", verified),
    )
    return _chain([(name, at) for name, at in steps if at is not None])


def _chain(steps: list[tuple[str, datetime]]) -> str:
    if not steps:
        return ""
    (name, before), *later = steps
    words = [f"{name.capitalize()} at {instant(before)}"]
    for step, at in later:
        words.append(f"{step} at {clock(at)} ({duration(at - before)} later)")
        before = at
    return ", ".join(words) + "."


def bad_answers_served(run: Run | None, breach: Breach | None) -> float | None:
    """About how many bad answers of the candidate users got; mirrored answers reached nobody. None when not known.

    The judged rate among live answers (else among all), times the requests that the candidate answered to users.
    """
    exposed = max(breach.exposed if breach else 0, run.exposed_requests if run else 0)
    if run is None or (exposed and breach is None) or uncounted(run):
        return None
    if not exposed or breach is None:
        return 0.0
    bad, total = (breach.live_bad, breach.live_total) if breach.live_total > 0 else (breach.bad, breach.total)
    return bad / total * exposed if total > 0 else None


def uncounted(run: Run) -> bool:
    """May users have got answers that the route does not count?"""
    until_now = run.spec.stages[: run.stage + 1]
    return not run.spec.route.counts and any(stage.kind is not StageKind.SHADOW for stage in until_now)


def harm_done(scene: Scene) -> str:
    """How many bad answers users got: counted where every answer was judged, else "about"; empty when not known."""
    run, breach = scene.run, scene.breach
    if run is None or breach is None:
        return ""
    if uncounted(run):
        judged = f" Of {count(breach.live_total)} that were judged, {count(breach.live_bad)} were bad."
        told = f"{run.spec.route.target.place} does not count how many answers of {scene.candidate} users got."
        return told + (judged if breach.live_total > 0 else "")
    exposed = max(breach.exposed, run.exposed_requests)
    if exposed == 0:
        mirrored = f" ({count(run.mirrored_requests)} mirrored requests)" if run.mirrored_requests else ""
        return f"No user got an answer of {scene.candidate}{mirrored}."
    estimate = bad_answers_served(run, breach)
    if breach.cause is not Cause.BREACH or estimate is None:
        return f"Users got {count(exposed)} answers of {scene.candidate}."
    if breach.live_total >= exposed:
        return f"Users got {count(breach.live_bad)} bad answers, of {count(exposed)} of {scene.candidate}."
    return f"Users got about {_at_least_one(estimate)} bad answers, of {count(exposed)} of {scene.candidate}."


def _at_least_one(estimate: float) -> str:
    return count(max(1.0, estimate)) if estimate > 0 else "0"


def origin(scene: Scene) -> str:
    """Which commit and author started the run, or which file; empty outside of a run."""
    if scene.run is None:
        return ""
    came = scene.run.provenance
    began = f"Run {scene.run.number} began {instant(scene.run.started_at)}"
    if not came.commit:
        return f"{began}, from {came.file}."
    author = f" by {one_line(came.author, 80)}" if came.author else ""
    message = f": “{one_line(came.message, 100)}”" if came.message else ""
    return f"{began}, from commit {came.commit[:12]}{author}{message}."


def standing(scene: Scene) -> str:
    """Where the run stands, as a sentence; empty outside of a run."""
    return f"It stands at {scene.stage}." if scene.stage else ""


def commands(scene: Scene, *verbs: str) -> str:
    """Commands to copy, `explain` first."""
    reasoned = [command(verb, scene.key, "--reason", "'…'") for verb in verbs]
    return "\n".join([command("explain", scene.key), *reasoned])
