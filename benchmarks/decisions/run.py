"""`make bench-decisions`: right decisions, compared with the peers' rules on the same seeded traces.

python -m benchmarks.decisions.run [--quick] [--only NAME]... [--output text|json]
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine
from benchmarks.decisions import absolute, afterwards, page, production, promoting, results, stress, together, versus
from benchmarks.decisions.results import Part, Size

Experiment = Callable[[Size, Callable[[str], None]], Part]
EXPERIMENTS: Mapping[str, tuple[Experiment, ...]] = {
    "production": (production.same,),
    "absolute": (absolute.headline, absolute.guarantee, absolute.late_breach, absolute.low_volume),
    "stress": (stress.overdispersed, stress.freeze, stress.swings),
    "versus": (versus.drifting, versus.rare, versus.ramp, versus.comparison_stress),
    "streams": (together.ten_streams,),
    "promotion": (promoting.promotion, promoting.promotion_stress, promoting.intervals),
    "afterwards": (afterwards.month, afterwards.turned),
}


def main() -> int:
    """0 when every acceptance band was met. The full run of everything also writes the page and its figures."""
    told = _arguments()
    size = results.QUICK if told.quick else results.FULL
    chosen = [run for name, runs in EXPERIMENTS.items() if not told.only or name in told.only for run in runs]
    known, began = machine.facts(), time.monotonic()
    whole = results.merged(with_progress(chosen, size))
    facts = {
        **known,
        "numpy": np.__version__,
        "seconds": round(time.monotonic() - began),
        "runs at a null": size.null,
        "runs at a breach": size.breach,
    }
    print(results.as_json(whole, facts) if told.output == "json" else results.as_text(whole))
    if not (told.quick or told.only or told.output == "json"):
        page.write(whole, facts)
        print(f"\nwrote {page.PAGE} and its figures", file=sys.stderr)
    print(f"{facts['seconds']} s", file=sys.stderr)
    return 0 if all(check.inside for check in whole.checks) else 1


def with_progress(chosen: Sequence[Experiment], size: Size) -> list[Part]:
    """What every experiment found; a bar on a terminal, lines in a pipe, both on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return [run(size, lambda text: print(text, file=sys.stderr, flush=True)) for run in chosen]
    done = TextColumn("{task.completed}/{task.total}")
    with Progress(BarColumn(), done, TimeElapsedColumn(), TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("", total=len(chosen))
        parts = []
        for run in chosen:
            parts.append(run(size, lambda text: bar.update(task, description=text)))
            bar.advance(task)
        return parts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-decisions", description="Compare decisions with the peers' rules."
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs: at most 2 minutes; writes no page")
    parser.add_argument(
        "--only", action="append", choices=tuple(EXPERIMENTS), help="this experiment only; can be repeated"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json writes no page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
