"""Routes: one, moved by one router, and what that router can do."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.schema_routes import RouteBlock
from controller.spec.sentences import NO_ROUTER, NOT_STICKY, ONE_ROUTE, ROUTER_KEYS, SAME_ADDRESS


def check_routes(parts: Parts) -> Iterator[Finding]:
    """One route, with one router and one way to keep a conversation together."""
    for at, route in parts.routes.items():
        path: Path = ("spec", "routes", at)
        yield from _check_router(route, path)
        if route.sticky_by is not None:
            yield from check_one_of(route.sticky_by, (*path, "stickyBy"), "header", "cookie")
        if at:
            yield Finding(path, *ONE_ROUTE)
        if route.envoy and route.envoy.listen == route.envoy.admin:
            yield Finding((*path, "envoy", "listen"), *SAME_ADDRESS)


def _check_router(route: RouteBlock, path: Path) -> Iterator[Finding]:
    if route.envoy is None and route.gateway_api is None:
        yield Finding(path, *NO_ROUTER)
    else:
        yield from check_one_of(route, path, *ROUTER_KEYS)
    if route.gateway_api is not None and route.sticky_by is not None:
        yield Finding((*path, "stickyBy"), *NOT_STICKY)
