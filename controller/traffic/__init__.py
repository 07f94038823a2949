"""Traffic routers: who moves the requests. One line a router; an unknown name is an error, never a default."""

from collections.abc import Mapping

from controller.ports import RouteBinding, RouterFactory, TrafficRouter
from controller.traffic.envoy import EnvoyRouter

ROUTERS: Mapping[str, RouterFactory] = {
    "envoy": EnvoyRouter,
}


def router_for(binding: RouteBinding) -> TrafficRouter:
    """The router that the route of `binding` names. Raises LookupError with the known names for an unknown one."""
    name: str = binding.route.target.router
    if name not in ROUTERS:
        raise LookupError(f"{binding.key}: unknown router `{name}`; known: {', '.join(sorted(ROUTERS))}")
    return ROUTERS[name](binding)
