"""What a rollout waits for and why it was rolled back, as sentences. Pure text from the daemon's JSON."""

from collections.abc import Iterator

from controller.cli import words
from controller.cli.daemon import View


def waits(view: View) -> list[str]:
    """What it waits for, and how long a proof may still take."""
    return [f"{text}{_how_long(view, text)}" for text in view["waits_for"]]


def _how_long(view: View, text: str) -> str:
    slo = next((s for s in view["slos"] if s["scenario"] is None and text.startswith(f"{s['slo']}: about ")), None)
    if slo is None or not slo["proof_seconds"]:
        return ""
    return f" (about {words.span(slo['proof_seconds'])} at the present rate)"


def breach_lines(view: View) -> Iterator[str]:
    """Why, when, and who was harmed."""
    breach, run = view["breach"], view["run"] or {}
    yield _why(breach, str(run.get("candidate", "the candidate")))
    times = _times(breach)
    if times:
        yield times
    harmed = _harmed(breach, bool(run.get("counts", True)))
    if harmed:
        yield harmed


def _why(breach: View, candidate: str) -> str:
    if breach["cause"] != "breach":
        by = f" by {breach['actor']}" if breach["actor"] else ""
        return f"{breach['cause']}{by}{': ' + breach['detail'] if breach['detail'] else ''}"
    name = f"{breach['slo']}/{breach['scenario']}" if breach["scenario"] else str(breach["slo"])
    if not breach["total"]:
        limit = "" if breach["objective"] is None else f"; the limit is {words.number(breach['objective'])}"
        value = "" if breach["value"] is None else f" was {words.number(breach['value'])}"
        return f"{name} of {candidate}{value}{limit}"
    bad, total = breach["bad"], breach["total"]
    parts = [
        f"{name}: {words.count(bad)} of {words.count(total)} judged answers were bad ({words.percent(bad / total)})"
    ]
    if breach["objective"] is not None:
        parts.append(f"the limit is {words.percent(breach['objective'])}")
    if breach["stable_total"]:
        parts.append(f"stable had {words.count(breach['stable_bad'])} of {words.count(breach['stable_total'])}")
    return "; ".join(parts)


def _times(breach: View) -> str:
    steps = (
        ("first bad answer", breach["first_bad_at"]),
        ("decided", breach["decided_at"]),
        ("verified zero", breach["verified_at"]),
    )
    known = [(name, at) for name, at in steps if at]
    if len(known) < 2:
        return ""
    told, before = [f"{known[0][0]} {words.clock(known[0][1])}"], words.moment(known[0][1])
    for name, at in known[1:]:
        told.append(f"{name} {words.clock(at)} (+{words.span((words.moment(at) - before).total_seconds())})")
        before = words.moment(at)
    return " → ".join(told)


def _harmed(breach: View, counts: bool) -> str:
    exposed = breach["exposed_requests"]
    if not counts:
        judged = f"; of {words.count(breach['live_total'])} judged, {words.count(breach['live_bad'])} were bad"
        return "how many answers of it users got is not counted there" + (judged if breach["live_total"] else "")
    if not exposed:
        return "no user got an answer of it"
    text = f"users got {words.many(exposed, 'answer')} of it"
    if breach["live_total"]:
        text += f"; of {words.count(breach['live_total'])} judged, {words.count(breach['live_bad'])} were bad"
    return text
