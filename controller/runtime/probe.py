"""Is a version able to answer? A health check, and one chat request that is counted nowhere."""

import requests

from controller.domain.observation import Readiness
from controller.domain.rollout import Version

PROBE_HEADER = "x-tidegate-probe"
TIMEOUT = 2.0
PROBE_TIMEOUT = 30.0


class Probe:
    """Implements the runtime's readiness questions over HTTP."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def readiness(self, version: Version) -> Readiness:
        """`ready` when the start-up path answers 2xx (without one: when the port answers HTTP at all)."""
        path = version.startup.path if version.startup else "/"
        try:
            with self._session.get(_url(version, path), timeout=TIMEOUT, stream=True) as answer:
                code = answer.status_code
        except requests.RequestException:
            return Readiness.UNREACHABLE
        if version.startup is None:
            return Readiness.READY if code < 500 else Readiness.LOADING
        return Readiness.READY if 200 <= code < 300 else Readiness.LOADING

    def ask(self, version: Version) -> str | None:
        """One uncounted chat request straight to the backend; what is wrong with the answer, or None."""
        body = {"model": version.name, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
        where = f"the probe request to {version.name} at {version.backend.name}:{version.backend.port}"
        try:
            url = _url(version, "/v1/chat/completions")
            with self._session.post(url, json=body, headers={PROBE_HEADER: "1"}, timeout=PROBE_TIMEOUT) as answer:
                code = answer.status_code
        except requests.RequestException as error:
            return f"{where} got no answer ({type(error).__name__}); look at the server's log"
        return f"{where} was answered with {code}; look at the server's log" if code >= 500 else None

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()


def _url(version: Version, path: str) -> str:
    host = f"[{version.backend.name}]" if ":" in version.backend.name else version.backend.name
    return f"http://{host}:{version.backend.port}/{path.lstrip('/')}"
