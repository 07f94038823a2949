"""Objects of any kind, asked from the API server: get, list, patch, create, remove."""

import time
from collections.abc import Iterator, Mapping, Sequence

from controller.cluster import refusals
from controller.cluster.connect import Answer, Connection, NoAnswerError, Told
from controller.cluster.documents import section, text
from controller.cluster.paths import path_of, path_of_kind
from controller.domain.cluster import ClusterError, Document, Kind, ObjectRef, Operation

PAGE = 500
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"


def told_nobody(_verb: str, _resource: str, _code: int, _seconds: float) -> None:
    """For who does not count requests."""


class ClusterObjects:
    """Implements ports.ObjectApi. Safe for several threads. Nothing is retried here: who asks knows what to do."""

    def __init__(self, connection: Connection, told: Told = told_nobody) -> None:
        self._connection, self._told = connection, told

    def get(self, ref: ObjectRef, part: str = "") -> Document | None:
        """The object, or its sub-resource, as it is now; None when there is no such object."""
        answer = self._ask("get", ref, "GET", path_of(ref, part), part=part)
        if answer.status == 404 and _is_about(answer, ref):
            return None
        return _document(answer, "get", ref, part)

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> Sequence[Document]:
        """All of a kind, page by page, by namespace and name."""
        return [one for page in self.pages(kind, namespace, selector) for one in items(kind, page)]

    def pages(self, kind: Kind, namespace: str = "", selector: str = "") -> Iterator[Document]:
        """The lists that make up all of a kind at one resource version."""
        ref = ObjectRef(kind, namespace, "")
        query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
        more = ""
        while True:
            path = path_of_kind(kind, namespace)
            answer = self._ask("list", ref, "GET", path, {**query, **({"continue": more} if more else {})})
            page = _document(answer, "list", ref)
            yield page
            more = text(section(page, "metadata"), "continue")
            if not more:
                return

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        """Change it, or its sub-resource, by JSON Patch."""
        steps = [_step(one) for one in operations]
        answer = self._ask("patch", ref, "PATCH", path_of(ref, part), None, steps, JSON_PATCH, part)
        if _does_not_apply(answer) and any(one.op == "test" for one in operations):
            raise refusals.conflict("patch", ref, "a `test` of the patch does not hold, or a path of it is gone")
        return _document(answer, "patch", ref, part)

    def create(self, ref: ObjectRef, document: Document) -> Document:
        """Write a new one."""
        path_of(ref)  # a missing name is our own mistake
        whole = {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, **document}
        answer = self._ask("create", ref, "POST", path_of_kind(ref.kind, ref.namespace), None, whole, JSON)
        return _document(answer, "create", ref)

    def remove(self, ref: ObjectRef, uid: str) -> None:
        """Implements ports.ObjectRemover: delete it, if it is still the one of that uid."""
        only = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        answer = self._ask("delete", ref, "DELETE", path_of(ref), None, only, JSON)
        if not (answer.status == 404 and _is_about(answer, ref)):
            _document(answer, "delete", ref)

    def _ask(
        self,
        verb: str,
        ref: ObjectRef,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        kind: str = "",
        part: str = "",
    ) -> Answer:
        started, code = time.monotonic(), 0
        try:
            answer = self._connection.request(method, path, query, body, kind)
            code = answer.status
            return answer
        except NoAnswerError as error:
            raise refusals.unavailable(verb, ref, f"{self._connection.host}: {error}") from error
        finally:
            resource = f"{ref.kind.resource}/{part}" if part else ref.kind.resource
            self._told(verb, resource, code, time.monotonic() - started)


def items(kind: Kind, page: Document) -> list[dict[str, object]]:
    """The objects of a list, each with the `apiVersion` and `kind` that lists of built-in kinds leave out."""
    found = page.get("items")
    about = {"apiVersion": kind.api_version, "kind": kind.name}
    return [{**about, **one} for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def refusal(answer: Answer, verb: str, ref: ObjectRef, part: str = "") -> ClusterError:
    """The error that an answer other than 2xx means."""
    status = answer.document()
    said = text(status, "message") or f"HTTP {answer.status}"
    match answer.status:
        case 401:
            return refusals.unavailable(verb, ref, "our credentials are not accepted (401): has the token expired?")
        case 403 if " cannot " in said:  # else it is an admission policy that refuses
            return refusals.forbidden(verb, ref, part)
        case 404:
            return _not_found(answer, verb, ref, part)
        case 409:
            return refusals.conflict(verb, ref, said)
        case 410:
            return refusals.unavailable(verb, ref, f"what was asked for is too old by now ({said})")
        case 408 | 429 | 500 | 502 | 503 | 504:
            return refusals.unavailable(verb, ref, f"HTTP {answer.status}: {said}", _patience(answer, status))
        case code if code >= 500:
            return refusals.unavailable(verb, ref, f"HTTP {code}: {said}", _patience(answer, status))
    return refusals.invalid(verb, ref, said)


def _document(answer: Answer, verb: str, ref: ObjectRef, part: str = "") -> Document:
    if not 200 <= answer.status <= 299:
        raise refusal(answer, verb, ref, part)
    document = answer.document()
    if not document:
        raise refusals.unavailable(verb, ref, "the answer is not JSON: is that really an API server?")
    return document


def _step(one: Operation) -> dict[str, object]:
    step: dict[str, object] = {"op": one.op, "path": one.path}
    return step if one.op == "remove" else {**step, "value": one.value}


def _is_about(answer: Answer, ref: ObjectRef) -> bool:
    """Whether a 404 is about that object, rather than about its kind."""
    details = section(answer.document(), "details")
    return text(details, "name") == ref.name and text(details, "kind") in (ref.kind.plural, ref.kind.name)


def _not_found(answer: Answer, verb: str, ref: ObjectRef, part: str) -> ClusterError:
    details = section(answer.document(), "details")
    if text(details, "kind") == "namespaces":
        return refusals.no_namespace(verb, ref)
    if ref.name and _is_about(answer, ref):
        return refusals.missing(verb, ref, part)
    return refusals.not_served(ref.kind)


def _does_not_apply(answer: Answer) -> bool:
    """A patch of which a step failed; the API server does not say which one, nor why."""
    return answer.status == 422 and text(answer.document(), "message").startswith("the server rejected our request")


def _patience(answer: Answer, status: Document) -> float | None:
    seconds = section(status, "details").get("retryAfterSeconds")
    return float(seconds) if isinstance(seconds, int) else answer.retry_after
