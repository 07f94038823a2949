"""`make bench`: how fast, how small. Prints a table with the machine's facts; every process is stopped at the end.

python benchmarks/run.py [--quick] [--only NAME]... [--output text|json]
"""

import argparse
import sys
from pathlib import Path

NAMES = ("breach", "demo", "commands", "scale", "queries", "micro", "history")


def main() -> int:
    """0 when everything could be measured, whether or not the goals were met."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks import breach, commands, demo_daemon, history, machine, micro, queries, scale, table

    benches = {
        "breach": breach.measure,
        "demo": demo_daemon.measure,
        "commands": commands.measure,
        "scale": scale.measure,
        "queries": queries.measure,
        "micro": micro.measure,
        "history": history.measure,
    }
    told = _arguments()
    facts = machine.facts()
    rows: list[table.Row] = []
    failed = False
    for name in told.only or NAMES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            rows += benches[name](told.quick)
        except Exception as error:  # noqa: BLE001 - one bench that cannot run must not hide the others
            failed = True
            rows.append(table.Row(name, "could not be measured", f"{type(error).__name__}: {error}"[:300]))
    print((table.as_json if told.output == "json" else table.as_text)(facts, rows))
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure how fast and how small Tidegate is.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: at most 3 minutes")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this only; can be repeated")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
