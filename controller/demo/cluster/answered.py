"""How many requests really reached each version: read from the model servers themselves, not from any object."""

import re
import time
from collections.abc import Mapping

from controller.demo.talk import ask

ANSWERED = re.compile(rb"^vllm:request_success_total\{[^}]*\} (\S+)$", re.MULTILINE)
SECONDS = 1.5


def answered(port: int) -> int:
    """Chat requests that the model server at 127.0.0.1:`port` has answered since it began; probes do not count."""
    page = ask(port, "GET", "/metrics").body
    return sum(int(float(value)) for value in ANSWERED.findall(page))


class Meter:
    """Measures what share of the requests really reached a version while the controller calls a weight verified."""

    def __init__(self, ports: Mapping[str, int], version: str) -> None:
        self._ports, self._version = ports, version
        self._weight = 0
        self._before: dict[str, int] = {}
        self.measured: list[dict[str, object]] = []

    def see(self, view: Mapping[str, object]) -> dict[str, object] | None:
        """Look at the newest view; what was measured when a weight has just ended."""
        weight = _verified_weight(view, self._version)
        if weight == self._weight:
            return None
        now, before, ended = self._counts(), self._before, self._weight
        self._weight, self._before = weight, now
        new = {name: now[name] - before.get(name, 0) for name in now}
        whole = sum(new.values())
        if not ended or not whole:
            return None
        got = round(100.0 * new[self._version] / whole, 1)
        self.measured.append({"weight": ended, "share": got, "requests": whole})
        return self.measured[-1]

    def _counts(self) -> dict[str, int]:
        return {name: answered(port) for name, port in self._ports.items()}


def _verified_weight(view: Mapping[str, object], version: str) -> int:
    """0 while it is not verified, or of another version."""
    traffic = view.get("traffic")
    if not isinstance(traffic, dict) or traffic.get("candidate") != version or not traffic.get("verified"):
        return 0
    return int(traffic.get("weight") or 0)


def share(ports: Mapping[str, int], version: str, seconds: float = SECONDS) -> float | None:
    """Percent of the requests of the next `seconds` that reached `version`; None when there were none."""
    before = {name: answered(port) for name, port in ports.items()}
    time.sleep(seconds)
    new = {name: answered(port) - before[name] for name, port in ports.items()}
    whole = sum(new.values())
    return round(100.0 * new[version] / whole, 2) if whole else None
