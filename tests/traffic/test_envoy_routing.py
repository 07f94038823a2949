"""What an Envoy of our own does with several rollouts, cookies, names and strange answers."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, Sticky
from controller.domain.traffic import RouterUnavailableError, RouteSeen, Split
from controller.ports import RouteBinding
from controller.testing.conformance.traffic_rig import settle, settled
from controller.traffic import router_for
from controller.traffic.envoy import EnvoyRouter
from tests.parts.net import LOOPBACK, free_port, wait_until
from tests.traffic.models import a_model, ask
from tests.traffic.rigs import V11, V12, EnvoyRig, an_envoy_rig

OTHER = RolloutKey("assistants", "other-bot")
HOME = Split(V11)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    with an_envoy_rig() as fresh:
        yield fresh


def beside(rig: EnvoyRig, key: RolloutKey, **target: object) -> EnvoyRouter:
    """A second rollout on the rig's Envoy."""
    changed = replace(rig.binding.route.envoy, **target)  # type: ignore[arg-type]
    return EnvoyRouter(replace(rig.binding, key=key, route=replace(rig.binding.route, target=changed)))


def swapped(rig: EnvoyRig, router: EnvoyRouter) -> EnvoyRouter:
    before, rig.router = rig.router, router
    return before


def test_two_rollouts_with_prefixes_share_one_host(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    chat = swapped(rig, beside(rig, OTHER, prefix="/v2"))
    assert rig.router.observe().table is None
    settle(rig, Split(V12))
    assert set(ask(rig.port, 10, path="/v2/chat")) == {V12}
    assert set(ask(rig.port, 10, path="/v1/chat")) == {V11}
    assert chat.observe().table == HOME.table()
    assert chat.observe().counts[V12].total == 0


def test_two_rollouts_with_hosts_of_their_own(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    swapped(rig, beside(rig, OTHER, hosts=("other.example",)))
    settle(rig, Split(V12))
    assert set(rig.send(5, {"host": f"other.example:{rig.port}"})) == {V12}
    assert set(rig.send(5)) == {V11}


@pytest.mark.parametrize(
    ("target", "reason"),
    [({}, "two rollouts, one route"), ({"hosts": ("*", "other.example")}, r"hosts \* already belong to")],
)
def test_a_taken_route_is_refused(rig: EnvoyRig, target: dict[str, object], reason: str) -> None:
    settle(rig, HOME)
    with pytest.raises(RouterUnavailableError, match=reason):
        beside(rig, OTHER, **target).apply(Split(V12))
    assert settled(rig, HOME)


def test_hosts_can_be_changed(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    swapped(rig, beside(rig, rig.binding.key, hosts=("*", "chat.example")))
    settle(rig, Split(V12))
    swapped(rig, beside(rig, rig.binding.key, hosts=("chat.example",)))
    settle(rig, Split(V12))
    assert rig.send(3) == []
    assert set(rig.send(3, {"host": "chat.example"})) == {V12}


def test_many_writers_at_once_lose_nothing(rig: EnvoyRig) -> None:
    rig.router.observe()
    routers = [beside(rig, RolloutKey("crowd", f"bot-{n}"), prefix=f"/bot-{n}/") for n in range(6)]
    threads = [threading.Thread(target=router.apply, args=(HOME,)) for router in routers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, router in enumerate(routers):
        swapped(rig, router)
        settled(rig, HOME)
        assert ask(rig.port, 1, path=f"/bot-{number}/chat") == [V11]


def test_a_cookie_keeps_a_conversation(rig: EnvoyRig) -> None:
    sticky = replace(rig.binding.route, sticky=Sticky("cookie", "session"))
    swapped(rig, EnvoyRouter(replace(rig.binding, route=sticky)))
    settle(rig, Split(V11, V12, weight=50))
    for number in range(10):
        assert len(set(rig.send(6, {"cookie": f"theme=dark; session={number}"}))) == 1
    assert set(rig.send(60)) == {V11, V12}


def test_a_backend_may_have_a_name(rig: EnvoyRig) -> None:
    named = {version: BackendRef("Host", "localhost", ref.port) for version, ref in rig.binding.backends.items()}
    swapped(rig, EnvoyRouter(replace(rig.binding, backends=named)))
    settle(rig, Split(V11, V12, weight=100))
    assert set(rig.send(5)) == {V12}


def test_a_name_that_does_not_resolve_raises_nothing(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    lost = {**rig.binding.backends, V12: BackendRef("Host", "no-such-name.invalid", 1)}
    swapped(rig, EnvoyRouter(replace(rig.binding, backends=lost)))
    rig.router.apply(HOME)
    assert rig.router.observe().table == HOME.table()
    assert set(rig.send(5)) == {V11}


def test_a_moved_backend_is_accepted_when_envoy_has_it(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    with a_model("v11") as moved:
        backends = {**rig.binding.backends, V11: moved.backend}
        swapped(rig, EnvoyRouter(replace(rig.binding, backends=backends)))
        assert not rig.router.observe().accepted
        settle(rig, HOME)
        assert rig.send(3) == [V11] * 3
        assert len(moved.heard) == 3


def test_a_version_that_is_listed_no_more_loses_its_clusters_only_when_unused(rig: EnvoyRig) -> None:
    settle(rig, Split(V11, V12, weight=10))
    only = {V11: rig.binding.backends[V11]}
    swapped(rig, EnvoyRouter(replace(rig.binding, backends=only)))
    rig.router.apply(HOME)
    names = {one["name"].split("/")[3] for one in rig.admin.clusters(rig.binding.key)}
    assert names == {V11, V12}
    settle(rig, HOME)
    rig.router.apply(HOME)
    assert set(settled(rig, HOME).counts) == {V11}


def test_odd_names_keep_their_counts(rig: EnvoyRig) -> None:
    odd = VersionName("V1.2:rc/3 +x")
    binding = RouteBinding(RolloutKey("a.b", "c"), rig.binding.route, {odd: rig.binding.backends[V11]})
    swapped(rig, EnvoyRouter(binding))
    assert settle(rig, Split(odd)).table == Split(odd).table()
    rig.send(4)
    assert rig.router.observe().counts[odd].live == 4


def test_a_service_is_refused_with_the_reason(rig: EnvoyRig) -> None:
    with pytest.raises(RouterUnavailableError, match=r"assistants/support-bot: backend Service .* use kind Host"):
        EnvoyRouter(replace(rig.binding, backends={V11: BackendRef("Service", "support-bot", 8000)}))


def test_an_unknown_router_lists_the_known_ones(rig: EnvoyRig) -> None:
    target = replace(rig.binding.route.envoy, router="istoi")  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="unknown router `istoi`; known: envoy"):
        router_for(replace(rig.binding, route=replace(rig.binding.route, target=target)))
    assert isinstance(router_for(rig.binding), EnvoyRouter)


def test_somebody_at_our_admin_address_is_told(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    told = pytest.raises(RouterUnavailableError, match="something else already answers")
    with an_envoy_rig(admin=f"{LOOPBACK}:{rig.admin_port}") as second, told:
        second.router.apply(HOME)


def test_another_admin_address_in_the_same_folder_is_told(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    with pytest.raises(RouterUnavailableError, match="has its admin at"):
        beside(rig, OTHER, admin=f"{LOOPBACK}:{free_port()}", prefix="/v2").apply(HOME)


def test_a_stream_in_flight_ends_in_peace(rig: EnvoyRig) -> None:
    settle(rig, Split(V11, V12, weight=100))
    answers: list[bytes] = []

    def stream() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, rig.port, timeout=20)
        connection.request("POST", "/", b"tell me everything", {"x-stream": "1"})
        answers.append(connection.getresponse().read())
        connection.close()

    thread = threading.Thread(target=stream)
    thread.start()
    assert rig.models[V12].held.wait(5)
    assert settle(rig, HOME).counts[V12].active == 1
    assert set(rig.send(20)) == {V11}
    rig.models[V12].released.set()
    thread.join(10)
    assert answers == [b"v12v12"]
    wait_until(lambda: rig.router.observe().counts[V12].active == 0, 5, "the stream to end")


def test_requests_that_found_nobody_are_counted(rig: EnvoyRig) -> None:
    backends = {**rig.binding.backends, V12: BackendRef("Host", LOOPBACK, free_port())}
    rig.router = EnvoyRouter(replace(rig.binding, backends=backends))
    before = settle(rig, Split(V11, V12, weight=100)).counts[V12].live
    assert rig.send(15) == []
    assert rig.router.observe().counts[V12].live - before == 15


def test_only_we_say_what_is_mirrored(rig: EnvoyRig) -> None:
    settle(rig, Split(V11, V12, mirror=100))
    rig.send(5, {"x-tidegate-mirror": "1"})
    wait_until(lambda: len(rig.models[V12].heard) == 5, 5, "the mirrored requests")
    assert all("x-tidegate-mirror" not in heard for heard in rig.models[V11].heard)
    assert {heard["x-tidegate-mirror"] for heard in rig.models[V12].heard} == {"1"}
    assert {heard["host"] for heard in rig.models[V12].heard} == {f"{LOOPBACK}:{rig.port}"}


class Strange(BaseHTTPRequestHandler):
    """An admin interface that answers 200 with whatever the test says."""

    answer: ClassVar[bytes] = b""
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"configs": 3}', b'{"stats": [{"name": 1}]}', b"null"]
)
def test_strange_answers_are_trouble_never_a_split(rig: EnvoyRig, answer: bytes) -> None:
    with ExitStack() as stack:
        handler = type("Handler", (Strange,), {"answer": answer})
        server = stack.enter_context(ThreadingHTTPServer((LOOPBACK, 0), handler))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        target = replace(rig.binding.route.envoy, admin=f"{LOOPBACK}:{server.server_port}", listen=None)
        router = EnvoyRouter(replace(rig.binding, route=replace(rig.binding.route, target=target)))
        seen: list[RouteSeen] = []
        with pytest.raises(RouterUnavailableError):
            seen.append(router.observe())
        assert not seen
