"""Does any HTTPRoute send something to a version, ours or another one? Asked before it is scaled down. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from controller.domain.cluster import Document
from controller.domain.route import BackendRef

Fields = Mapping[str, object]


def sends_to(routes: Iterable[Document], namespace: str, backend: BackendRef) -> str | None:
    """The first route that does, or None. A backend of weight 0 gets nothing; a mirror gets something."""
    for route in routes:
        home = _text(_section(route, "metadata"), "namespace")
        if any(_is(ref, home, namespace, backend) for ref in _referred(route)):
            return f"HTTPRoute {home}/{_text(_section(route, 'metadata'), 'name')}"
    return None


def _referred(route: Document) -> Iterator[Fields]:
    for rule in _list(_section(route, "spec"), "rules"):
        yield from _mirrored(rule)
        for ref in _list(rule, "backendRefs"):
            if ref.get("weight", 1) != 0:
                yield ref
                yield from _mirrored(ref)


def _mirrored(place: Fields) -> Iterator[Fields]:
    for item in _list(place, "filters"):
        ref = _section(_section(item, "requestMirror"), "backendRef")
        if ref:
            yield ref


def _is(ref: Fields, home: str, namespace: str, backend: BackendRef) -> bool:
    where, kind = _text(ref, "namespace") or home, _text(ref, "kind") or "Service"
    return (where, kind, _text(ref, "name")) == (namespace, backend.kind, backend.name)


def _section(document: Fields, name: str) -> Fields:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(document: Fields, name: str) -> Iterator[Fields]:
    value = document.get(name)
    yield from (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()


def _text(document: Fields, name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
