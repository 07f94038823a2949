"""The rig of the Gateway API router: a cluster and a gateway in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from controller.domain.cluster import HTTP_ROUTE, ObjectRef, Operation
from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, GatewayApiRoute, Route
from controller.domain.traffic import RouteTable
from controller.ports import RouteBinding
from controller.testing.cluster import MemoryCluster
from controller.testing.cluster_server import MemoryApiServer
from controller.testing.gateway import MemoryGateway, a_backend, a_route
from controller.traffic import FOLLOWED, router_for
from controller.traffic.gateway_api import GatewayApiRouter

V11, V12 = VersionName("v11"), VersionName("v12")
KEY = RolloutKey("assistants", "support-bot")
ROUTE = ObjectRef(HTTP_ROUTE, "assistants", "support-bot")
SERVICES = {V11: "bot-v11", V12: "bot-v12"}
CHAT: dict[str, Any] = {"name": "chat", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}


class GatewayRig:
    """One rollout on rule `chat` of an HTTPRoute; `rules` is what people wrote there."""

    stable, candidate = V11, V12

    def __init__(self, *rules: dict[str, Any], rule: str | None = "chat", tools: tuple[str, ...] = ()) -> None:
        server = MemoryApiServer()
        self.gateway = MemoryGateway(server)
        self.cluster = MemoryCluster(server)
        for kind in FOLLOWED:
            self.cluster.view.follow(kind, "", lambda _: None)
        self.cluster.put(HTTP_ROUTE, a_route(ROUTE.name, ROUTE.namespace, *(rules or (CHAT,))))
        backends = {version: BackendRef("Service", name, 8000) for version, name in SERVICES.items()}
        self.target = GatewayApiRoute(ROUTE.namespace, ROUTE.name, rule, tools)
        self.binding = RouteBinding(KEY, Route(self.target), backends)
        self.pauses: list[float] = []
        self.router = GatewayApiRouter(self.binding, self.cluster, self.cluster.view, self.pauses.append)
        assert isinstance(router_for(self.binding, (self.cluster, self.cluster.view)), GatewayApiRouter)

    @property
    def route(self) -> dict[str, Any]:
        """The HTTPRoute as it is."""
        found = self.cluster.look(ROUTE)
        assert isinstance(found, dict)
        return found

    @property
    def rules(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.route["spec"]["rules"]
        return found

    def patches(self) -> int:
        """How often the route was written."""
        return self.cluster.calls["patch", HTTP_ROUTE.resource]

    def edit(self, *operations: Operation, manager: str = "kubectl-edit") -> None:
        """Somebody else changes the route."""
        self.cluster.edit(ROUTE, *operations, manager=manager)

    def send(self, requests: int, headers: Mapping[str, str] | None = None) -> Sequence[VersionName]:
        names = {service: version for version, service in SERVICES.items()}
        return [names[service] for service in self.gateway.send(ROUTE, requests, headers)]

    def reached(self, version: VersionName) -> int:
        return self.gateway.reached[SERVICES[version]]

    def in_force(self, table: RouteTable) -> bool:
        return True

    def cut(self) -> None:
        self.cluster.fail()
        self.cluster.view.cut()

    def mend(self) -> None:
        self.cluster.heal()
        self.cluster.view.mend()

    def restart(self) -> None:
        self.gateway.asleep = True
        self.gateway.wake()

    def add_foreign(self) -> None:
        """A rule of someone else before ours, and in ours a filter, a timeout and a backend that gets nothing."""
        rule = next(at for at, one in enumerate(self.rules) if one.get("name") == "chat")
        self.edit(
            Operation("add", f"/spec/rules/{rule}/filters", [a_filter("x-team", "assistants")]),
            Operation("add", f"/spec/rules/{rule}/timeouts", {"request": "0s"}),
            Operation("add", f"/spec/rules/{rule}/backendRefs/0", a_backend("somebody-elses", 0)),
            Operation("add", "/spec/rules/0", {"name": "theirs", "backendRefs": [a_backend("their-service")]}),
            Operation("add", "/metadata/annotations", {"theirs": "kept"}),
        )

    def foreign(self) -> object:
        ours = next(one for one in self.rules if one.get("name") == "chat")
        kept = {name: value for name, value in ours.items() if name not in ("backendRefs", "filters")}
        filters = [one for one in ours.get("filters") or () if one["type"] != "RequestMirror"]
        refs = [one for one in ours["backendRefs"] if one["name"] not in SERVICES.values()]
        theirs = [one for one in self.rules if one.get("name") == "theirs"]
        return kept, filters, refs, theirs, self.route["metadata"].get("annotations", {}).get("theirs")


def a_filter(name: str, value: str) -> dict[str, Any]:
    """Sets a request header."""
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": name, "value": value}]}}


@contextmanager
def a_gateway_rig() -> Iterator[GatewayRig]:
    """Fresh: the rule is there and has no backends yet."""
    yield GatewayRig()
