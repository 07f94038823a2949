"""The controller as the chart's Deployment would run it, as a process of this machine: there are no nodes.

Command, environment and account are the chart's. What a node would give is replaced: the state folder, the token (as a
kubeconfig), the Secret's file, and the cluster's DNS (as a hosts file that only this process sees).
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from controller.demo.processes import Program
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.resources import Document

NAME = "tidegate"
POD = "tidegate-demo"
WITH_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'


def program(deployment: Document, netns: Netns, hosts: Path, given: Mapping[str, str]) -> Program:
    """The Deployment's one container, in the network. `given` replaces and adds environment variables."""
    argv, environment = command(deployment, hosts, given)
    return Program(NAME, netns.command(argv), health=None, grace=6.0, environment=environment)


def command(deployment: Document, hosts: Path, given: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command line and environment. The process keeps its pid and has a hosts file of its own."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    argv = [sys.executable, "-m", "controller", *container["args"]]
    environment = {**_environment(container, deployment["metadata"]["namespace"]), **given}
    return ["unshare", "--mount", "--", "sh", "-c", WITH_HOSTS, str(hosts), *argv], environment


def _environment(container: Document, namespace: str) -> dict[str, str]:
    """Plain values, and the two that a node fills in; what comes from Secrets is `given`."""
    fields = {"metadata.name": POD, "metadata.namespace": namespace}
    found = {}
    for one in container["env"]:
        field = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if "value" in one:
            found[one["name"]] = str(one["value"])
        elif field in fields:
            found[one["name"]] = fields[field]
    return found
