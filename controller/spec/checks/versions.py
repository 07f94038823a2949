"""Versions can be told apart, by name, by backend and by their series."""

from collections.abc import Hashable, Iterator, Mapping

from controller.domain.rollout import Identity
from controller.spec.complaints import closest
from controller.spec.finding import Finding, Path
from controller.spec.identities import identity_of
from controller.spec.parts import Parts
from controller.spec.schema_versions import VERSION_MARK, IdentityBlock


def check_versions(parts: Parts) -> Iterator[Finding]:
    """Listed, unique, told apart; and reachable by the router there is."""
    yield from _listed(parts, "version", parts.version)
    yield from _listed(parts, "initialStable", parts.initial_stable)
    for kind, names in parts.names.items():
        yield from _twins(names, kind, "name", "names must differ")
    backends = {at: (one.backend_ref.name.lower(), one.backend_ref.port) for at, one in parts.versions.items()}
    yield from _twins(backends, "versions", "backendRef", "two versions behind one backend cannot be told apart")
    yield from _identities(parts)
    for at, version in parts.versions.items():
        if version.backend_ref.kind == "Service":
            hint = "use kind: Host with an address or DNS name and the port"
            message = "the envoy router runs outside of Kubernetes and cannot look up a Service"
            yield Finding(("spec", "versions", at, "backendRef", "kind"), message, hint)


def _listed(parts: Parts, field: str, name: str | None) -> Iterator[Finding]:
    names = dict.fromkeys(parts.names.get("versions", {}).values())
    if name is not None and names and name not in names:
        meant = closest(name, names)
        hint = f"did you mean `{meant}`?" if meant else f"listed are {', '.join(names)}"
        yield Finding(("spec", field), f"`{name}` is not one of the versions", hint)


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
            yield Finding((*path, "value"), "holds an unknown placeholder", f"the only one is `{VERSION_MARK}`")
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
