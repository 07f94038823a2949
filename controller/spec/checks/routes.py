"""Routes: one, moved by a router that is built."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.finding import Finding
from controller.spec.parts import Parts
from controller.spec.schema_routes import ROUTERS


def check_routes(parts: Parts) -> Iterator[Finding]:
    """One route, with one router and one way to keep a conversation together."""
    for at, route in parts.routes.items():
        path = ("spec", "routes", at)
        if route.envoy is None:
            known = f"known: {', '.join(ROUTERS.values())}"
            yield Finding(path, f"names no router; {known}", "of these, envoy is built: write `envoy: {...}`")
        if route.sticky_by is not None:
            yield from check_one_of(route.sticky_by, (*path, "stickyBy"), "header", "cookie")
        if at:
            yield Finding(path, "more than one route is not built yet", "keep one route per rollout")
        if route.envoy and route.envoy.listen == route.envoy.admin:
            yield Finding((*path, "envoy", "listen"), "is the same address as admin", "give them different ports")
