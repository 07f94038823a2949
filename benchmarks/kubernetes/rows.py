"""What was found, as rows of the table: goal, measured, met."""

from collections.abc import Sequence

from benchmarks.kubernetes import audit, paced
from benchmarks.kubernetes.fleet_scene import Found, Quiet, Way
from benchmarks.kubernetes.takeover import Takeover
from benchmarks.table import Row, percentile

MEDIAN, WORST, FIRST_WEIGHT, TAKEOVER, PUT_BACK = 6.0, 12.0, 2.0, 15.0, 2.0
QUERIES, CPU, RSS = 0.8, 6.0, 150.0
PEERS = 100
"""Rollouts with which the peers were measured: processor and memory have a goal for as many."""
LEAK = (
    "v2 answers wrongly once where the spec has `zeroTolerance`: it is taken away at once and a person is asked. From"
    " the breach, at any distance from the next tick, until the gateway has accepted the route without v2"
)
COUNTS = (
    "400 answers turn bad at once by all four SLOs, and all that follow. One tick multiplies the evidence by at most"
    " 10, however many of its answers are bad: so it takes three or four ticks"
)
RESTORED = (
    "its field manager stands in `gitopsManagers`; from its writing until the weight of v2 is in the route again, while"
    " store and guard are healthy"
)
COUNTED = (
    "counted by the API server's audit log for the controller's service account; watches and leases are left out. News"
    " is a status that says something else than before, such as a verdict, not counted in numbers alone"
)


def of_fleet(found: Found) -> list[Row]:
    """One scene."""
    part = f"{found.size:,}"
    running = f"with {found.under_way} under way"
    cpu, rss = (CPU, RSS) if found.size == PEERS else (None, None)
    herd = f"{found.under_way - len(found.first_weight)} changes at once → all verified"
    return [
        *_way(part, "one leaked secret", found.leak, LEAK),
        *_way(part, "most answers bad", found.counts, COUNTS),
        _row(part, f"cold start: all {found.size:,} have a status", found.cold, "s"),
        _requests(part, found.rest),
        _writes(part, running, found.watched),
        _row(part, f"metric queries per second, {running}", found.watched.queries / found.watched.seconds, "", QUERIES),
        _row(part, "processor at rest", found.rest.used.cpu, "% of a core"),
        _row(part, f"processor {running}", found.watched.used.cpu, "% of a core", cpu),
        _row(part, f"resident memory {running}", found.watched.used.rss, "MiB", rss),
        _row(part, f"change of a spec → first weight in the route, p99 of {len(found.first_weight)}",
             percentile(found.first_weight, 0.99), "s", FIRST_WEIGHT, found.first_weight),
        _row(part, "  its median", percentile(found.first_weight, 0.5), "s"),
        _row(part, herd, found.all_started, "s"),
        _row(part, f"a listed GitOps tool writes over a run → put back, worst of {len(found.put_back)}",
             max(found.put_back), "s", PUT_BACK, found.put_back, RESTORED),
    ]  # fmt: skip


def of_paced(found: Way) -> list[Row]:
    """The runs with short ticks."""
    return _way(paced.PART, "most answers bad", found, COUNTS)


def of_takeover(found: Takeover) -> list[Row]:
    """The killed replica."""
    part, whole = "2 replicas", f"{len(found.taken)} of {found.size} runs"
    return [
        _row(part, f"kill → the last of {whole} taken over", max(found.taken), "s", TAKEOVER, found.taken),
        _row(part, "  the first", min(found.taken), "s"),
        _row(
            part,
            "kill, and a breach at once → v2 gone from the last route",
            max(found.to_zero),
            "s",
            None,
            found.to_zero,
        ),
    ]


def _way(part: str, what: str, way: Way, note: str) -> list[Row]:
    if not way.to_zero:
        return []
    n, median, verified = len(way.to_zero), percentile(way.to_zero, 0.5), percentile(way.to_verified, 0.5)
    return [
        _row(part, f"{what} → zero in the route, median of {n}", median, "s", MEDIAN, way.to_zero, note),
        _row(part, f"{what} → zero in the route, worst of {n}", max(way.to_zero), "s", WORST),
        _row(part, "  → zero verified by the controller, median", verified, "s", MEDIAN, way.to_verified),
        _row(part, "  → zero verified by the controller, worst", max(way.to_verified), "s", WORST),
    ]


def _requests(part: str, quiet: Quiet) -> Row:
    """The goal is none at all."""
    count = audit.beyond(quiet.requests)
    text = f"{count / quiet.seconds:.2f} ({count} in {quiet.seconds:.0f} s)"
    return Row(part, "API requests per second at rest", text, "0", count == 0, COUNTED, _told(quiet))


def _writes(part: str, running: str, quiet: Quiet) -> Row:
    """None without news."""
    count = audit.writes(quiet.requests)
    idle = max(0, count - quiet.news)
    text = f"{idle / quiet.seconds:.2f} ({count} in {quiet.seconds:.0f} s, {min(quiet.news, count)} of them news)"
    return Row(part, f"API writes per second without news, {running}", text, "0", idle == 0, COUNTED, _told(quiet))


def _told(quiet: Quiet) -> dict[str, object]:
    return {"requests": {f"{verb} {resource}": n for (verb, resource), n in quiet.requests.items()}, "news": quiet.news}


def _row(
    part: str,
    what: str,
    value: float,
    unit: str,
    goal: float | None = None,
    values: Sequence[float] = (),
    note: str = "",
) -> Row:
    text = f"{value:.2f} {unit}".strip() if unit in ("s", "") else f"{value:.1f} {unit}"
    raw: dict[str, object] = {"value": value, "all": list(values)} if values else {"value": value}
    least = f"≤ {goal:g} {unit}".strip() if goal is not None else ""
    return Row(part, what, text, least, value <= goal if goal is not None else None, note, raw)
