"""Our own resources on a real API server."""

import json
import time
from pathlib import Path

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.kubectl import KubectlError

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
KINDS = ("modelrollouts", "slotemplates", "rolloutrequests")
PATIENCE = 30.0


def installed(server: ApiServer, *files: str) -> None:
    """Apply files of manifests/ and wait until our kinds are served."""
    for file in files:
        server.kubectl("apply", "--server-side", "-f", str(MANIFESTS / file))
    names = [f"crd/{kind}.tidegate.dev" for kind in KINDS]
    server.kubectl.established(*names, seconds=PATIENCE)


def wait_refused(server: ApiServer, document: dict[str, object]) -> None:
    """Until the API server refuses a document that it should refuse; it is only tried, never made."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(document))
        except KubectlError:
            return
        time.sleep(0.1)
    raise AssertionError("the policy never took effect")
