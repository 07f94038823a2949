"""Judges and traffic that break textbook assumptions: overdispersion, bursts, conversations, glitches, swings."""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.absolute import LIMIT, TICKS, Rule, ours
from benchmarks.decisions.results import Check, Part, Size, Table, minutes, per_cent, share, within
from benchmarks.decisions.traces import PROCESSES, Trace, arrivals, glitched, rng_of, swing
from controller.analysis import change

P0 = 0.05
HEAD = ("judged", "answers", "rule", "FR at .6 / .9 / 1.0 x SLO", "minutes at 2x", "minutes at 3x")
BLOCK = 10


def rules() -> Mapping[str, Rule]:
    """The rules under stress."""

    def bernoulli(trace: Trace) -> peers.Stops:
        return peers.first(engine.evidence(trace, P0, TICKS, bernoulli=True) >= LIMIT)

    def once(trace: Trace) -> peers.Stops:
        return peers.first(engine.evidence(trace, P0, TICKS, start=1.0) >= LIMIT)

    def blocks(trace: Trace) -> peers.Stops:
        stops = peers.first(engine.evidence(trace.blocks(BLOCK), P0, TICKS // BLOCK) >= LIMIT)
        return np.where(stops == peers.NEVER, peers.NEVER, stops * BLOCK)

    return {
        "Argo 5m, failureLimit 0": lambda t: peers.argo(t, P0, 0),
        "Argo 5m, failureLimit 3": lambda t: peers.argo(t, P0, 3),
        "Flagger 5m, threshold 5": lambda t: peers.flagger(t, P0),
        "Bernoulli likelihood ratio, same restarts": bernoulli,
        "**E-LIN-R, 60 s**": ours(P0),
        "E-LIN without restarts": once,
        "E-LIN-R, 10-min blocks": blocks,
    }


def overdispersed(size: Size, tell: Callable[[str], None]) -> Part:
    """Every process at 10 and 100 judged answers a minute."""
    rows: list[tuple[str, ...]] = []
    checks: list[Check] = []
    for per_minute in (10, 100):
        for name, process in PROCESSES.items():
            tell(f"stress: {name}, {per_minute}/min")
            rng = rng_of("stress", name, per_minute)
            times = (0.6, 0.9, 1.0, 2.0, 3.0)
            traces = {x: process(rng, per_minute, x * P0, TICKS, size.breach // (1 if x <= 1 else 2)) for x in times}
            for rule_name, rule in rules().items():
                stops = {x: rule(trace) for x, trace in traces.items()}
                false = " / ".join(per_cent(share(stops[x])) for x in (0.6, 0.9, 1.0))
                rows.append((f"{per_minute}/min", name, rule_name, false, minutes(stops[2.0]), minutes(stops[3.0])))
                checks += _checks(per_minute, name, rule_name, share(stops[0.9]))
    says = (
        f"Hallucination 5 %, {size.breach:,} runs of 6 h. ICC x: the rate jumps every tick (beta-binomial). burst: 2 % "
        "of the ticks at 6x, mean kept. conversations: 1 to 8 answers, ICC 0.3, in one tick. wandering: 30 min of "
        "memory, truly above its mean for stretches. glitch: the judge reports 3x for 10 min, on the candidate only."
    )
    return Part(
        (Table("stress", "Judges and traffic that are not independent", says, HEAD, tuple(rows)),), tuple(checks)
    )


def _checks(per_minute: int, name: str, rule: str, found: float) -> list[Check]:
    if per_minute != 100 or name != "ICC 0.1":
        return []
    if rule.startswith("**"):
        return [within("overdispersed (ICC 0.1), 100/min, .9 x SLO: E-LIN-R", 0.012, (0.0, 0.03), found)]
    if rule.startswith("Bernoulli"):
        return [
            within("overdispersed (ICC 0.1), 100/min, .9 x SLO: Bernoulli likelihood ratio", 1.0, (0.97, 1.0), found)
        ]
    return []


def freeze(size: Size, tell: Callable[[str], None]) -> Part:
    """The judge breaks for both versions for 10 minutes: the gate on stable's counts."""
    rows, checks = [], []
    runs = max(200, size.breach // 2)
    for total in (200, 2000):
        for rate, kind in (
            (0.9, "no glitch"),
            (0.6, "glitch"),
            (0.9, "glitch"),
            (2.0, "canary breach"),
            (3.0, "canary breach"),
        ):
            tell(f"freeze gate: {total}/min, {kind}, {rate:g}x")
            plain, gated, frozen = _gated(total, rate, kind, runs)
            rows.append(
                (f"{total}/min", f"{kind}, {rate:g} x SLO", _told(plain, rate), _told(gated, rate), f"{frozen:.1f}")
            )
            if (total, rate, kind) == (2000, 0.9, "glitch"):
                checks.append(
                    within("freeze gate, glitch on both, 2000/min: with the gate", 0.005, (0.0, 0.02), share(gated))
                )
                checks.append(
                    within("freeze gate, glitch on both, 2000/min: without it", 0.92, (0.85, 1.0), share(plain))
                )
    says = (
        "5 % of the traffic on the candidate; the judge reports 3x on both for 10 min. In a breach of the candidate "
        "alone stable runs at 0.6 x SLO. FR, or median minutes in a breach."
    )
    head = ("traffic", "case", "E-LIN-R", "E-LIN-R with the freeze gate", "mean ticks frozen")
    return Part((Table("freeze", "The judge breaks for everyone", says, head, tuple(rows)),), tuple(checks))


def _told(stops: peers.Stops, rate: float) -> str:
    return minutes(stops) if rate > 1 else per_cent(share(stops))


def _gated(total: int, rate: float, kind: str, runs: int) -> tuple[peers.Stops, peers.Stops, float]:
    rng = rng_of("freeze", total, rate, kind)
    both = glitched(rng, 1.0, TICKS, runs) if kind == "glitch" else np.ones((TICKS, runs))
    on_stable = min(rate, 0.9) if rate <= 1 else 0.6
    candidate = arrivals(rng, 0.05 * total, np.minimum(1, both * rate * P0), TICKS, runs)
    stable = arrivals(rng, 0.95 * total, np.minimum(1, both * on_stable * P0), TICKS, runs)
    detector, gate = engine.Change(runs, P0), engine.Lin(runs, P0, TICKS)
    values, frozen = [], []
    for tick in range(TICKS):
        ill = (detector.step(stable.bad[tick], stable.total[tick]) >= change.FREEZE).astype(np.float64)
        frozen.append(ill)
        values.append(gate.step(candidate.bad[tick], candidate.total[tick], ill))
    plain = ours(P0)(candidate)
    return plain, peers.first(np.stack(values) >= LIMIT), float(np.stack(frozen).sum(0).mean())


def swings(size: Size, tell: Callable[[str], None]) -> Part:
    """The mean stays at the objective, the rate swings around it: a weak spot unless the limit has head-room."""
    rows = []
    for per_minute in (10, 100):
        for amount, period in ((0.3, 60), (0.6, 60), (0.6, 360)):
            tell(f"swing: {amount:.0%}, {period} min, {per_minute}/min")
            rng = rng_of("swing", per_minute, amount, period)
            trace = swing(amount, period)(rng, per_minute, P0, TICKS, size.breach)
            told = rules()
            names = ("Argo 5m, failureLimit 3", "E-LIN without restarts", "**E-LIN-R, 60 s**")
            found = [per_cent(share(told[name](trace))) for name in names]
            rows.append((f"{per_minute}/min", f"± {amount:.0%} every {period} min", *found))
    says = (
        "The rate is a sine around the objective, downwards first: the average since the start never exceeds it, the "
        "rate itself does for half of the time. E-LIN-R asks about the rate of every block and rolls back, by the "
        "letter of its question; without restarts it asks about the average. Put the objective above the known daily "
        "peak."
    )
    head = ("judged", "swing", "Argo 5m, failureLimit 3", "E-LIN without restarts (average)", "E-LIN-R (local)")
    return Part((Table("swing", "A rate that swings around its objective", says, head, tuple(rows)),))
