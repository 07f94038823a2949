"""Laws of the routes: what is put in is read back, and nobody else's entries move."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, EnvoyRoute, Route, Sticky
from controller.domain.traffic import RouteTable, Split
from controller.ports import RouteBinding
from controller.traffic import envoy_config
from controller.traffic.envoy_names import (
    Role,
    cluster_name,
    record_file,
    record_key,
    split_address,
    version_of,
)
from controller.traffic.envoy_routes import ShapeError, has_emergency, table_of, with_routes

V11, V12 = VersionName("v11"), VersionName("v12")
KEY = RolloutKey("assistants", "support-bot")
Json = dict[str, Any]

names = st.text("abz.:/-_09 %é", min_size=1, max_size=8)
headers = st.lists(st.tuples(st.sampled_from(["x-a", "x-b", "x-c"]), names), max_size=3, unique_by=lambda h: h[0])
splits = st.one_of(
    st.builds(Split, st.just(V11)),
    st.builds(Split, st.just(V11), st.just(V12), st.integers(0, 100), st.integers(0, 100), headers.map(tuple)),
)
prefixes = st.sampled_from(["/", "/v1", "/v1/chat", "/other"])
foreign_routes = st.builds(
    lambda prefix, name: {"match": {"prefix": prefix}, "direct_response": {"status": 418}, **name},
    prefixes,
    st.sampled_from([{}, {"name": "theirs"}]),
)
foreign_hosts = st.lists(
    st.builds(
        lambda number, routes: {"name": f"host-{number}", "domains": [f"{number}.example"], "routes": routes},
        st.integers(0, 5),
        st.lists(foreign_routes, max_size=4),
    ),
    max_size=4,
    unique_by=lambda host: host["name"],
)


def binding(prefix: str = "/", hosts: tuple[str, ...] = ("*",), sticky: Sticky | None = None) -> RouteBinding:
    target = EnvoyRoute(admin="127.0.0.1:1", config_dir="/x", hosts=hosts, prefix=prefix)
    backends = {version: BackendRef("Host", "127.0.0.1", 1) for version in (V11, V12)}
    return RouteBinding(KEY, Route(target, sticky), backends)


def put(config: Json, of: RouteBinding, split: Split) -> Json:
    return with_routes(config, of, envoy_config.routes(of, split))


def foreign(config: Json) -> list[Json]:
    """The config without what is ours."""
    kept = copy.deepcopy(config["virtual_hosts"])
    for host in kept:
        host["routes"] = [r for r in host["routes"] if not r.get("name", "").startswith("tidegate/")]
    return [host for host in kept if not host["name"].startswith("tidegate/")]


@given(splits, prefixes, st.sampled_from([None, Sticky("header", "x-c"), Sticky("cookie", "c")]))
def test_what_is_put_in_is_read_back(split: Split, prefix: str, sticky: Sticky | None) -> None:
    held = put(envoy_config.route_config(), binding(prefix, sticky=sticky), split)
    assert table_of(held, KEY) == split.table()
    assert has_emergency(held, KEY) == split.exposes()
    if split.exposes():
        assert table_of(held, KEY, emergency=True) == RouteTable(shares=((split.stable, 100),))


@given(splits, splits, foreign_hosts, prefixes, st.sampled_from([("*",), ("1.example",)]))
def test_putting_in_is_the_same_twice_and_forgets_the_one_before(
    first: Split, second: Split, hosts: list[Json], prefix: str, ours: tuple[str, ...]
) -> None:
    config = {**envoy_config.route_config(), "virtual_hosts": hosts}
    of = binding(prefix, ours)
    once = put(config, of, second)
    assert put(once, of, second) == once
    assert put(put(config, of, first), of, second) == once


@given(splits, foreign_hosts, prefixes, st.sampled_from([("*",), ("1.example",)]))
def test_foreign_entries_stay_in_their_order(
    split: Split, hosts: list[Json], prefix: str, ours: tuple[str, ...]
) -> None:
    config = {**envoy_config.route_config(), "virtual_hosts": hosts}
    before = copy.deepcopy(config)
    assert foreign(put(config, binding(prefix, ours), split)) == foreign(before)
    assert config == before


@given(names, names, names)
def test_names_come_back_from_what_envoy_calls_them(namespace: str, name: str, version: str) -> None:
    key = RolloutKey(namespace.replace("/", "-"), name)
    for role in Role:
        assert version_of(key, cluster_name(key, VersionName(version), role)) == version
    assert record_key(record_file(key)) == key
    assert "/" not in record_file(key)


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3.4:", ":80", "1.2.3.4:http", "1.2.3.4:99999"])
def test_an_address_without_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)


def test_addresses_of_both_kinds() -> None:
    assert split_address("127.0.0.1:80") == ("127.0.0.1", 80)
    assert split_address("[::1]:8080") == ("::1", 8080)


def shaped(**route: object) -> Json:
    """A route of ours that someone rewrote."""
    whole = {"name": "tidegate/assistants/support-bot/main", "match": {"prefix": "/"}, **route}
    return {"virtual_hosts": [{"name": "tidegate/assistants/support-bot", "domains": ["*"], "routes": [whole]}]}


LIVE = cluster_name(KEY, V12, Role.LIVE)


@pytest.mark.parametrize(
    ("config", "table"),
    [
        (shaped(route={"cluster": LIVE}), RouteTable(shares=((V12, 100),))),
        (shaped(name="", route={"cluster": LIVE}), RouteTable(shares=((V12, 100),))),
        (
            shaped(route={"cluster": LIVE, "request_mirror_policies": [{"cluster": LIVE}]}),
            RouteTable(shares=((V12, 100),), mirrors=((V12, 100),)),
        ),
        (
            shaped(
                route={
                    "weighted_clusters": {
                        "clusters": [
                            {"name": LIVE, "weight": 1},
                            {"name": cluster_name(KEY, V11, Role.LIVE), "weight": 999},
                        ]
                    }
                }
            ),
            RouteTable(shares=((V11, 100), (V12, 1))),
        ),
    ],
)
def test_another_shape_is_understood_when_it_says_a_split(config: Json, table: RouteTable) -> None:
    assert table_of(config, KEY) == table


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (shaped(route={"cluster": "theirs"}), "cluster `theirs`"),
        (shaped(redirect={"path_redirect": "/"}), "to no cluster"),
        (shaped(match={"prefix": "/", "headers": [{"name": "x"}]}, route={"cluster": LIVE}), "0 routes"),
    ],
)
def test_a_shape_that_is_no_split_says_what_it_is(config: Json, found: str) -> None:
    with pytest.raises(ShapeError, match=found):
        table_of(config, KEY)


def test_nothing_of_ours_is_no_table() -> None:
    assert table_of(envoy_config.route_config(), KEY) is None
    assert table_of({}, KEY) is None
