"""Routers by rollout, made when needed and again when the binding changes."""

import threading
import time
from collections.abc import Callable

import structlog

from controller.domain.names import RolloutKey
from controller.domain.observation import Unknown
from controller.domain.rollout import ModelRollout
from controller.domain.traffic import RouteGoneError, RouterUnavailableError, RouteSeen
from controller.ports import RouteBinding, TrafficRouter
from controller.runtime.book import Held

log = structlog.get_logger("routers")


SLOW = 0.5
"""Seconds after which a failed look at a data plane was a slow one."""
RESPITE = 2.0
"""For so many seconds only one rollout asks a data plane that failed slowly: the others' guard does not wait."""


class Routers:
    """One router a rollout. `make` is the factory of the traffic room; `steady` gives seconds that never jump."""

    def __init__(
        self, make: Callable[[RouteBinding], TrafficRouter], steady: Callable[[], float] = time.monotonic
    ) -> None:
        self.make, self._steady = make, steady
        self._lock = threading.Lock()
        self._known: dict[RolloutKey, tuple[RouteBinding, TrafficRouter]] = {}
        self._hung: dict[str, tuple[float, RolloutKey, Unknown]] = {}

    def of(self, held: Held) -> TrafficRouter | None:
        """The router of this rollout, or None when no good spec says where its route is."""
        binding = binding_of(held)
        if binding is None:
            return None
        with self._lock:
            known = self._known.get(held.key)
            if known is None or known[0] != binding:
                known = self._known[held.key] = (binding, self.make(binding))
            return known[1]

    def look(self, held: Held) -> RouteSeen | Unknown:
        """The route as it is; a failure is `Unknown` with the reason."""
        binding, began = binding_of(held), self._steady()
        if binding is None:
            return Unknown("no good spec says where the route is")
        place = binding.route.target.place
        hung = self._hung.get(place)
        if hung is not None and began < hung[0] and held.key != hung[1]:
            return hung[2]
        seen, ended = self._seen(held), self._steady()
        if isinstance(seen, Unknown) and ended - began >= SLOW:
            self._hung[place] = (ended + RESPITE, held.key, seen)
        else:
            self._hung.pop(place, None)
        return seen

    def _seen(self, held: Held) -> RouteSeen | Unknown:
        try:
            router = self.of(held)
            return router.observe() if router else Unknown("no good spec says where the route is")
        except RouteGoneError as error:
            return Unknown(str(error), gone=True)
        except (RouterUnavailableError, LookupError) as error:
            return Unknown(str(error))
        except Exception as error:  # an adapter's mistake makes the route unknown, it does not end the pass
            log.exception("router_failed", rollout=str(held.key))
            return Unknown(f"the router failed in a way that was not foreseen ({type(error).__name__}); see the log")


def binding_of(held: Held) -> RouteBinding | None:
    """Route and backends: the pinned run's first, then what the newest spec adds, so that no version is forgotten."""
    specs = [spec for spec in (held.active, _last_run_spec(held), held.spec.spec) if spec is not None]
    if not specs:
        return None
    backends = {version.name: version.backend for spec in reversed(specs) for version in spec.versions}
    return RouteBinding(held.key, specs[0].route, backends)


def _last_run_spec(held: Held) -> ModelRollout | None:
    return held.position.run.spec if held.position.run else None
