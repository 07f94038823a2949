"""Ten streams with one budget, and the breach of one of them."""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.absolute import LIMIT, TICKS
from benchmarks.decisions.results import Part, Size, Table, minutes, per_cent, share, within
from benchmarks.decisions.traces import Trace, clean, rng_of

SCENARIOS = 4


def ten_streams(size: Size, tell: Callable[[str], None]) -> Part:
    """Two SLOs, each pooled and in four scenarios, one budget."""
    rows, checks = [], []
    for per_minute in (10, 100):
        found: dict[str, list[str]] = {}
        for x, worse in ((0.6, 1.0), (0.9, 1.0), (1.0, 1.0), (0.6, 3.0), (0.6, 6.0)):
            tell(f"ten streams: {per_minute}/min, {x:g}x, one scenario {worse:g}x")
            told = _ten(per_minute, x, worse, max(200, size.breach // 2))
            for name, stops in told.items():
                found.setdefault(name, []).append(per_cent(share(stops)) if worse == 1 else minutes(stops))
            if (x, worse) == (0.9, 1.0):
                what = f"weighted mean of ten streams at .9 x SLO, {per_minute}/min"
                checks.append(
                    within(
                        what, 0.002 if per_minute == 10 else 0.005, (0.0, 0.05), share(told["**weighted mean of E**"])
                    )
                )
        rows += [(f"{per_minute}/min", name, *cells) for name, cells in found.items()]
    says = (
        "Harm 0.1 % (weight 0.6) and hallucination 5 % (0.4), each half pooled, half over four scenarios. FR when all "
        "run at the same multiple of their SLO; median minutes when one hallucination scenario alone runs at 1.8 or "
        "3.6 x its SLO."
    )
    head = ("judged", "rule", "FR .6x", "FR .9x", "FR 1.0x", "one scenario 1.8x", "one scenario 3.6x")
    return Part((Table("ten", "Ten streams", says, head, tuple(rows)),), tuple(checks))


def _ten(per_minute: int, x: float, worse: float, runs: int) -> Mapping[str, peers.Stops]:
    rng = rng_of("ten", per_minute, x, worse)
    merged = np.zeros((TICKS, runs))
    argo = [np.full(runs, peers.NEVER)] * 2
    for p0, weight in ((0.001, 0.6), (0.05, 0.4)):
        rates = [x * p0 * (worse if (s == 0 and p0 == 0.05) else 1.0) for s in range(SCENARIOS)]
        slices = [clean(rng, per_minute / SCENARIOS, rate, TICKS, runs) for rate in rates]
        pooled = Trace(sum((s.bad for s in slices), np.zeros(1)), sum((s.total for s in slices), np.zeros(1)))
        for trace, part in [(pooled, weight / 2), *((s, weight / 2 / SCENARIOS) for s in slices)]:
            merged += part * engine.evidence(trace, p0, TICKS)
            argo = [np.minimum(known, peers.argo(trace, p0, limit)) for known, limit in zip(argo, (0, 3), strict=True)]
    return {
        "Argo 5m per stream, failureLimit 0": argo[0].astype(np.int64),
        "Argo 5m per stream, failureLimit 3": argo[1].astype(np.int64),
        "**weighted mean of E**": peers.first(merged >= LIMIT),
    }
