"""On what was it measured?"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil


def facts() -> dict[str, object]:
    """The machine's facts, with the load before anything was started."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "CPU": _cpu(),
        "cores": f"{os.cpu_count()} (busy before the start: {psutil.cpu_percent(1.0):.0f} %)",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "Envoy": _envoy(),
        "load before": f"{load} (1, 5, 15 min)",
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _envoy() -> str:
    binary = Path(sys.executable).parent / "envoy"
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "not found"
    return next((part for part in said.split("/") if part.count(".") == 2), said.strip())
