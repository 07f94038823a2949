"""Versions can be told apart, by name, by backend and by their series."""

import re
from collections.abc import Hashable, Iterator, Mapping

from controller.domain.rollout import Identity
from controller.spec.complaints import closest
from controller.spec.fields import NAME
from controller.spec.finding import Finding, Path
from controller.spec.identities import identity_of
from controller.spec.parts import Parts
from controller.spec.schema_versions import IdentityBlock
from controller.spec.sentences import (
    NO_HOST,
    NO_POOL,
    NO_SERVICE,
    NOT_A_SERVICE_NAME,
    NOT_LISTED,
    SAME_BACKEND,
    SAME_SCALE,
    UNKNOWN_MARK,
    VERSION_MARK,
)


def check_versions(parts: Parts) -> Iterator[Finding]:
    """Listed, unique, told apart; and reachable by the router there is."""
    yield from _listed(parts, "version", parts.version)
    yield from _listed(parts, "initialStable", parts.initial_stable)
    for kind, names in parts.names.items():
        yield from _twins(names, kind, "name", "names must differ")
    yield from _twins(_backends(parts), "versions", "backendRef", SAME_BACKEND)
    yield from _twins(_scaled(parts), "versions", "scale", SAME_SCALE)
    yield from _identities(parts)
    yield from _reachable(parts)


def _backends(parts: Parts) -> dict[int, Hashable]:
    refs = {at: one.backend_ref for at, one in parts.versions.items()}
    return {at: (ref.kind, ref.name.lower(), ref.port) for at, ref in refs.items()}


def _scaled(parts: Parts) -> dict[int, Hashable]:
    scales = {at: one.scale for at, one in parts.versions.items() if one.scale}
    return {at: (one.api_version.rpartition("/")[0], one.kind, one.name) for at, one in scales.items()}


def _reachable(parts: Parts) -> Iterator[Finding]:
    """An Envoy of this machine sends requests to hosts, an HTTPRoute to objects of the cluster."""
    envoy = any(route.envoy for route in parts.routes.values())
    gateway_api = any(route.gateway_api for route in parts.routes.values())
    for at, version in parts.versions.items():
        ref, path = version.backend_ref, ("spec", "versions", at, "backendRef")
        if envoy and not gateway_api and ref.kind != "Host":
            yield Finding((*path, "kind"), *(NO_SERVICE if ref.kind == "Service" else NO_POOL))
        if gateway_api and not envoy and ref.kind == "Host":
            yield Finding((*path, "kind"), *NO_HOST)
        if ref.kind != "Host" and not re.fullmatch(NAME, ref.name):
            yield Finding((*path, "name"), *NOT_A_SERVICE_NAME)


def _listed(parts: Parts, field: str, name: str | None) -> Iterator[Finding]:
    names = dict.fromkeys(parts.names.get("versions", {}).values())
    if name is not None and names and name not in names:
        meant = closest(name, names)
        hint = f"did you mean `{meant}`?" if meant else f"listed are {', '.join(names)}"
        yield Finding(("spec", field), f"`{name}` {NOT_LISTED}", hint)


def _twins(values: Mapping[int, Hashable], kind: str, field: str, hint: str) -> Iterator[Finding]:
    first: dict[Hashable, int] = {}
    for at, value in values.items():
        if value in first:
            yield Finding(("spec", kind, at, field), f"is the same as that of {kind}[{first[value]}]", hint)
        first.setdefault(value, at)


def _identities(parts: Parts) -> Iterator[Finding]:
    shared = parts.metrics.identity if parts.metrics else IdentityBlock()
    blocks: dict[Path, IdentityBlock] = {("spec", "metrics", "identity"): shared}
    for at, one in parts.versions.items():
        if one.identity:
            blocks["spec", "versions", at, "identity"] = one.identity
    for path, block in blocks.items():
        if "{{" in block.value.replace(VERSION_MARK, ""):
            yield Finding((*path, "value"), *UNKNOWN_MARK)
    first: dict[Identity, int] = {}
    for at, version in parts.versions.items():
        found = identity_of(version, shared)
        if found in first and parts.versions[first[found]].name != version.name:
            path = (
                ("spec", "versions", at, "identity") if version.identity else ("spec", "metrics", "identity", "value")
            )
            message = (
                f'versions[{first[found]}] and versions[{at}] have the same identity {found.label}="{found.value}"'
            )
            yield Finding(path, message, "their series could not be told apart; use `{{version}}` or other values")
        first.setdefault(found, at)
