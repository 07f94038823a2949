"""A rollout on an HTTPRoute of a real API server, served by Contour and Envoy; requests are counted by the backends."""

import contextlib
import http.client
import itertools
import json
import math
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from controller.cluster.connect import Access, connect
from controller.cluster.objects import ClusterObjects
from controller.cluster.views import ClusterViews
from controller.domain.cluster import (
    HTTP_ROUTE,
    ClusterUnavailableError,
    Document,
    Kind,
    ObjectRef,
    Operation,
)
from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, GatewayApiRoute, Route
from controller.domain.traffic import RouteTable
from controller.ports import RouteBinding
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.backend import Backend
from controller.testing.cluster_parts.contour import Answer, Contour, a_contour
from controller.testing.cluster_parts.crds import Channel
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.patience import wait_until
from controller.testing.cluster_parts.resources import backend, http_route
from controller.traffic import FOLLOWED
from controller.traffic.gateway_api import GatewayApiRouter

V11, V12 = VersionName("v11"), VersionName("v12")
SERVICES = {V11: "bot-v11", V12: "bot-v12"}
IMPROBABLE = 1e-6
Json = dict[str, Any]


class Doors:
    """The real doors, which can be cut: then nobody answers."""

    def __init__(self, server: ApiServer, user: str = "admin") -> None:
        connection = connect(Access(kubeconfig=server.kubeconfig(user)))
        self.is_cut = False
        self.objects, self.views = ClusterObjects(connection), ClusterViews(connection)
        for kind in FOLLOWED:
            self.views.follow(kind, "", lambda _: None)
        assert self.views.wait(20), "the views are not current after 20 s"

    def get(self, ref: ObjectRef, part: str = "") -> Document | None:
        self._check()
        return self.objects.get(ref, part)

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> Sequence[Document]:
        self._check()
        return self.objects.list(kind, namespace, selector)

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        self._check()
        return self.objects.patch(ref, operations, part)

    def create(self, ref: ObjectRef, document: Document) -> Document:
        self._check()
        return self.objects.create(ref, document)

    def _check(self) -> None:
        if self.is_cut:
            raise ClusterUnavailableError("the test cut the line to the API server: mend it")


class CutView:
    """The view behind those doors."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def follow(self, kind: Kind, namespace: str, changed: Any) -> None:
        self._doors.views.follow(kind, namespace, changed)

    def get(self, ref: ObjectRef) -> Document | None:
        self._doors._check()
        return self._doors.views.get(ref)

    def all(self, kind: Kind) -> Sequence[Document]:
        self._doors._check()
        return self._doors.views.all(kind)

    def learn(self, ref: ObjectRef, document: Document) -> None:
        self._doors.views.learn(ref, document)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all rigs of a module share."""

    server: ApiServer
    contour: Contour
    doors: Doors
    backends: Mapping[VersionName, Backend]
    namespace: str


@contextmanager
def a_ground(netns: Netns, channel: Channel) -> Iterator[Ground]:
    """An API server, Contour and Envoy, and two backends; all gone afterwards."""
    with ExitStack() as stack:
        server = stack.enter_context(an_api_server())
        contour = stack.enter_context(a_contour(server, netns, channel=channel))
        backends = {
            version: stack.enter_context(Backend(str(version), netns, netns.address(at)))
            for at, version in enumerate(SERVICES, 21)
        }
        namespace = "assistants"
        server.kubectl("create", "namespace", namespace)
        for version, one in backends.items():
            server.kubectl.apply(*backend(SERVICES[version], namespace, one.address, one.port))
        server.kubectl.apply(*backend("somebody-elses", namespace, backends[V11].address, 8000))
        doors = Doors(server)
        stack.callback(doors.views.close)
        yield Ground(server, contour, doors, backends, namespace)


class ContourRig:
    """One rollout, on an HTTPRoute and a hostname of its own."""

    stable, candidate = V11, V12

    def __init__(self, ground: Ground, rules: Sequence[Json], rule: str | None, tools: tuple[str, ...] = ()) -> None:
        self.ground, self.name = ground, f"bot-{uuid.uuid4().hex[:8]}"
        self.host = f"{self.name}.test"
        self.ref = ObjectRef(HTTP_ROUTE, ground.namespace, self.name)
        self.key = RolloutKey(ground.namespace, self.name)
        document = http_route(
            self.name, ground.namespace, gateway=ground.contour.gateway, hostname=self.host, weights={}
        )
        document["spec"]["rules"] = list(rules)
        self.document = document
        ground.server.kubectl.apply(document)
        backends = {version: BackendRef("Service", name, 8000) for version, name in SERVICES.items()}
        target = GatewayApiRoute(ground.namespace, self.name, rule, tools)
        self.binding = RouteBinding(self.key, Route(target), backends)
        self.router = self.new_router()
        wait_until(lambda: ground.doors.views.get(self.ref), 10, "the view to have the HTTPRoute")
        for one in ground.backends.values():
            one.reset()

    def new_router(self) -> GatewayApiRouter:
        """As a controller has it that was just started."""
        return GatewayApiRouter(self.binding, self.ground.doors, CutView(self.ground.doors))

    @property
    def route(self) -> Json:
        """The HTTPRoute as the API server has it."""
        found: Json = self.ground.server.kubectl.get("httproute", self.name, self.ground.namespace)
        return found

    def send(self, requests: int, headers: Mapping[str, str] | None = None) -> Sequence[VersionName]:
        answers = (self._ask(dict(headers or {})) for _ in range(requests))
        return [VersionName(answer.body) for answer in answers if answer is not None and answer.status == 200]

    def _ask(self, headers: dict[str, str]) -> Answer | None:
        """None when nobody listens: an Envoy without any route has no listener."""
        try:
            return self.ground.contour.get(host=self.host, headers=headers)
        except ConnectionRefusedError:
            return None

    def reached(self, version: VersionName) -> int:
        return self.ground.backends[version].count

    def in_force(self, table: RouteTable) -> bool:
        """Does Envoy hold it? The API server's word for it comes a moment earlier."""
        return self.held() == table

    def held(self) -> RouteTable:
        """What Envoy itself holds for our hostname."""
        shares: dict[VersionName, int] = {}
        mirrors, cohorts = [], []
        for route in self._routes():
            action = route["route"]
            to = action.get("weighted_clusters", {}).get("clusters") or [{"name": action["cluster"], "weight": 1}]
            found = {_version(one["name"]): int(one.get("weight", 0)) for one in to}
            weights = {version: weight for version, weight in found.items() if version is not None}
            if not weights:
                continue
            if route["match"].get("headers"):
                headers = tuple((one["name"], _exact(one)) for one in route["match"]["headers"])
                cohorts += [(version, headers) for version in weights]
                continue
            whole = sum(weights.values())
            shares = {version: 100 * weight // whole for version, weight in weights.items() if weight}
            copies = (_version(one["cluster"]) for one in action.get("request_mirror_policies") or ())
            mirrors = [(version, 100) for version in copies if version is not None]
        return RouteTable(tuple(sorted(shares.items())), tuple(mirrors), tuple(cohorts))

    def _routes(self) -> list[Json]:
        dump = json.loads(self.ground.contour.admin("/config_dump?resource=dynamic_route_configs"))
        hosts = itertools.chain.from_iterable(
            one["route_config"].get("virtual_hosts", []) for one in dump.get("configs", [])
        )
        ours = [host for host in hosts if any(name.split(":")[0] == self.host for name in host["domains"])]
        return [route for host in ours for route in host["routes"] if "cluster" in str(route.get("route"))]

    def cut(self) -> None:
        self.ground.doors.is_cut = True

    def mend(self) -> None:
        self.ground.doors.is_cut = False

    def restart(self) -> None:
        """Envoy ends and is started again: it gets everything anew from Contour."""
        self.ground.contour.envoy.kill()
        self.ground.contour.start_envoy()

    def add_foreign(self) -> None:
        """A rule of someone else before ours, and in ours a filter, a timeout and a backend that gets nothing."""
        edited = self.route
        ours = edited["spec"]["rules"][0]
        ours["filters"] = [a_filter("x-team", "assistants")]
        ours["timeouts"] = {"request": "0s"}
        ours["backendRefs"].insert(0, {"name": "somebody-elses", "port": 8000, "weight": 0})
        matches = [{"path": {"type": "Exact", "value": "/theirs"}}]
        theirs = {"name": "theirs", "matches": matches, "backendRefs": [{"name": "somebody-elses", "port": 8000}]}
        edited["spec"]["rules"].insert(0, theirs)
        self.replace(edited)

    def foreign(self) -> object:
        rules = self.route["spec"]["rules"]
        ours = next(one for one in rules if one["name"] == "chat")
        kept = {name: value for name, value in ours.items() if name not in ("backendRefs", "filters")}
        filters = [one for one in ours.get("filters") or () if one["type"] != "RequestMirror"]
        refs = [one for one in ours["backendRefs"] if one["name"] == "somebody-elses"]
        return kept, filters, refs, [one for one in rules if one["name"] == "theirs"]

    def replace(self, document: Json, manager: str = "kubectl-replace") -> None:
        """Somebody writes the whole object."""
        document["metadata"].pop("managedFields", None)
        self.ground.server.kubectl("replace", f"--field-manager={manager}", "-f", "-", stdin=json.dumps(document))


class Hammer:
    """Customers on four connections, as fast as they are answered; `answers` counts (phase, status)."""

    def __init__(self, url: str, host: str) -> None:
        self._url, self._host = urlsplit(url), host
        self._phase, self._over, self._lock = "before", threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(4)]
        self.answers: Counter[tuple[str, int]] = Counter()

    def now(self, phase: str) -> None:
        self._phase = phase

    def _ask_on(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self._url.netloc, timeout=5)) as connection:
            while not self._over.is_set():
                phase = self._phase
                connection.request("GET", "/", headers={"Host": self._host})
                answer = connection.getresponse()
                answer.read()
                with self._lock:
                    self.answers[phase, answer.status] += 1

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def a_filter(name: str, value: str) -> Json:
    """Sets a request header."""
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": name, "value": value}]}}


def chance_of_as_far(count: int, total: int, share: float) -> float:
    """How probable a count as far from `share` of `total` as this one is, on its side, twice."""
    chances = [math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(total + 1)]
    return 2 * min(sum(chances[: count + 1]), sum(chances[count:]))


def _version(cluster: str) -> VersionName | None:
    """Contour calls a cluster NAMESPACE/SERVICE/PORT/HASH. None for somebody else's."""
    service = cluster.split("/")[1]
    return next((version for version, name in SERVICES.items() if name == service), None)


def _exact(header: Json) -> str:
    return str(header.get("string_match", {}).get("exact", header.get("exact_match")))
