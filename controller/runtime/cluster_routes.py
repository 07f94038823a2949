"""Routers of a daemon on a cluster: what they look at is followed from the first rollout on that needs it."""

import threading
import time
from collections.abc import Callable, Iterator

from controller.domain.cluster import (
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    ClusterError,
    ClusterUnavailableError,
    ObjectRef,
)
from controller.domain.names import RolloutKey
from controller.domain.route import GatewayApiRoute
from controller.ports import ObjectApi, ObjectView, RouteBinding, TrafficRouter
from controller.runtime.book import Book, Held
from controller.traffic import FOLLOWED, router_for

FIRST_LOOK = 3.0
"""Seconds that the first rollout waits for the watch: what was not looked at yet must not look like a fault."""
LOOK_AGAIN = 0.05


class ClusterRoutes:
    """A RouterFactory. `changed` is called, from any thread, with every HTTPRoute that changed."""

    def __init__(self, api: ObjectApi, view: ObjectView, namespaces: tuple[str, ...] = ()) -> None:
        self._doors, self._namespaces = (api, view), namespaces or ("",)
        self._lock, self._followed = threading.Lock(), False
        self.changed: Callable[[ObjectRef], None] = lambda _: None

    def __call__(self, binding: RouteBinding) -> TrafficRouter:
        """The router of a rollout."""
        if isinstance(binding.route.target, GatewayApiRoute):
            self._follow()
        return router_for(binding, self._doors)

    def _follow(self) -> None:
        with self._lock:
            if self._followed:
                return
            self._followed = True
        for kind in FOLLOWED:
            # A Gateway is often in a namespace of its own; where it may not be read, the router does without.
            for namespace in ("",) if kind in (GATEWAY, GATEWAY_CLASS) else self._namespaces:
                self._doors[1].follow(kind, namespace, self._heard)
        deadline = time.monotonic() + FIRST_LOOK
        while not self._is_current() and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN)

    def _is_current(self) -> bool:
        """Can the routes be read, or is there no use in waiting?"""
        try:
            self._doors[1].all(HTTP_ROUTE)
        except ClusterUnavailableError:
            return False
        except ClusterError:
            return True
        return True

    def _heard(self, ref: ObjectRef) -> None:
        if ref.kind == HTTP_ROUTE:
            self.changed(ref)


def rollouts_on(book: Book, route: ObjectRef) -> Iterator[RolloutKey]:
    """Who should look at once when that HTTPRoute changed."""
    for held in book.all():
        target = _target(held)
        if target is not None and (target.namespace, target.http_route) == (route.namespace, route.name):
            yield held.key


def _target(held: Held) -> GatewayApiRoute | None:
    spec = held.active
    return spec.route.target if spec is not None and isinstance(spec.route.target, GatewayApiRoute) else None
