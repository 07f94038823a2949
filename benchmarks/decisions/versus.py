"""Against the concurrent stable: drift, a traffic ramp, and dependence that breaks comparisons."""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, kayenta, peers
from benchmarks.decisions.absolute import LIMIT, TICKS
from benchmarks.decisions.results import Check, Part, Size, Table, delay, minutes, near, per_cent, share, within
from benchmarks.decisions.traces import Floats, Rng, Trace, arrivals, conversations, rng_of, wandered
from controller.analysis.relative import Margin

Pair = tuple[Trace, Trace]
RELATIVE = "**E-REL-LIN**"
RAMP = (0.01, 0.05, 0.25, 0.5)


def versus(pair: Pair, prior: float, margin: Margin, shares: list[float], pairs: int = 0) -> peers.Stops:
    """E-REL-LIN at 5 %."""
    return peers.first(engine.versus(*pair, prior, margin, shares, pairs) >= LIMIT)


def peer_rules(pair: Pair, slow: int) -> Mapping[str, peers.Stops]:
    """The peers' comparisons; Kayenta, which is slow, on the first `slow` runs."""
    few = [Trace(arm.bad[:, :slow], arm.total[:, :slow]) for arm in pair]
    return {
        "Argo 5m, canary > stable, failureLimit 0": peers.side_by_side(*pair, 0),
        "Argo 5m, canary > stable, failureLimit 3": peers.side_by_side(*pair, 3),
        "Kayenta, every 60 min": kayenta.stops(few[0], few[1]),
        "pooled two-proportion z, every tick": peers.pooled_z(*pair),
    }


def split(rng: Rng, total: float, share_: float, stable: Floats | float, candidate: Floats | float, runs: int) -> Pair:
    """Both arms of one traffic split; rates may be arrays of (ticks, runs)."""
    return (
        arrivals(rng, share_ * total, candidate, TICKS, runs),
        arrivals(rng, (1 - share_) * total, stable, TICKS, runs),
    )


def drifting(size: Size, tell: Callable[[str], None]) -> Part:
    """Stable's rate drifts around 4 %; the margin is one point."""
    margin, prior, total, part = Margin(points=0.01), 0.04, 200.0, 0.05
    shares, checks = [part] * TICKS, []
    rows: dict[str, list[str]] = {}
    for case, times, points in (
        ("same", 1.0, 0.0),
        ("boundary", 1.0, 0.01),
        ("2x", 2.0, 0.0),
        ("3x", 3.0, 0.0),
        ("5x", 5.0, 0.0),
    ):
        tell(f"drifting stable: {case}")
        rng = rng_of("drift", case)
        stable = wandered(rng, prior, TICKS, size.breach)
        pair = split(rng, total, part, stable, np.minimum(1.0, times * stable + points), size.breach)
        told = dict(peer_rules(pair, size.slow)) | {RELATIVE: versus(pair, prior, margin, shares)}
        for name, stops in told.items():
            good = case in ("same", "boundary")
            rows.setdefault(name, [name]).append(per_cent(share(stops)) if good else minutes(stops))
        checks += _drift_checks(case, told[RELATIVE])
    says = (
        "200/min, 5 % on the candidate, stable drifts around 4 % (log-normal, sd 0.4, 30 min of memory), margin 1 "
        "point. FR when the candidate is the same, or exactly 1 point worse (allowed; a rule without a margin sees a "
        "breach); median minutes when it is 2x to 5x stable."
    )
    head = ("rule", "FR, same", "FR, 1 point worse", "2x", "3x", "5x")
    return Part((Table("drift", "Stable drifts", says, head, tuple(tuple(r) for r in rows.values())),), tuple(checks))


def _drift_checks(case: str, stops: peers.Stops) -> list[Check]:
    if case == "boundary":
        return [within("E-REL-LIN false rollback at the boundary, drifting stable", 0.021, (0.0, 0.05), share(stops))]
    wanted = {"2x": 54.0, "3x": 15.0, "5x": 6.0}.get(case)
    if wanted is None:
        return []
    return [near(f"E-REL-LIN median delay, drifting stable, {case}", wanted, max(1.0, 0.12 * wanted), delay(stops))]


def rare(size: Size, tell: Callable[[str], None]) -> Part:
    """Rare harm beside stable: most minutes have none, and ranks of rates are blind to it."""
    rows: dict[str, list[str]] = {}
    for times in (1.0, 1.25, 3.0, 5.0, 10.0):
        tell(f"rare harm beside stable: {times:g}x")
        pair = split(rng_of("rare", times), 2000.0, 0.05, 0.001, 0.001 * times, size.breach)
        told = dict(peer_rules(pair, size.slow)) | {RELATIVE: versus(pair, 0.001, Margin(ratio=1.25), [0.05] * TICKS)}
        for name, stops in told.items():
            rows.setdefault(name, [name]).append(per_cent(share(stops)) if times < 2 else minutes(stops))
    says = (
        "Stable at 0.1 % with 1,900 judged answers a minute, the candidate with 100, margin ratio 1.25. FR when the "
        "candidate is the same, or 1.25 x as bad (allowed; a rule without a margin sees a breach); else median minutes."
    )
    head = ("rule", "FR, same", "FR, 1.25x", "3x", "5x", "10x")
    return Part((Table("rare", "Rare harm beside stable", says, head, tuple(tuple(r) for r in rows.values())),))


def ramp(size: Size, tell: Callable[[str], None]) -> Part:
    """The candidate is the same as stable; the share goes up while the common rate doubles."""
    shares = [RAMP[tick * len(RAMP) // TICKS] for tick in range(TICKS)]
    rate = 0.04 * (1 + np.arange(TICKS) / TICKS)[:, None]
    weight = np.array(shares)[:, None]
    rows, checks = [], []
    for total in (200.0, 2000.0):
        tell(f"traffic ramp: {total:g}/min")
        rng, shape = rng_of("ramp", total), np.ones((TICKS, size.breach))
        pair = (
            Trace(*_counts(rng, total * weight * shape, rate)),
            Trace(*_counts(rng, total * (1 - weight) * shape, rate)),
        )
        told = dict(peer_rules(pair, size.slow)) | {RELATIVE: versus(pair, 0.04, Margin(), shares)}
        rows += [(f"{total:g}/min", name, per_cent(share(stops))) for name, stops in told.items()]
        if total == 200.0:
            checks.append(
                within("E-REL-LIN on a traffic ramp, same candidate", 0.039, (0.0, 0.06), share(told[RELATIVE]))
            )
    says = (
        "The share goes 1 → 5 → 25 → 50 % in 6 h while the rate of both doubles from 4 to 8 %; the candidate is the "
        "same as stable at all times. Whoever pools over a change of weight compares late answers with early ones."
    )
    return Part(
        (Table("ramp", "A traffic ramp", says, ("traffic", "rule", "false rollback"), tuple(rows)),), tuple(checks)
    )


def _counts(rng: Rng, per_tick: Floats, rate: Floats) -> tuple[Floats, Floats]:
    bad, good = rng.poisson(per_tick * rate), rng.poisson(per_tick * (1 - rate))
    return bad.astype(np.float64), (bad + good).astype(np.float64)


def comparison_stress(size: Size, tell: Callable[[str], None]) -> Part:
    """What breaks the relative test: random effects of one arm at the level of a tick."""
    rows = []
    runs = max(100, size.breach // 2)
    for total, part in ((200.0, 0.05), (2000.0, 0.05), (200.0, 0.5)):
        for name in ("clean", "burst on both", "conversations", "ICC 0.02 per arm", "ICC 0.1 per arm"):
            tell(f"comparison under stress: {name}, {total:g}/min, {part:.0%}")
            found: dict[str, list[str]] = {}
            for times in (1.0, 2.0, 3.0):
                pair = _stressed(name, total, part, times, runs)
                told = {
                    "pooled two-proportion z": peers.pooled_z(*pair),
                    "E-REL-LIN, m = 1": versus(pair, 0.05, Margin(), [part] * TICKS, 1),
                    "E-REL-LIN, m = 2": versus(pair, 0.05, Margin(), [part] * TICKS, 2),
                }
                for rule, stops in told.items():
                    found.setdefault(rule, []).append(per_cent(share(stops)) if times == 1 else minutes(stops))
            rows += [(f"{part:.0%} of {total:g}/min", name, rule, *cells) for rule, cells in found.items()]
    says = (
        "Rate 5 %, no margin. Where the rate of each arm jumps on its own every minute (ICC per arm), the test is "
        "broken: prove it calm by an A/A run on your traffic before it may roll back, or let it hold and page."
    )
    head = ("candidate", "answers", "rule", "FR, same", "minutes at 2x", "minutes at 3x")
    return Part((Table("versus-stress", "What breaks the comparison", says, head, tuple(rows)),))


def _stressed(name: str, total: float, part: float, times: float, runs: int) -> Pair:
    rng, p = rng_of("versus", name, total, part, times), 0.05
    if name == "conversations":
        return (
            conversations(rng, part * total, times * p, TICKS, runs),
            conversations(rng, (1 - part) * total, p, TICKS, runs),
        )
    if name.startswith("ICC"):
        spread = (1 - float(name.split()[1])) / float(name.split()[1])
        arms = [rng.beta(q * spread, (1 - q) * spread, (TICKS, runs)) for q in (p, times * p)]
        return split(rng, total, part, arms[0], arms[1], runs)
    common = (
        np.where(rng.random((TICKS, runs)) < 0.05, 5.0, 1.0) / 1.2
        if name == "burst on both"
        else np.ones((TICKS, runs))
    )
    return split(rng, total, part, p * common, np.minimum(1.0, times * p * common), runs)
