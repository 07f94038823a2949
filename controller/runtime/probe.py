"""Is a version able to answer? A health check, and one chat request that is counted nowhere.

Nobody waits here for long: a version that does not answer must not hold up the guard of the others.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import requests

from controller.domain.observation import Readiness
from controller.domain.rollout import Version

PROBE_HEADER = "x-tidegate-probe"
TIMEOUT = 2.0
PROBE_TIMEOUT = 30.0
PATIENCE = 0.25
"""Seconds that a pass waits for an answer; it is then taken up by a later pass."""
SLOW = 5.0
"""Seconds after which a probe request that has no answer yet is told."""


@dataclass(slots=True)
class _Question:
    """One question under way."""

    began: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: object = None


@dataclass(frozen=True, slots=True)
class Probed:
    """How a probe request went: `problem` says what is wrong, None when it was answered."""

    problem: str | None = None


def addressed(version: Version, namespace: str) -> Version:
    """The version under the name by which a cluster's DNS knows its Service from every namespace."""
    backend = version.backend
    if backend.kind != "Service":
        return version
    return replace(version, backend=replace(backend, name=f"{backend.name}.{namespace}.svc"))


class Probe:
    """Implements the runtime's readiness questions over HTTP."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Question] = {}
        self._passed: dict[str, str] = {}
        self._lock = threading.Lock()

    def readiness(self, version: Version) -> Readiness:
        """`ready` when the start-up path answers 2xx (without one: when the port answers HTTP at all)."""
        question = self._asked(("ready", _url(version, "/")), lambda: _readiness(version))
        return cast(Readiness, question.answer) if question.done.is_set() else Readiness.UNREACHABLE

    def ask(self, run: str, version: Version) -> Probed | None:
        """One uncounted chat request straight to the backend, answered once per run; None while it is under way.

        A problem is asked about again by the next call.
        """
        where = _url(version, "/")
        if self._passed.get(where) == run:
            return Probed()
        question = self._asked(("chat", where), lambda: _chat(version))
        if question.done.is_set():
            problem = cast(str | None, question.answer)
            if problem is None:
                self._passed[where] = run
            return Probed(problem)
        if time.monotonic() - question.began < SLOW:
            return None
        return Probed(f"{_where(version)} has no answer after {SLOW:g} s; look at the server's log")

    def _asked(self, key: tuple[str, str], work: Callable[[], object]) -> _Question:
        """The question under way, or a new one; an answered one is taken away, so that the next one asks anew."""
        with self._lock:
            question = self._open.get(key)
            if question is None:
                question = self._open[key] = _Question(time.monotonic())
                threading.Thread(target=_answer, args=(question, work), name="probe", daemon=True).start()
        if question.done.wait(PATIENCE):
            with self._lock:
                self._open.pop(key, None)
        return question


def _answer(question: _Question, work: Callable[[], object]) -> None:
    try:
        question.answer = work()
    finally:
        question.done.set()


def _readiness(version: Version) -> Readiness:
    path = version.startup.path if version.startup else "/"
    try:
        with _session() as session, session.get(_url(version, path), timeout=TIMEOUT, stream=True) as answer:
            code = answer.status_code
    except (requests.RequestException, ValueError):
        return Readiness.UNREACHABLE
    if version.startup is None:
        return Readiness.READY if code < 500 else Readiness.LOADING
    return Readiness.READY if 200 <= code < 300 else Readiness.LOADING


def _chat(version: Version) -> str | None:
    body = {"model": version.name, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
    url, headers = _url(version, "/v1/chat/completions"), {PROBE_HEADER: "1"}
    try:
        # The answer's text is of no interest: its first line says enough.
        with (
            _session() as session,
            session.post(url, json=body, headers=headers, timeout=PROBE_TIMEOUT, stream=True) as answer,
        ):
            code = answer.status_code
    except (requests.RequestException, ValueError) as error:
        return f"{_where(version)} got no answer ({type(error).__name__}); look at the server's log"
    return f"{_where(version)} was answered with {code}; look at the server's log" if code >= 500 else None


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _where(version: Version) -> str:
    return f"the probe request to {version.name} at {version.backend.name}:{version.backend.port}"


def _url(version: Version, path: str) -> str:
    host = f"[{version.backend.name}]" if ":" in version.backend.name else version.backend.name
    return f"http://{host}:{version.backend.port}/{path.lstrip('/')}"
