"""What the controller asked of the API server, by the API server's own audit log: who, verb, resource, when."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

ACCOUNT = "system:serviceaccount:tidegate:tidegate"
WRITES = frozenset({"create", "update", "patch", "delete"})
KEEPING = frozenset({"leases"})
EVENTS = frozenset({"events"})
Counts = Mapping[tuple[str, str], int]
"""(verb, resource) -> requests. Watches are counted when they end."""

POLICY = f"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: ["{ACCOUNT}"]
- level: None
"""


def flags(folder: Path) -> tuple[str, ...]:
    """For the API server: keep the log in `folder`."""
    policy = folder / "audit-policy.yaml"
    policy.write_text(POLICY)
    return f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}"


def requests_between(folder: Path, begin: float, end: float) -> Counts:
    """Requests of the controller's account that came in between two instants (Unix time)."""
    found: Counter[tuple[str, str]] = Counter()
    with (folder / "audit.log").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break
            entry = json.loads(line)
            if begin <= datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() < end:
                found[entry["verb"], _resource(entry.get("objectRef") or {})] += 1
    return found


def _resource(ref: Mapping[str, str]) -> str:
    name = ref.get("resource", "no resource")
    return f"{name}/{ref['subresource']}" if ref.get("subresource") else name


def beyond(counts: Counts) -> int:
    """All but watches and leases."""
    return sum(n for (verb, resource), n in counts.items() if verb != "watch" and resource not in KEEPING)


def writes(counts: Counts) -> int:
    """Without leases, and without Events: each of those tells a decision."""
    return sum(n for (verb, resource), n in counts.items() if verb in WRITES and resource not in KEEPING | EVENTS)
