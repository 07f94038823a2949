"""A gateway in memory: it takes up the HTTPRoutes of a MemoryCluster, says so in their status, and serves by them.

It reads a route as the Gateway API says, not as our router does: most headers win, weights are shares of their sum,
an absent weight is 1, a mirror without a percentage copies all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from controller.domain.cluster import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, ObjectRef, Operation
from controller.testing.cluster import MemoryCluster
from controller.testing.cluster_server import MemoryApiServer

Json = dict[str, Any]
NAMESPACE, NAME, CLASS = "gateways", "gate", "memory"
PARENT: Json = {"group": GATEWAY.group, "kind": GATEWAY.name, "namespace": NAMESPACE, "name": NAME}
EVERYTHING = ("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")


class MemoryGateway:
    """Gateway `gateways/gate` of class `memory`. `reached` counts requests by Service, mirrored ones too.

    `asleep`: routes are changed, and it takes no notice. `missing`: Services that do not exist, so ResolvedRefs fails.
    """

    def __init__(self, server: MemoryApiServer, features: Sequence[str] = EVERYTHING) -> None:
        self.reached: Counter[str] = Counter()
        self.missing: set[str] = set()
        self.asleep = False
        self._serving: dict[ObjectRef, Json] = {}
        self._credit: Counter[tuple[str, str]] = Counter()
        self._cluster = MemoryCluster(server, manager="gateway-controller")
        self._cluster.put(GATEWAY_CLASS, {"metadata": {"name": CLASS}, "spec": {"controllerName": "memory/gateway"}})
        self.tell_features(features)
        where = {"name": NAME, "namespace": NAMESPACE}
        self._cluster.put(GATEWAY, {"metadata": where, "spec": {"gatewayClassName": CLASS}})
        self.tell_programmed("True")
        self._cluster.view.follow(HTTP_ROUTE, "", self._changed)

    def tell_features(self, features: Sequence[str]) -> None:
        """What the GatewayClass says that it supports."""
        told = {"supportedFeatures": [{"name": name} for name in features]}
        self._status(ObjectRef(GATEWAY_CLASS, "", CLASS), told)

    def tell_programmed(self, status: str) -> None:
        """What the Gateway says of itself."""
        self._status(ObjectRef(GATEWAY, NAMESPACE, NAME), {"conditions": [{"type": "Programmed", "status": status}]})

    def wake(self) -> None:
        """It takes notice again, of what it missed, too."""
        self.asleep = False
        for route in self._cluster.view.all(HTTP_ROUTE):
            metadata: Any = route["metadata"]
            self._changed(ObjectRef(HTTP_ROUTE, metadata["namespace"], metadata["name"]))

    def send(self, route: ObjectRef, requests: int, headers: Mapping[str, str] | None = None) -> list[str]:
        """The Service that answered each request; a request that none answered is left out."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        answers = []
        for _ in range(requests):
            rule = self._rule(route, given)
            service = self._next(rule) if rule else None
            if rule is not None and service is not None:
                self._mirror(rule)
                self.reached[service] += 1
                answers.append(service)
        return answers

    def _changed(self, ref: ObjectRef) -> None:
        route: Any = self._cluster.look(ref)
        if self.asleep:
            return
        if route is None:
            self._serving.pop(ref, None)
            return
        self._serving[ref] = route["spec"]
        told = self._told(route)
        if (route.get("status") or {}).get("parents") != told:
            self._status(ref, {"parents": told})

    def _told(self, route: Json) -> list[Json]:
        generation = route["metadata"]["generation"]
        lost = {ref["name"] for rule in route["spec"].get("rules") or () for ref in rule.get("backendRefs") or ()}
        lost &= self.missing
        resolved = {"type": "ResolvedRefs", "status": "False" if lost else "True", "observedGeneration": generation}
        if lost:
            resolved |= {"reason": "BackendNotFound", "message": f"Service {', '.join(sorted(lost))} not found"}
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": generation}
        conditions = [accepted, resolved]
        return [
            {"parentRef": parent, "controllerName": "memory/gateway", "conditions": conditions}
            for parent in route["spec"].get("parentRefs") or ()
        ]

    def _status(self, ref: ObjectRef, status: Json) -> None:
        self._cluster.edit(ref, Operation("add", "/status", status), part="status", manager="gateway-controller")

    def _rule(self, route: ObjectRef, given: Mapping[str, str]) -> Json | None:
        """Of those that match: the most headers first, then the first in order."""
        fitting = [
            (-len(match.get("headers") or ()), at, rule)
            for at, rule in enumerate(self._serving.get(route, {}).get("rules") or ())
            for match in rule.get("matches") or [{}]
            if all(given.get(one["name"].lower()) == one["value"] for one in match.get("headers") or ())
        ]
        return min(fitting, key=lambda one: one[:2])[2] if fitting else None

    def _next(self, rule: Json) -> str | None:
        """Smooth weighted round robin: exact over the sum of the weights."""
        weights = {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs") or ()}
        whole = sum(weights.values())
        if not whole:
            return None
        turn = str(sorted(weights.items()))
        for name, weight in weights.items():
            self._credit[turn, name] += weight
        chosen: str = max(weights, key=lambda name: (self._credit[turn, name], weights[name]))
        self._credit[turn, chosen] -= whole
        return chosen

    def _mirror(self, rule: Json) -> None:
        for item in rule.get("filters") or ():
            if item["type"] != "RequestMirror":
                continue
            name, percent = item["requestMirror"]["backendRef"]["name"], item["requestMirror"].get("percent", 100)
            self._credit["mirror", name] += percent
            if self._credit["mirror", name] >= 100:
                self._credit["mirror", name] -= 100
                self.reached[name] += 1


def a_route(name: str, namespace: str, *rules: Json) -> Json:
    """An HTTPRoute for that gateway."""
    metadata = {"name": name, "namespace": namespace}
    return {"metadata": metadata, "spec": {"parentRefs": [PARENT], "rules": list(rules)}}


def a_backend(name: str, weight: int = 1, port: int = 8000) -> Json:
    """A Service as a backend, with every default written out, as an API server gives it."""
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight}
