"""Which kinds a group serves, by the API server's own word: a plural is what a definition says that it is."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from controller.cluster import refusals
from controller.cluster.connect import Answer, Connection, NoAnswerError, Told
from controller.cluster.objects import refusal, told_nobody
from controller.domain.cluster import ForbiddenError, Kind, NotServedError, ObjectRef

KNOWN_FOR = 300.0
"""Seconds in which a kind that was found is not looked for again."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class _Served:
    """One entry of an APIResourceList."""

    plural: str
    kind: str
    namespaced: bool


class Discovery:
    """Implements ports.KindFinder. Safe for several threads."""

    def __init__(
        self, connection: Connection, told: Told = told_nobody, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection, self._told, self._clock = connection, told, clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, Kind]] = {}

    def with_scale(self, api_version: str, name: str) -> Kind:
        """The kind of that name, which has a sub-resource `scale`. Raises NotServedError with what there is instead."""
        with self._lock:
            known = self._known.get((api_version, name))
        if known is not None and self._clock() - known[0] < KNOWN_FOR:
            return known[1]
        found = chosen(api_version, name, self._list(api_version))
        with self._lock:
            self._known[api_version, name] = (self._clock(), found)
        return found

    def _list(self, api_version: str) -> Mapping[str, object]:
        group, _, version = api_version.rpartition("/")
        path = f"/apis/{quote(group)}/{quote(version)}" if group else f"/api/{quote(version)}"
        nothing = ObjectRef(Kind(group, version, "*", "*"), "", "")
        started, code = time.monotonic(), 0
        try:
            answer: Answer = self._connection.request("GET", path)
            code = answer.status
        except NoAnswerError as error:
            raise refusals.unavailable("discover", nothing, f"{self._connection.host}: {error}") from error
        finally:
            self._told("discover", api_version, code, time.monotonic() - started)
        if code == 403:
            raise ForbiddenError(
                f"not allowed to read {path}: bind the ClusterRole system:discovery, which every account has by "
                "default, to Tidegate's service account"
            )
        if code == 404:
            raise NotServedError(
                f"the API server serves nothing of {api_version}: correct the apiVersion, or apply the definition of"
                " that kind (`kubectl api-resources` shows what there is); it is tried again"
            )
        if code != 200:
            raise refusal(answer, "discover", nothing)
        return answer.document()


def chosen(api_version: str, name: str, listed: Mapping[str, object]) -> Kind:
    """From an APIResourceList. Pure."""
    entries = listed.get("resources")
    served = [_served(one) for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []
    scaled = {one.plural.partition("/")[0] for one in served if one.plural.endswith("/scale")}
    whole = [one for one in served if "/" not in one.plural]
    found = next((one for one in whole if one.kind == name), None)
    if found is not None and found.plural in scaled:
        group, _, version = api_version.rpartition("/")
        return Kind(group, version, found.plural, found.kind, found.namespaced)
    kinds = sorted({one.kind for one in whole if one.plural in scaled})
    what = "has no sub-resource scale" if found is not None else "is not among the kinds"
    there = ", ".join(kinds[:SHOWN]) + (" ..." if len(kinds) > SHOWN else "") if kinds else "none"
    raise NotServedError(
        f"{name} {what} of {api_version}; kinds with a scale there: {there}; correct `scale.kind` or `scale.apiVersion`"
    )


def _served(entry: Mapping[str, object]) -> _Served:
    return _Served(str(entry.get("name", "")), str(entry.get("kind", "")), entry.get("namespaced") is True)
