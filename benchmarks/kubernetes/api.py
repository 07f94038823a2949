"""Plain requests to the API server as its administrator, on one connection per object."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from controller.testing.cluster_parts.apiserver import ApiServer

TIMEOUT = 30.0


class Api:
    """For one thread. Raises requests.RequestException with the API server's words."""

    def __init__(self, server: ApiServer) -> None:
        self._url = server.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(server.ca_file)
        self._session.headers["Authorization"] = f"Bearer {server.token}"

    def get(self, path: str) -> Any:
        """JSON."""
        return self._ask("GET", path)

    def create(self, path: str, document: object) -> None:
        """POST to a collection."""
        self._ask("POST", path, json=document)

    def patch(self, path: str, change: object, manager: str = "people") -> None:
        """A merge patch. `manager`: who is said to own what it changes."""
        kind = {"Content-Type": "application/merge-patch+json"}
        self._ask("PATCH", path, json=change, headers=kind, params={"fieldManager": manager})

    @contextmanager
    def watch(self, path: str, version: str) -> Iterator[Iterator[bytes]]:
        """A line of JSON per event, until the server ends it. It has a connection of its own."""
        words = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1800"}
        with self._session.get(self._url + path, params=words, stream=True, timeout=(TIMEOUT, None)) as answer:
            yield (line for line in answer.iter_lines(chunk_size=65536) if line)

    def close(self) -> None:
        """No more requests."""
        self._session.close()

    def _ask(self, verb: str, path: str, **words: Any) -> Any:
        answer = self._session.request(verb, self._url + path, timeout=TIMEOUT, **words)
        if not answer.ok:
            raise requests.HTTPError(f"{verb} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()
