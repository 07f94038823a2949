"""The SLOTemplates of all sources of one daemon: a rollout in a folder may use one that lies in git."""

import threading
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from controller.spec.catalog import with_catalog
from controller.spec.templates import SHARED_NAMESPACE, Template, Templates


class TemplateShelf:
    """Each source puts what it has; all of them read from it."""

    def __init__(self, shared: str = SHARED_NAMESPACE) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._by_owner: dict[int, tuple[Template, ...]] = {}
        self._all = Templates(shared=shared)
        self._revision = 0

    @property
    def revision(self) -> int:
        """Another one after every change."""
        return self._revision

    def put(self, owner: object, templates: Iterable[Template]) -> None:
        """All that `owner` has now, instead of what it had before."""
        mine = tuple(templates)
        with self._lock:
            if self._by_owner.get(id(owner), ()) == mine:
                return
            self._by_owner[id(owner)] = mine
            self._all = with_catalog((one for group in self._by_owner.values() for one in group), self._shared)
            self._revision += 1

    def all(self) -> Templates:
        """Every template there is, with those of the catalog."""
        with self._lock:
            if not self._all.known:
                self._all = with_catalog((), self._shared)
            return self._all


@runtime_checkable
class UsesTemplates(Protocol):
    """A source whose rollouts can use templates of other sources."""

    def share(self, shelf: TemplateShelf) -> None:
        """Put templates there, and read them from there, from now on."""
        ...
