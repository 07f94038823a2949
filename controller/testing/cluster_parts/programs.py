"""Where the programs are: what `scripts/tools` built from the Go modules in tools/, or what somebody brought along."""

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]


class PartError(Exception):
    """A real part is missing, did not start, or did not do what was asked; says which and what it said last."""


def program(name: str) -> Path:
    """The program, from KUBEBUILDER_ASSETS, TIDEGATE_TOOLS or this checkout. PartError when none of them has it."""
    brought = [Path(os.environ[word]) for word in ("KUBEBUILDER_ASSETS", "TIDEGATE_TOOLS") if os.environ.get(word)]
    places = [*brought, CHECKOUT / ".cache" / "tools" / "bin"]
    return _first(name, places, "run `make tools`, or set TIDEGATE_TOOLS to the folder that has it")


def wheel_program(name: str) -> Path:
    """A program that a wheel put beside this Python, such as `envoy`. PartError when it is not there."""
    return _first(name, [Path(sys.executable).parent], "run `make setup` and use .venv/bin/python")


def _first(name: str, places: list[Path], hint: str) -> Path:
    for place in places:
        if (place / name).exists():
            return place / name
    raise PartError(f"no {name} in {', '.join(map(str, places))}: {hint}")
