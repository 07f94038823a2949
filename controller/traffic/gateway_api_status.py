"""What the cluster says of an HTTPRoute: is it in force, what can its gateway do, who wrote it last. Pure."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.domain.cluster import GATEWAY, GATEWAY_CLASS, ObjectRef
from controller.domain.route import GatewayApiRoute

Fields = Mapping[str, Any]

MIRROR, MIRROR_PERCENT = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"
_PROOFS = ("Accepted", "ResolvedRefs")


def gateways_of(document: Fields) -> tuple[ObjectRef, ...]:
    """The Gateways that the route is attached to."""
    found = (_gateway(parent, document) for parent in document["spec"].get("parentRefs") or ())
    return tuple(dict.fromkeys(ref for ref in found if ref is not None))


def _gateway(parent: Fields, document: Fields) -> ObjectRef | None:
    if (parent.get("group") or GATEWAY.group, parent.get("kind") or GATEWAY.name) != (GATEWAY.group, GATEWAY.name):
        return None
    return ObjectRef(GATEWAY, parent.get("namespace") or document["metadata"]["namespace"], parent["name"])


def class_of(gateway: Fields) -> ObjectRef:
    """The GatewayClass of a Gateway."""
    return ObjectRef(GATEWAY_CLASS, "", gateway["spec"]["gatewayClassName"])


def features_of(gateway_class: Fields | None) -> frozenset[str] | None:
    """What the class says that it supports; None when it does not say."""
    told = ((gateway_class or {}).get("status") or {}).get("supportedFeatures") or ()
    names = frozenset(one["name"] if isinstance(one, Mapping) else str(one) for one in told)
    return names or None


def trouble(document: Fields, gateways: Mapping[ObjectRef, Fields | None]) -> str:
    """Why the route, as it is written now, is not known to be in force at each of its parents; empty when it is.

    `gateways`: those that can be seen; None stands for one that does not exist.
    """
    return next(itertools.chain(_untrue(document), _unprogrammed(gateways)), "")


def _untrue(document: Fields) -> Iterator[str]:
    parents = document["spec"].get("parentRefs") or ()
    if not parents:
        yield "the HTTPRoute has no parentRefs, so no gateway serves it"
    told = (document.get("status") or {}).get("parents") or ()
    for parent in parents:
        mine = [one for one in told if _key(one["parentRef"], document) == _key(parent, document)]
        if not mine:
            yield f"no controller has taken the HTTPRoute up for {_called(parent)} yet"
        for one in mine:
            yield from _unproved(one, parent, document["metadata"].get("generation"))


def _unproved(status: Fields, parent: Fields, generation: object) -> Iterator[str]:
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    who = f"{_called(parent)} ({status.get('controllerName', 'its controller')})"
    for name in _PROOFS:
        one = conditions.get(name)
        if one is None or one.get("observedGeneration") != generation:
            yield f"{who} has not looked at generation {generation} of the HTTPRoute yet ({name})"
        elif one.get("status") != "True":
            yield f"{who} says {name} is {_said(one)}"
    partly = conditions.get("PartiallyInvalid")
    if partly is not None and partly.get("status") == "True":
        yield f"{who} left out a part of the HTTPRoute: PartiallyInvalid is {_said(partly)}"


def _unprogrammed(gateways: Mapping[ObjectRef, Fields | None]) -> Iterator[str]:
    for ref, gateway in gateways.items():
        if gateway is None:
            yield f"{ref} does not exist"
            continue
        conditions = (gateway.get("status") or {}).get("conditions") or ()
        one = next((one for one in conditions if one["type"] == "Programmed"), {"status": "not told yet"})
        if one["status"] != "True":
            yield f"{ref} says Programmed is {_said(one)}"


def _said(condition: Fields) -> str:
    why = ": ".join(str(condition[part]) for part in ("reason", "message") if condition.get(part))
    return f"{condition['status']} ({why})" if why else str(condition["status"])


def _key(parent: Fields, document: Fields) -> tuple[object, ...]:
    group = parent.get("group")
    return (
        GATEWAY.group if group is None else group,
        parent.get("kind") or GATEWAY.name,
        parent.get("namespace") or document["metadata"]["namespace"],
        parent["name"],
        parent.get("sectionName") or "",
        parent.get("port") or 0,
    )


def _called(parent: Fields) -> str:
    return f"{parent.get('kind') or GATEWAY.name} {parent['name']}"


def overwritten_by(document: Fields, target: GatewayApiRoute) -> str | None:
    """The manager that wrote the rules last, when it is one of the route's `gitopsManagers`."""
    entries = [one for one in document["metadata"].get("managedFields") or () if _owns_rules(one)]
    # The API server takes the rules away from whoever wrote them before; of several owners the last one counts.
    newest = max(enumerate(entries), key=lambda one: (one[1].get("time") or "", one[0]), default=None)
    manager = str(newest[1].get("manager", "")) if newest else ""
    return manager if manager in target.gitops_managers else None


def _owns_rules(entry: Fields) -> bool:
    if entry.get("subresource"):
        return False
    spec = (entry.get("fieldsV1") or {}).get("f:spec")
    # Nothing below it stands for all of it.
    return isinstance(spec, Mapping) and (not spec or "f:rules" in spec)


def supports(features: Sequence[frozenset[str] | None], name: str, unsaid: bool) -> bool:
    """Do all gateways support it? `unsaid` is the answer of one that does not tell, and of no gateway at all."""
    return all(unsaid if one is None else name in one for one in features or (None,))
