"""Runs the real kubectl as one user."""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.testing.cluster_parts.programs import PartError, program

Resource = Mapping[str, Any]


class KubectlError(PartError):
    """kubectl ended with another exit code than 0; the text has what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Call it with kubectl's own words; what it printed comes back."""

    kubeconfig: Path
    timeout: float = 60.0

    def __call__(self, *words: str | Path, stdin: str | None = None) -> str:
        """Raises KubectlError with kubectl's own message, TimeoutExpired after `timeout` seconds."""
        argv = [str(word) for word in (program("kubectl"), "--kubeconfig", self.kubeconfig, *words)]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=self.timeout)
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, *resources: Resource, server_side: bool = False) -> str:
        """Apply these documents."""
        more = ["--server-side", "--force-conflicts"] if server_side else []
        return self("apply", *more, "-f", "-", stdin=_as_list(resources))

    def established(self, *definitions: str | Path, seconds: float = 30.0) -> None:
        """Until these are served: names as `crd/NAME`, or `-f` and a file. KubectlError after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self("wait", "--for=condition=Established", f"--timeout={seconds:.0f}s", *definitions)
                return
            except KubectlError as error:
                # kubectl stumbles over one that is so new that it has no conditions yet.
                if "conditions accessor error" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def delete(self, *resources: Resource) -> str:
        """Delete these documents; those that are not there are no error."""
        return self("delete", "--ignore-not-found", "-f", "-", stdin=_as_list(resources))

    def get(self, kind: str, name: str, namespace: str = "default") -> Any:
        """One resource as a document."""
        return json.loads(self("get", kind, name, "--namespace", namespace, "--output", "json"))

    def items(self, kind: str, *words: str) -> list[Any]:
        """The resources of a kind; `words` as in `-A` or `--selector`."""
        return list(json.loads(self("get", kind, *words, "--output", "json"))["items"])


def _as_list(resources: Iterable[Resource]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [dict(resource) for resource in resources]})
