"""Can the router of a rollout do what its spec asks for? Asked before a run gets any traffic."""

from controller.domain.needs import unmet
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError
from controller.runtime.book import Held
from controller.runtime.routers import Routers


def cannot(held: Held, routers: Routers) -> str | None:
    """The first thing that it cannot do. None: it can, or that is not known now, or candidates have traffic already."""
    spec = _asked_for(held)
    if spec is None:
        return None
    try:
        router = routers.of(held)
        return unmet(spec, router.capabilities) if router is not None else None
    except (RouterUnavailableError, LookupError):
        return None  # the same look at the route says so, and nothing begins without one


def _asked_for(held: Held) -> ModelRollout | None:
    position = held.position
    if position.phase is Phase.PENDING and position.run is not None:
        return position.run.spec
    return None if position.under_way or held.spec.deleted else held.spec.spec
