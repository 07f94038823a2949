"""A split as Envoy's configuration: clusters, routes, listener, bootstrap. Pure: values in, JSON objects out."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, Sticky
from controller.domain.traffic import Split
from controller.ports import RouteBinding
from controller.traffic.envoy_names import (
    CLUSTERS_FILE,
    LISTENERS_FILE,
    ROUTE_CONFIG,
    ROUTES_FILE,
    Role,
    cluster_name,
    emergency_key,
    owner,
    split_address,
)

Json = dict[str, Any]

MIRROR_HEADER = "x-tidegate-mirror"
_TYPES = "type.googleapis.com/envoy"
_MANY = 1_000_000


def clusters(binding: RouteBinding) -> list[Json]:
    """One cluster per version for live requests and one for mirrored ones. Raises ValueError for a `Service`."""
    return [
        _cluster(cluster_name(binding.key, version, role), backend)
        for version, backend in sorted(binding.backends.items())
        for role in Role
    ]


def routes(binding: RouteBinding, split: Split) -> list[Json]:
    """The rollout's routes, most specific first: emergency, cohort, and everything else by weight."""
    found = []
    if split.exposes():
        found += [_emergency(binding, split.stable)]
    if split.candidate is not None and split.cohort:
        found += [_cohort(binding, split)]
    return [*found, _main(binding, split)]


def route_config() -> Json:
    """Our route configuration without a virtual host: whatever is asked of it is answered by 404."""
    return {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": ROUTE_CONFIG,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [],
    }


def listener(listen: str, folder: str) -> Json:
    """A plain HTTP listener on `listen` whose routes are the file in `folder`. Raises ValueError."""
    return {
        "@type": f"{_TYPES}.config.listener.v3.Listener",
        "name": f"tidegate/{listen}",
        "address": _address(*split_address(listen)),
        # With it, a second process could share the port in silence.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _connection_manager(folder)}]}],
    }


def bootstrap(admin: str, folder: str) -> Json:
    """What our own Envoy starts with. The admin layer lets `emergency` work without any file. Raises ValueError."""
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        "admin": {"address": _address(*split_address(admin))},
        "dynamic_resources": {
            "cds_config": _file_source(folder, CLUSTERS_FILE),
            "lds_config": _file_source(folder, LISTENERS_FILE),
        },
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
    }


def _cluster(name: str, backend: BackendRef) -> Json:
    if backend.kind != "Host":
        raise ValueError(
            f"backend {backend.kind} {backend.name}: an Envoy on this machine cannot resolve a Kubernetes Service; "
            "use kind Host with an address or DNS name"
        )
    endpoint = {"endpoint": {"address": _address(backend.name, backend.port)}}
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        **_discovery(backend.name),
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": {"thresholds": [_no_limits()]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http1()},
    }


def _discovery(host: str) -> Json:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # V4_PREFERRED: with Envoy's default, `localhost` means ::1 alone, where few model servers listen.
        return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
    return {"type": "STATIC"}


def _no_limits() -> Json:
    # Envoy's default of 1024 is meant for short requests; thousands of streams at once are ordinary here.
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return dict.fromkeys(names, _MANY)


def _http1() -> Json:
    return {
        "@type": f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
        # Shorter than the 5 s after which uvicorn closes: a connection is never reused as its server hangs up.
        "common_http_protocol_options": {"idle_timeout": "4s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }


def _main(binding: RouteBinding, split: Split) -> Json:
    # The candidate comes first: a rising weight then only ever takes conversations from stable.
    weights = [(split.candidate, split.weight), (split.stable, 100 - split.weight)]
    shares = [(version, weight) for version, weight in weights if version is not None and weight]
    action = _action(binding.key, shares)
    if split.candidate is not None and split.mirror:
        action["request_mirror_policies"] = [_mirror(binding.key, split.candidate, split.mirror)]
    if binding.route.sticky is not None:
        action["weighted_clusters"]["use_hash_policy"] = True
        action["hash_policy"] = [_hash_policy(binding.route.sticky)]
    return _route(binding, "main", {}, action)


def _cohort(binding: RouteBinding, split: Split) -> Json:
    assert split.candidate is not None
    headers = [{"name": name, "string_match": {"exact": value}} for name, value in split.cohort]
    return _route(binding, "cohort", {"headers": headers}, _action(binding.key, [(split.candidate, 100)]))


def _emergency(binding: RouteBinding, stable: VersionName) -> Json:
    """Off (0 %) until the runtime key says 100; it then wins over mirror, cohort and weights."""
    off = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": emergency_key(binding.key)}
    return _route(binding, "emergency", {"runtime_fraction": off}, _action(binding.key, [(stable, 100)]))


def _route(binding: RouteBinding, part: str, match: Json, action: Json) -> Json:
    return {
        "name": f"{owner(binding.key)}/{part}",
        "match": {"prefix": binding.route.envoy.prefix, **match},
        # Only we say what is a mirrored request; a client's word is dropped.
        "request_headers_to_remove": [MIRROR_HEADER],
        "route": action,
    }


def _action(key: RolloutKey, shares: Iterable[tuple[VersionName, int]]) -> Json:
    targets = [{"name": cluster_name(key, version, Role.LIVE), "weight": weight} for version, weight in shares]
    # A stream may take as long as it needs, but not be silent for a quarter of an hour. No retries: a model
    # that began to answer would be asked, and paid for, twice.
    return {"weighted_clusters": {"clusters": targets}, "timeout": "0s", "idle_timeout": "900s"}


def _mirror(key: RolloutKey, candidate: VersionName, percent: int) -> Json:
    mark = {"header": {"key": MIRROR_HEADER, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {
        "cluster": cluster_name(key, candidate, Role.MIRROR),
        "runtime_fraction": {"default_value": {"numerator": percent, "denominator": "HUNDRED"}},
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": mark}],
    }


def _hash_policy(sticky: Sticky) -> Json:
    # A cookie without `ttl` is never set by Envoy: requests that carry none are split at random.
    by = {"header": {"header_name": sticky.name}} if sticky.by == "header" else {"cookie": {"name": sticky.name}}
    return {**by, "terminal": True}


def _connection_manager(folder: str) -> Json:
    router = {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "tidegate",
        "use_remote_address": True,
        "normalize_path": True,
        "request_headers_timeout": "30s",
        "rds": {"route_config_name": ROUTE_CONFIG, "config_source": _file_source(folder, ROUTES_FILE)},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }


def _file_source(folder: str, file: str) -> Json:
    source = {"path": f"{folder}/{file}", "watched_directory": {"path": folder}}
    return {"resource_api_version": "V3", "path_config_source": source}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
