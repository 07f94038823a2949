"""A rollout on one line, for pipes and tables: plain words, no control codes."""

from controller.cli import words
from controller.cli.daemon import View
from controller.cli.told import waits

ORDER = ("breach", "blind", "inconclusive", "pass")


def rollout_line(view: View) -> str:
    """Everything that matters on one line."""
    parts = [f"{words.address(view['name'], view['namespace'])} {phase_words(view)}"]
    if view["traffic"]:
        parts.append(f"{traffic_words(view)}, {'verified' if view['traffic']['verified'] else 'not verified yet'}")
    parts += [slo_words(s) for s in view["slos"] if s["scenario"] is None or s["guilty"]]
    missing = "; ".join(waits(view))
    if missing:
        parts.append(f"waits: {missing}")
    return " | ".join(parts)


def signature(view: View) -> tuple[object, ...]:
    """What must differ for a line to be news: counts and clocks move all the time and are none."""
    run, traffic = view["run"] or {}, view["traffic"] or {}
    verdicts = tuple((s["slo"], s["scenario"], s["verdict"], s["guilty"]) for s in view["slos"] if _matters(s))
    return (
        view["phase"],
        view["held"],
        view["stable"],
        run.get("id"),
        run.get("stage_number"),
        run.get("withdrawn"),
        len(run.get("approvals", {}).get("have", ())),
        traffic.get("weight"),
        traffic.get("mirror"),
        traffic.get("verified"),
        traffic.get("route_problem"),
        verdicts,
        tuple(view["problems"]),
    )


def _matters(s: View) -> bool:
    return s["scenario"] is None or s["guilty"] or s["verdict"] in ("breach", "blind")


def phase_words(view: View) -> str:
    """Phase, and with a run the versions and the stage."""
    run, phase = view["run"], str(view["phase"])
    if view["held"]:
        phase += f" ({view['held']})"
    if run is None:
        return f"{phase}, {view['stable'] or 'no version'} serves"
    if view["phase"] == "Completed":
        return f"{phase}, {view['stable']} is stable"
    return f"{phase} {run['stable']} → {run['candidate']}, stage {stage_words(run)}"


def stage_words(run: View) -> str:
    """`canary-25 2/3`."""
    return f"{run['stage']} {run['stage_number']}/{len(run['stages'])}"


def traffic_words(view: View) -> str:
    """The share that is wanted, and the one that was counted by the data plane."""
    traffic, counted = view["traffic"], view["traffic"]["counted"]
    who, wanted = _wanted(view)
    if counted is None:
        return f"{who}: {wanted} wanted" + (", nothing counted yet" if _counts(view) else "")
    if traffic["mirror"]:
        share, got = counted["mirror_share"], counted["mirrored"]
    else:
        share, got = counted["share"], counted["candidate"]
    whole = counted["stable"] + counted["candidate"]
    shown = "no request counted yet" if share is None else f"{share:.3g} % counted by Envoy ({got:,}/{whole:,})"
    flying = f", {counted['in_flight']} in flight" if counted["in_flight"] and not traffic["candidate"] else ""
    return f"{who}: {wanted} wanted, {shown}{flying}"


def _counts(view: View) -> bool:
    """Is there a run on a route whose data plane counts requests?"""
    return view["run"] is not None and bool(view["run"].get("counts", True))


def _wanted(view: View) -> tuple[str, str]:
    traffic, run = view["traffic"], view["run"]
    who = str(traffic["candidate"] or (run["candidate"] if run else view["stable"]))
    if traffic["candidate"] is None:
        return who, "100 %" if who == view["stable"] else "0 %"
    if traffic["mirror"]:
        return who, f"{traffic['mirror']} % mirrored"
    if traffic["cohort"]:
        return who, "requests with " + ", ".join(f"{name}: {value}" for name, value in traffic["cohort"].items())
    return who, f"{traffic['weight']} %"


def slo_words(s: View) -> str:
    """`harm pass 0/1,942`."""
    name = f"{s['slo']}/{s['scenario']}" if s["scenario"] else s["slo"]
    if s.get("against", "objective") != "objective":
        name += " against " + s["against"]
    if s["value"] is not None:
        return f"{name} {s['verdict']} {words.number(s['value'])}"
    return f"{name} {s['verdict']} {words.count(s['bad'])}/{words.count(s['total'])}"


def verdict_summary(view: View) -> str:
    """How many objectives have which verdict, the worst first: `1 breach, 2 pass`."""
    verdicts = [s["verdict"] for s in view["slos"] if s["scenario"] is None or s["guilty"]]
    return ", ".join(f"{verdicts.count(one)} {one}" for one in ORDER if one in verdicts)
