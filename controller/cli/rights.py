"""The rights that the controller needs on a cluster: the same as the Helm chart gives, rule by rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from controller.domain.cluster import (
    ENDPOINT_SLICE,
    EVENT,
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    LEASE,
    MODEL_ROLLOUT,
    ROLLOUT_REQUEST,
    SERVICE,
    SLO_TEMPLATE,
    Kind,
)


class Where(StrEnum):
    """In the namespaces of the rollouts, in the controller's own, in that of shared templates, or in all of them."""

    ROLLOUTS = "rollouts"
    OWN = "own"
    TEMPLATES = "templates"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind or its sub-resource. `without`: what is lost where it is optional; empty: it is needed."""

    kind: Kind
    verb: str
    part: str = ""
    where: Where = Where.ROLLOUTS
    without: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.kind.resource}{f'/{self.part}' if self.part else ''}"


FOLLOW = ("list", "watch")
READ = ("get", *FOLLOW)
UNSHARED = "its templates are not found, and rollouts that use them are Stalled"
PILED_UP = "answered requests are not deleted after a week, and pile up"
PROGRAMMED = "whether a Gateway is programmed is not checked, and a mirror of a part of the requests is refused"


def needed() -> Iterator[Right]:
    """Everything but scaling."""
    for kind in (MODEL_ROLLOUT, ROLLOUT_REQUEST):
        yield from (Right(kind, verb) for verb in READ)
    for kind in (SLO_TEMPLATE, ENDPOINT_SLICE):
        yield from (Right(kind, verb) for verb in FOLLOW)
    yield from (Right(SLO_TEMPLATE, verb, where=Where.TEMPLATES, without=UNSHARED) for verb in FOLLOW)
    yield from (Right(SERVICE, verb) for verb in ("get", "list"))
    yield Right(MODEL_ROLLOUT, "patch", "status")
    yield Right(ROLLOUT_REQUEST, "patch", "status")
    yield Right(ROLLOUT_REQUEST, "delete", without=PILED_UP)
    yield Right(EVENT, "create")
    yield from (Right(HTTP_ROUTE, verb) for verb in (*READ, "patch"))
    for kind in (GATEWAY, GATEWAY_CLASS):
        yield from (Right(kind, verb, where=Where.EVERYWHERE, without=PROGRAMMED) for verb in READ)
    yield from (Right(LEASE, verb, where=Where.OWN) for verb in (*READ, "create", "patch"))


def to_scale(kind: Kind) -> Iterator[Right]:
    """For versions that are scaled by objects of that kind."""
    yield from (Right(kind, verb, "scale") for verb in ("get", "patch"))
