"""What Envoy itself says: held configuration, counters, start. The one place that talks to its admin interface."""

import http.client
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from controller.domain.names import RolloutKey, VersionName
from controller.domain.traffic import RequestCounts, RouterUnavailableError
from controller.traffic.envoy_names import ROUTE_CONFIG, Role, cluster_name, emergency_key, owner, split_address

Json = dict[str, Any]
Stats = Mapping[str, int | str]

_TIMEOUT = 2.0
# A request that found no connection was sent by the router all the same: it counts as one to that version.
_SENT = (
    "upstream_rq_total",
    "upstream_rq_pending_overflow",
    "upstream_rq_pending_failure_eject",
    "upstream_cx_none_healthy",
)
_LISTENERS = "listener_manager.lds.version_text"
_ACTIVE = ("upstream_rq_active", "upstream_rq_pending_active")


class EnvoyAdmin:
    """Every method raises RouterUnavailableError when there is no answer within 2 s, or one nobody understands."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._host, self._port = split_address(address)

    def ready(self) -> bool:
        """Has it started, with everything it was configured with? False also when nobody answers."""
        try:
            return self._ask("GET", "/ready")[0] == 200
        except RouterUnavailableError:
            return False

    def epoch(self) -> str:
        """The instant this Envoy read its bootstrap: the same until it restarts."""
        dumps = self._configs("mask=last_updated")
        found = next((dump["last_updated"] for dump in dumps if "last_updated" in dump), None)
        if found is None:
            raise self._strange("nowhere does it say when it read its bootstrap")
        return str(found)

    def routes(self) -> Json | None:
        """Our route configuration as Envoy holds it; None when it holds none of that name."""
        dumps = self._configs("resource=dynamic_route_configs")
        held = (dump.get("route_config", {}) for dump in dumps)
        return next((config for config in held if config.get("name") == ROUTE_CONFIG), None)

    def clusters(self, key: RolloutKey | None = None) -> list[Json]:
        """The active clusters (of one rollout, or all that came from files) as Envoy holds them."""
        only = f"&{urlencode({'name_regex': re.escape(owner(key)) + '/.*'})}" if key else ""
        dumps = self._configs(f"resource=dynamic_active_clusters{only}")
        return [dump["cluster"] for dump in dumps if "cluster" in dump]

    def listener_problem(self, name: str) -> str | None:
        """Why a listener is not open, None when it is."""
        found = (dump for dump in self._configs("resource=dynamic_listeners") if dump.get("name") == name)
        listener = next(found, {})
        if "active_state" in listener:
            return None
        return str(listener.get("error_state", {}).get("details", "it does not know it"))

    def stats(self, key: RolloutKey | None = None) -> Stats:
        """The versions of routes, clusters and listeners last accepted; counters and gauges of a rollout's clusters."""
        names = "|".join((*_SENT, *_ACTIVE))
        ours = rf"^cluster\.{re.escape(owner(key))}/[^/]+/(live|mirror)\.({names})$" if key else "^$"
        versions = rf"\.rds\.{ROUTE_CONFIG}\.version_text$|^cluster_manager\.cds\.version_text$|{_LISTENERS}$"
        answer = self._json(f"/stats?format=json&{urlencode({'filter': f'{ours}|{versions}'})}")
        found = answer.get("stats", [])
        return {one["name"]: one.get("value", 0) for one in found if "name" in one}

    def emergency(self, key: RolloutKey) -> bool:
        """Does the runtime send everything to stable?"""
        entry = self._json("/runtime").get("entries", {}).get(emergency_key(key), {})
        return str(entry.get("final_value", "")) == "100"

    def set_emergency(self, key: RolloutKey, on: bool) -> None:
        """Send everything to stable by the runtime alone, or (off) as the routes say."""
        status, body = self._ask("POST", f"/runtime_modify?{quote(emergency_key(key), safe='')}={100 if on else ''}")
        if status != 200:
            raise self._strange(f"runtime_modify answered {status}: {body[:200].decode(errors='replace').strip()}")

    def _configs(self, query: str) -> list[Json]:
        found = self._json(f"/config_dump?{query}").get("configs", [])
        if not isinstance(found, list):
            raise self._strange("its configuration is no list")
        return found

    def _json(self, path: str) -> Json:
        status, body = self._ask("GET", path)
        if status != 200:
            raise self._strange(f"{path.partition('?')[0]} answered {status}")
        try:
            found = json.loads(body)
        except ValueError as error:
            raise self._strange(f"{path.partition('?')[0]} answered no JSON ({error})") from error
        if not isinstance(found, dict):
            raise self._strange(f"{path.partition('?')[0]} answered no JSON object")
        return found

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RouterUnavailableError(
                f"no answer from Envoy's admin at {self.address} ({error or type(error).__name__}): what it routes now "
                "is unknown; check that Envoy runs and that `admin` is its admin address"
            ) from error
        finally:
            connection.close()

    def _strange(self, what: str) -> RouterUnavailableError:
        return RouterUnavailableError(
            f"Envoy's admin at {self.address} answered what we do not understand: {what}; "
            "check that `admin` is the admin address of an Envoy (tested with 1.40)"
        )


def counts(stats: Stats, key: RolloutKey, version: VersionName) -> RequestCounts:
    """What was sent to one version; a cluster that Envoy does not have counts as nothing. Pure."""

    def total(names: tuple[str, ...], role: Role) -> int:
        cluster = cluster_name(key, version, role)
        return sum(int(stats.get(f"cluster.{cluster}.{name}", 0)) for name in names)

    return RequestCounts(
        live=total(_SENT, Role.LIVE),
        mirrored=total(_SENT, Role.MIRROR),
        active=total(_ACTIVE, Role.LIVE) + total(_ACTIVE, Role.MIRROR),
    )


def accepted_versions(stats: Stats) -> tuple[frozenset[str], frozenset[str]]:
    """The versions of the routes (one per listener that uses them) and of the clusters that Envoy last took. Pure."""
    routes = {str(value) for name, value in stats.items() if name.endswith(f".rds.{ROUTE_CONFIG}.version_text")}
    clusters = {str(value) for name, value in stats.items() if name == "cluster_manager.cds.version_text"}
    return frozenset(routes), frozenset(clusters)


def accepted_listeners(stats: Stats) -> str | None:
    """The version of the listeners that Envoy last took, None when it reads none from a file. Pure."""
    found = stats.get(_LISTENERS)
    return None if found is None else str(found)
