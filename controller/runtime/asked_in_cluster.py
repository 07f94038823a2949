"""People's requests as objects of a cluster: each RolloutRequest counts once, and its status says how it ended."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from controller.domain.cluster import ROLLOUT_REQUEST, ClusterError, Document, ObjectRef
from controller.domain.decision import Decision, Fact, Notice, Reason
from controller.domain.names import RolloutKey
from controller.domain.record import StoreUnavailableError
from controller.domain.request import Ask, OperatorRequest
from controller.ports import Clock, ObjectView, Shards, Store
from controller.runtime.book import Book, Held
from controller.runtime.cluster_writer import ClusterWriter

log = structlog.get_logger("requests")
ENDED = ("Done", "Refused")
PATIENCE = 10.0
"""Seconds that a request may be older than its rollout: both may have been applied together."""
REMEMBERED = 2000
"""Entries of a rollout's journal in which is looked whether a request was counted already."""
HARMLESS = frozenset({Ask.ABORT, Ask.PAUSE})
"""What may be counted twice: taken while the journal cannot be read."""
LONGEST = 500


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request as it was read."""

    ref: ObjectRef
    uid: str
    key: RolloutKey
    spec: Mapping[str, object]
    created: str

    def text(self, name: str, limit: int = LONGEST) -> str:
        """A field of its spec as text, cut off; empty when it is missing."""
        value = self.spec.get(name)
        return value.strip()[:limit] if isinstance(value, str) else ""


class Requests:
    """`look` for one thread at a time, `settled` and `forget` for any."""

    def __init__(
        self, book: Book, shards: Shards, store: Store, view: ObjectView, writer: ClusterWriter, clock: Clock,
        wake: Callable[[RolloutKey], None],
    ) -> None:  # fmt: skip
        self._book, self._shards, self._store = book, shards, store
        self._view, self._writer, self._clock, self._wake = view, writer, clock, wake
        self._lock = threading.Lock()
        self._open: dict[str, _Asked] = {}
        self._first_seen: dict[str, float] = {}

    def look(self) -> None:
        """Take down what is new, and answer what cannot be taken down."""
        try:
            documents = self._view.all(ROLLOUT_REQUEST)
        except ClusterError:
            return  # told by whoever reads the rollouts
        waiting = [asked for asked in map(_read, documents) if asked is not None]
        with self._lock:
            present = {asked.uid for asked in waiting}
            self._first_seen = {uid: at for uid, at in self._first_seen.items() if uid in present}
            self._open = {uid: asked for uid, asked in self._open.items() if uid in present}
            new = [asked for asked in waiting if asked.uid not in self._open]
        for asked in new:
            if self._shards.holds(asked.key):
                self._take(asked)

    def settled(self, held: Held, decision: Decision) -> None:
        """A pass answered some: the requests' statuses say how."""
        for uid in decision.settled:
            with self._lock:
                asked = self._open.get(uid)
            if asked is not None:
                notices = [notice for notice in decision.notices if notice.facts.get("request") == uid]
                self._end(asked, *_answer(notices, held))

    def forget(self, key: RolloutKey) -> None:
        """Another process answers what was asked of this rollout."""
        with self._lock:
            self._open = {uid: asked for uid, asked in self._open.items() if asked.key != key}

    def _take(self, asked: _Asked) -> None:
        held = self._book.get(asked.key)
        if held is None:
            with self._lock:
                first = self._first_seen.setdefault(asked.uid, self._clock.monotonic())
            if self._clock.monotonic() - first >= PATIENCE:
                self._end(
                    asked, "Refused", f"there is no ModelRollout {asked.key}; `kubectl get mro` shows those there are"
                )
            return
        refusal = _refusal(asked, held)
        if refusal is not None:
            self._end(asked, "Refused", refusal)
        elif not self._is_counted(asked, held):
            self._hand_over(asked, held)

    def _is_counted(self, asked: _Asked, held: Held) -> bool:
        """Did a process before this one answer it, and die before its status was written? Not known counts as yes."""
        try:
            entries = self._store.journal(asked.key, REMEMBERED)
        except StoreUnavailableError:
            return _ask(asked) not in HARMLESS
        found = [entry for entry in entries if entry.facts.get("request") == asked.uid]
        if found:
            refused = next((entry.facts for entry in found if entry.reason == Reason.REFUSED.value), None)
            self._end(asked, "Refused" if refused else "Done", _why(refused) if refused else _done(held))
        return bool(found)

    def _hand_over(self, asked: _Asked, held: Held) -> None:
        ask = _ask(asked)
        assert ask is not None, "checked: the action is known"
        request = OperatorRequest(
            asked.uid,
            ask,
            asked.text("requestedBy"),
            asked.text("reason"),
            self._at(asked),
            asked.text("argument", 100),
        )
        with self._lock:
            self._open[asked.uid] = asked
        with held.lock:
            held.inbox.append(request)
        log.info("asked", rollout=str(asked.key), ask=ask.value, actor=request.actor, request=asked.ref.name)
        self._wake(asked.key)

    def _at(self, asked: _Asked) -> datetime:
        """When it was asked, by the API server's clock; never later than now."""
        try:
            return min(datetime.fromisoformat(asked.created), self._clock.now())
        except (ValueError, TypeError):
            return self._clock.now()

    def _end(self, asked: _Asked, state: str, message: str) -> None:
        with self._lock:
            self._open[asked.uid] = asked
        status = {"state": state, "message": message[:1000], "observedAt": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}"}

        def compute(document: Document) -> Mapping[str, object] | None:
            return None if _state(document) in ENDED else status

        self._writer.want(asked.ref, compute, at_once=True)


def _read(document: Document) -> _Asked | None:
    """A request that is not answered yet, or None."""
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, Mapping) or not isinstance(spec, Mapping) or _state(document) in ENDED:
        return None
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    ref = ObjectRef(ROLLOUT_REQUEST, namespace, name)
    key = RolloutKey(namespace, str(spec.get("rollout", "")))
    return _Asked(ref, str(metadata.get("uid", "")), key, spec, str(metadata.get("creationTimestamp", "")))


def _state(document: Document) -> str:
    status = document.get("status")
    return str(status.get("state", "")) if isinstance(status, Mapping) else ""


def _ask(asked: _Asked) -> Ask | None:
    return next((ask for ask in Ask if ask.value == asked.text("action")), None)


def _refusal(asked: _Asked, held: Held) -> str | None:
    """Why it cannot be asked at all; the rollout itself may still refuse it."""
    if _ask(asked) is None:
        known = ", ".join(ask.value for ask in Ask)
        return f"unknown action `{asked.text('action', 40)}`; known: {known}"
    if not asked.text("requestedBy"):
        return "spec.requestedBy must say who asks"
    if not asked.text("reason"):
        return "spec.reason must say why"
    run, wanted = held.position.run, asked.text("run")
    if wanted and (run is None or run.id != wanted):
        return f"the request is for run {wanted}, but {f'{run.id} is the present one' if run else 'there is no run'}"
    return None


def _answer(notices: Sequence[Notice], held: Held) -> tuple[str, str]:
    refused = next((notice.facts for notice in notices if notice.reason is Reason.REFUSED), None)
    return ("Refused", _why(refused)) if refused is not None else ("Done", _done(held))


def _why(facts: Mapping[str, Fact]) -> str:
    return str(facts.get("why") or "refused")


def _done(held: Held) -> str:
    position = held.position
    return f"{position.phase.value}: {position.message}" if position.message else position.phase.value
