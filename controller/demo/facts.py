"""The demo's own look at Envoy: what it counted, read from its admin and not from Tidegate."""

import time
from dataclasses import dataclass

from controller.demo.talk import ask


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests Envoy sent to each version, live and mirrored."""

    live: dict[str, int]
    mirrored: dict[str, int]

    def total(self, version: str) -> int:
        """All requests of a version."""
        return self.live.get(version, 0) + self.mirrored.get(version, 0)


def count(admin: int) -> Counted:
    """Envoy's counters now, by version: a cluster's name ends in `VERSION/live` or `VERSION/mirror`."""
    live: dict[str, int] = {}
    mirrored: dict[str, int] = {}
    for cluster, requests in _clusters(admin).items():
        _, version, role = cluster.rsplit("/", 2)
        into = mirrored if role == "mirror" else live
        into[version] = into.get(version, 0) + requests
    return Counted(live, mirrored)


def _clusters(admin: int) -> dict[str, int]:
    said = ask(admin, "GET", r"/stats?format=json&filter=^cluster\.tidegate.*upstream_rq_total$")
    found = {}
    stats = said.json().get("stats", []) if said.status == 200 else []
    for stat in stats if isinstance(stats, list) else []:
        if isinstance(stat, dict) and "value" in stat:
            name = str(stat["name"]).removeprefix("cluster.").removesuffix(".upstream_rq_total")
            found[name] = int(stat["value"])
    return found


def share(admin: int, version: str, seconds: float = 1.5) -> float | None:
    """Percent of the live requests of the next `seconds` that went to `version`; None when there were none."""
    before = count(admin)
    time.sleep(seconds)
    after = count(admin)
    new = {name: after.live[name] - before.live.get(name, 0) for name in after.live}
    whole = sum(new.values())
    mirrored = after.mirrored.get(version, 0) - before.mirrored.get(version, 0)
    if mirrored and not new.get(version):
        return 100.0 * mirrored / max(whole, 1)
    return round(100.0 * new.get(version, 0) / whole, 2) if whole else None
