"""Our Helm chart in a real API server: rendered, installed, and the account that it makes for the controller."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.programs import PartError, program

CHART = Path(__file__).resolve().parents[3] / "helm" / "tidegate"
RELEASE = "tidegate"


def render(values: Mapping[str, object] | None = None, *words: str, namespace: str = RELEASE) -> str:
    """All resources as text. PartError with Helm's message when the chart refuses the values."""
    return _helm(["template", RELEASE, str(CHART), "--namespace", namespace, *words], values)


def lint(values: Mapping[str, object] | None = None) -> str:
    """Helm's own opinion; PartError when it has one."""
    return _helm(["lint", "--strict", str(CHART)], values)


def install(server: ApiServer, namespace: str = RELEASE, values: Mapping[str, object] | None = None) -> Path:
    """Install or upgrade the chart as `admin`; returns a kubeconfig of the controller's service account."""
    access = ["--kubeconfig", str(server.kubeconfig()), "--namespace", namespace, "--create-namespace"]
    _helm(["upgrade", "--install", RELEASE, str(CHART), *access], values)
    return kubeconfig_of(server, namespace)


def uninstall(server: ApiServer, namespace: str = RELEASE) -> None:
    """What the chart made goes, but for what it keeps."""
    _helm(["uninstall", RELEASE, "--kubeconfig", str(server.kubeconfig()), "--namespace", namespace])


def kubeconfig_of(server: ApiServer, namespace: str = RELEASE, account: str = RELEASE) -> Path:
    """A kubeconfig with a token of the service account, good for an hour."""
    token = server.kubectl("create", "token", account, "--namespace", namespace).strip()
    return server.kubeconfig_for(f"{namespace}:{account}", token)


def _helm(words: list[str], values: Mapping[str, object] | None = None) -> str:
    given = ["--values", "-"] if values else []
    done = subprocess.run(
        [program("helm"), *words, *given],
        input=json.dumps(values) if values else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise PartError(f"helm {words[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
