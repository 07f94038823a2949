"""Traffic routers: who moves the requests. One line a router; an unknown name is an error, never a default."""

from collections.abc import Callable, Mapping

from controller.domain.cluster import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, Kind
from controller.domain.traffic import RouterUnavailableError
from controller.ports import ObjectApi, ObjectView, RouteBinding, TrafficRouter
from controller.traffic.envoy import EnvoyRouter
from controller.traffic.gateway_api import GatewayApiRouter

Doors = tuple[ObjectApi, ObjectView]
"""How a router reaches the cluster: to write, and to read without a request."""

FOLLOWED: tuple[Kind, ...] = (HTTP_ROUTE, GATEWAY, GATEWAY_CLASS)
"""What the view must follow for `gateway_api`: the HTTPRoutes of the rollouts, and, as far as allowed, the others."""


def _envoy(binding: RouteBinding, _: Doors | None) -> TrafficRouter:
    return EnvoyRouter(binding)


def _gateway_api(binding: RouteBinding, cluster: Doors | None) -> TrafficRouter:
    if cluster is None:
        raise RouterUnavailableError(
            f"{binding.key}: {binding.route.target.place} is in a cluster, and this daemon has none: start it with "
            "--cluster (in a pod), or with --cluster --kubeconfig FILE"
        )
    return GatewayApiRouter(binding, *cluster)


ROUTERS: Mapping[str, Callable[[RouteBinding, Doors | None], TrafficRouter]] = {
    "envoy": _envoy,
    "gateway_api": _gateway_api,
}


def router_for(binding: RouteBinding, cluster: Doors | None = None) -> TrafficRouter:
    """The router that the route of `binding` names. Raises LookupError with the known names for an unknown one,
    RouterUnavailableError for one that needs a cluster when there is none."""
    name: str = binding.route.target.router
    if name not in ROUTERS:
        raise LookupError(f"{binding.key}: unknown router `{name}`; known: {', '.join(sorted(ROUTERS))}")
    return ROUTERS[name](binding, cluster)
