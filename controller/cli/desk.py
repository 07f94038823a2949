"""Where a command's questions go: to the daemon of this machine, or to the resources of a cluster."""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from controller.ports import KindFinder, ObjectApi

View = Mapping[str, Any]
"""The JSON of a rollout, as `controller.runtime.views` makes it."""


class Desk(Protocol):
    """Answers questions and takes requests. Both raise CommandError."""

    def call(self, verb: str, args: Mapping[str, object]) -> dict[str, Any]:
        """One answer."""
        ...

    def stream(self, name: str) -> Iterator[dict[str, Any]]:
        """One rollout at every change."""
        ...


DESK: ContextVar[Desk | None] = ContextVar("desk", default=None)
"""Set by `kubectl tidegate`; without one the daemon's socket is asked."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A cluster as a person reaches it. `namespace`: where a bare name lies. `everywhere`: `-A` was given.

    `kinds` None: what else is served there is not asked.
    """

    api: ObjectApi
    host: str
    namespace: str
    everywhere: bool = False
    kinds: KindFinder | None = None


REACH: ContextVar[Reach | None] = ContextVar("reach", default=None)
"""Set by `kubectl tidegate`, for commands that ask the API server itself."""
