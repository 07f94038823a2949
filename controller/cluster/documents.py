"""Looking into plain documents without trusting their shape. Pure."""

from collections.abc import Mapping

from controller.domain.cluster import Document, Kind, ObjectRef


def section(document: Document, name: str) -> Mapping[str, object]:
    """`metadata`, `spec`, ... as a mapping; empty when it is missing or of another type."""
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def text(values: Mapping[str, object], name: str) -> str:
    """A string member, or empty."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


def ref_of(kind: Kind, document: Document) -> ObjectRef:
    """Where the document belongs."""
    metadata = section(document, "metadata")
    return ObjectRef(kind, text(metadata, "namespace") if kind.namespaced else "", text(metadata, "name"))


def revision(document: Document) -> str:
    """`metadata.resourceVersion`, or empty."""
    return text(section(document, "metadata"), "resourceVersion")


def is_older(one: str, other: str) -> bool:
    """Whether resource version `one` is surely older than `other`.

    Numbers are compared as numbers, which Kubernetes promises since 1.35 and etcd always did. Others have no order:
    then nothing is surely older.
    """
    return one.isdecimal() and other.isdecimal() and int(one) < int(other)
