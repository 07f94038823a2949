"""Contour and Envoy split real requests as an HTTPRoute says: the ground on which routes are judged."""

import math
from collections import Counter
from collections.abc import Iterator

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.backend import Backend
from controller.testing.cluster_parts.contour import Contour
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.resources import backend, http_route

REQUESTS = 200
IMPROBABLE = 1e-6


@pytest.fixture
def backends(api_server: ApiServer, netns: Netns, namespace: str) -> Iterator[tuple[Backend, Backend]]:
    """v1 and v2, as Services of the namespace."""
    with Backend("v1", netns, netns.address(11)) as stable, Backend("v2", netns, netns.address(12)) as candidate:
        for one in (stable, candidate):
            api_server.kubectl.apply(*backend(one.name, namespace, one.address, one.port))
        yield stable, candidate


def chance_of_as_far(count: int, total: int, share: float) -> float:
    """How probable a count as far from `share` of `total` as this one is, on its side, twice."""
    chances = [math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(total + 1)]
    return 2 * min(sum(chances[: count + 1]), sum(chances[count:]))


def route(contour: Contour, namespace: str, stable: int, candidate: int) -> dict[str, object]:
    weights = {"v1": (8000, stable), "v2": (8000, candidate)}
    return http_route("chat", namespace, gateway=contour.gateway, hostname=f"{namespace}.test", weights=weights)


def test_weights_are_the_shares_of_real_requests(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    assert contour.is_programmed()
    stable, candidate = backends
    host = f"{namespace}.test"
    api_server.kubectl.apply(route(contour, namespace, 90, 10))
    contour.wait_served(host=host)
    stable.reset(), candidate.reset()
    answers = Counter(contour.get(host=host).body for _ in range(REQUESTS))
    assert answers == Counter(v1=stable.count, v2=candidate.count)
    assert answers.total() == REQUESTS
    assert chance_of_as_far(answers["v2"], REQUESTS, 0.10) > IMPROBABLE


def test_a_removed_weight_is_no_traffic_at_all(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    _, candidate = backends
    host = f"{namespace}.test"
    api_server.kubectl.apply(route(contour, namespace, 0, 100))
    contour.wait_served(host=host, by="v2")
    api_server.kubectl.apply(route(contour, namespace, 100, 0))
    contour.wait_served(host=host, by="v1")
    candidate.reset()
    assert {contour.get(host=host).body for _ in range(100)} == {"v1"}
    assert candidate.count == 0


def test_the_route_says_that_it_was_accepted(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    api_server.kubectl.apply(route(contour, namespace, 50, 50))
    api_server.kubectl(
        "wait", "httproute/chat", "--namespace", namespace, "--timeout=20s",
        "--for=jsonpath={.status.parents[0].conditions[?(@.type=='ResolvedRefs')].status}=True",
    )  # fmt: skip


def test_a_frozen_control_plane_accepts_routes_and_moves_nothing(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    host = f"{namespace}.test"
    api_server.kubectl.apply(route(contour, namespace, 100, 0))
    contour.wait_served(host=host)
    contour.contour.pause()
    try:
        api_server.kubectl.apply(route(contour, namespace, 0, 100))
        assert {contour.get(host=host).body for _ in range(20)} == {"v1"}
    finally:
        contour.contour.resume()
    contour.wait_served(host=host, by="v2")


def test_traffic_outlives_the_control_plane(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    host = f"{namespace}.test"
    api_server.kubectl.apply(route(contour, namespace, 100, 0))
    contour.wait_served(host=host)
    contour.contour.kill()
    try:
        assert contour.get(host=host).body == "v1"
    finally:
        contour.start_contour()
    api_server.kubectl.apply(route(contour, namespace, 0, 100))
    contour.wait_served(host=host, by="v2", timeout=40)


def test_envoy_tells_its_counters_out_here(
    api_server: ApiServer, contour: Contour, namespace: str, backends: tuple[Backend, Backend]
) -> None:
    api_server.kubectl.apply(route(contour, namespace, 100, 0))
    contour.wait_served(host=f"{namespace}.test")
    assert f"{namespace}/v1/8000" in contour.admin("/clusters")
