"""`make bench-kubernetes`: a table of how fast and how small the controller is on a real API server.

python -m benchmarks.kubernetes.run [--quick] [--only fleet|takeover|paced] [--output text|json] [--write-page]
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import machine, table
from benchmarks.kubernetes import fleet_scene, paced, page, rows, size, takeover

PARTS = ("fleet", "takeover", "paced")
SHORT = ("fleet", "takeover")
Scene = Callable[[], list[table.Row]]


def main() -> int:
    """0 when everything could be measured, whether or not the goals were met. Everything started is stopped."""
    told = _arguments()
    chosen = size.QUICK if told.quick else size.FULL
    facts, began, failed = machine.facts(), time.monotonic(), False
    found: list[table.Row] = []
    for name, scene in scenes(chosen, told.only or (SHORT if told.quick else PARTS), began):
        try:
            found += scene()
        except Exception as error:  # noqa: BLE001 - a scene that cannot be played must not hide the others
            failed = True
            found.append(table.Row(name, "could not be measured", f"{type(error).__name__}: {error}"[:300]))
    facts = {**facts, "kind": "quick" if told.quick else "full", "seconds": round(time.monotonic() - began)}
    print((table.as_json if told.output == "json" else table.as_text)(facts, found))
    if told.write_page and not failed:
        page.write(facts, found)
        print(f"wrote {page.PAGE}", file=sys.stderr)
    return 1 if failed else 0


def scenes(chosen: size.Size, parts: tuple[str, ...], began: float) -> Iterator[tuple[str, Scene]]:
    """Name and play, in order."""
    tell = partial(say, began)
    if "fleet" in parts:
        for count in chosen.fleets:
            yield f"{count:,}", partial(_fleet, count, chosen, tell)
    if "takeover" in parts:
        yield "2 replicas", lambda: rows.of_takeover(takeover.play(chosen, tell))
    if "paced" in parts:
        yield paced.PART, lambda: rows.of_paced(paced.play(tell))


def _fleet(count: int, chosen: size.Size, tell: Callable[[str], None]) -> list[table.Row]:
    return rows.of_fleet(fleet_scene.play(count, chosen, tell))


def say(began: float, text: str) -> None:
    """Progress goes to stderr."""
    print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-kubernetes", description="Measure the controller on a cluster.")
    parser.add_argument("--quick", action="store_true", help="100 rollouts and few changes: at most 3 minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this only; can be repeated")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--write-page", action="store_true", help="put the table into the documentation")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
