"""ModelRollouts of a cluster. Read from a view that a watch keeps current: reading costs no request."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.cluster import MODEL_ROLLOUT, ClusterError, Document, NotServedError, ObjectRef
from controller.domain.names import Digest, RolloutKey, VersionName
from controller.domain.observation import Reported, SpecSeen
from controller.domain.state import Cause, Phase
from controller.ports import Clock, ObjectView, Specs
from controller.sources.cluster_templates import ClusterTemplates
from controller.sources.coalesced import Coalesced
from controller.sources.template_shelf import TemplateShelf
from controller.spec.expanding import Found
from controller.spec.parse import parse_document
from controller.spec.templates import Templates

FIRST_LOOK = 5.0
"""Seconds that the first reading waits for the watch: without it, what is stored would look deleted."""
LOOK_AGAIN = 0.05
ENDED_BADLY = frozenset({Phase.ROLLING_BACK.value, Phase.ROLLED_BACK.value})
NO_FAULT = frozenset({Cause.REVERTED.value, Cause.SUPERSEDED.value, Cause.EDITED.value})
"""Runs that ended so may begin again by themselves."""
Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Read:
    """One object as it was read: which text of which object, with which templates, and what came of it."""

    text: tuple[str, int]
    seen: SpecSeen
    used: Found = ()


class CustomResources:
    """Implements ports.SpecSource. `namespaces` empty: all of them. The last good specs outlive a broken watch."""

    def __init__(self, view: ObjectView, namespaces: Sequence[str] = (), clock: Clock | None = None) -> None:
        self._view, self._namespaces, self._clock = view, tuple(namespaces) or ("",), clock
        self._lock = threading.Lock()
        self._known: dict[RolloutKey, _Read] = {}
        self._as_of: datetime | None = None
        self._followed = False
        self._templates = ClusterTemplates(view)
        self._news = Coalesced("rollouts of the cluster")

    def read(self) -> Specs:
        """All specs as they are now. A view that is not current changes nothing and is told as `trouble`."""
        with self._lock:
            self._follow()
            try:
                documents = self._view.all(MODEL_ROLLOUT)
            except ClusterError as error:
                return Specs(self._rollouts(), trouble=_trouble(error), as_of=self._as_of)
            self._as_of = self._clock.now() if self._clock else None
            wrong = self._templates.read()
            present = dict(self._present(documents))
            gone = {key: _removed(read) for key, read in self._known.items() if key not in present}
            self._known = present | gone
            return Specs(self._rollouts(), wrong, as_of=self._as_of)

    def share(self, shelf: TemplateShelf) -> None:
        """Put templates there, and read them from there, from now on."""
        self._templates.shelf = shelf

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` from a thread of its own when a spec is new, gone or another."""
        with self._lock:
            self._follow()
        self._news.start(changed)

    def close(self) -> None:
        """Stop telling; the view is closed by who opened it."""
        self._news.stop()

    def _follow(self) -> None:
        if self._followed:
            return
        self._followed = True
        for namespace in self._namespaces:
            self._view.follow(MODEL_ROLLOUT, namespace, self._heard)
        self._templates.follow(self._namespaces, self._news.tell)
        deadline = time.monotonic() + FIRST_LOOK
        while not self._is_current() and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN)

    def _is_current(self) -> bool:
        try:
            self._view.all(MODEL_ROLLOUT)
        except NotServedError:
            return True  # waiting does not bring it
        except ClusterError:
            return False
        return True

    def _heard(self, ref: ObjectRef) -> None:
        """Called for every event; a status that changed, which is what we write ourselves, is no news."""
        read = self._known.get(RolloutKey(ref.namespace, ref.name))
        try:
            document = self._view.get(ref)
        except ClusterError:
            document = None
        if document is None or read is None or read.seen.deleted or read.text != _text_of(document):
            self._news.tell()

    def _rollouts(self) -> dict[RolloutKey, SpecSeen]:
        return {key: read.seen for key, read in self._known.items()}

    def _present(self, documents: Sequence[Document]) -> Iterator[tuple[RolloutKey, _Read]]:
        for document in documents:
            metadata = _part(document, "metadata")
            if not metadata.get("deletionTimestamp"):
                key = RolloutKey(str(metadata.get("namespace", "")), str(metadata.get("name", "")))
                yield key, self._read(key, document)

    def _read(self, key: RolloutKey, document: Document) -> _Read:
        text, reported = _text_of(document), _reported(document)
        known = self._known.get(key)
        used = self._templates.used_by(document)
        if known is not None and (known.text, known.used) == (text, used) and not known.seen.deleted:
            seen = known.seen
        else:
            seen = _parsed(document, known.seen if known else None, self._templates.all())
        return _Read(text, seen if seen.reported == reported else replace(seen, reported=reported), used)


def _parsed(document: Document, before: SpecSeen | None, templates: Templates) -> SpecSeen:
    metadata = _part(document, "metadata")
    parsed = parse_document(document, f"modelrollout {metadata.get('namespace')}/{metadata.get('name')}", templates)
    generation = _generation(metadata)
    provenance = replace(parsed.provenance, generation=generation, author=_writer(metadata))
    if parsed.rollout is not None:
        return SpecSeen(parsed.rollout, provenance, generation=generation)
    if before is not None and before.spec is not None:
        return SpecSeen(before.spec, before.provenance, parsed.problems, generation=generation)
    return SpecSeen(None, provenance, parsed.problems, generation=generation)


def _removed(read: _Read) -> _Read:
    return replace(read, seen=replace(read.seen, problems=(), deleted=True, reported=None))


def _trouble(error: ClusterError) -> str:
    if isinstance(error, NotServedError):
        return f"{error}; apply manifests/crd.yaml to the cluster; going on with the specs known before"
    return f"{error}; going on with the specs known before"


def _text_of(document: Document) -> tuple[str, int]:
    """Which text of which object: the generation counts changes of the spec, and begins again with a new object."""
    metadata = _part(document, "metadata")
    return str(metadata.get("uid", "")), _generation(metadata)


def _generation(metadata: Fields) -> int:
    found = metadata.get("generation")
    return found if isinstance(found, int) and found > 0 else 1


def _writer(metadata: Fields) -> str | None:
    """The field manager that wrote some of the spec last, where the view keeps field managers."""
    entries = metadata.get("managedFields")
    told = [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []
    writers = [one for one in told if "f:spec" in _part(one, "fieldsV1") and not one.get("subresource")]
    newest = max(writers, key=lambda one: str(one.get("time", "")), default=None)
    return str(newest["manager"]) if newest is not None and newest.get("manager") else None


def _reported(document: Document) -> Reported | None:
    """What was so when the status was written."""
    status = _part(document, "status")
    run, stable, candidate = _part(status, "run"), status.get("stable"), status.get("candidate")
    if not isinstance(stable, str) or not stable:
        return None
    tried = VersionName(candidate) if isinstance(candidate, str) and candidate not in ("", stable) else None
    number, digest = run.get("number"), run.get("digest")
    cause = _part(status, "breach").get("cause", Cause.REVERTED.value)
    rolled_back = status.get("phase") in ENDED_BADLY or cause not in NO_FAULT
    refused = Digest(digest) if rolled_back and isinstance(digest, str) else None
    return Reported(VersionName(stable), tried, refused, number if isinstance(number, int) else 0)


def _part(document: Fields, name: str) -> Fields:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}
