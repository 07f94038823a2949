"""Laws of the HTTPRoute: what is put in is read back, nobody else's entries move, and home is as it was."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.cluster import HTTP_ROUTE
from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.gateway import a_backend
from controller.traffic.gateway_api_names import annotation
from tests.traffic.gateway_rigs import KEY, V11, V12, GatewayRig, a_filter

Json = dict[str, Any]
COHORT = (("x-cohort", "employees"),)
MARK = annotation(KEY)

splits = st.one_of(
    st.just(Split(V11)),
    st.builds(
        Split,
        st.just(V11),
        st.just(V12),
        st.integers(0, 100),
        st.sampled_from((0, 20, 100)),
        st.sampled_from(((), COHORT)),
    ),
)
paths = st.sampled_from(("/", "/v1", "/other"))


@st.composite
def our_rules(draw: st.DrawFn) -> Json:
    """Stable alone, written in any way: its weight, the candidate listed with 0, others' entries between them."""
    refs = [a_backend("bot-v11", draw(st.sampled_from((1, 7, 100))))]
    if draw(st.booleans()):
        del refs[0]["weight"]
    if draw(st.booleans()):
        refs.append(a_backend("bot-v12", 0))
    if draw(st.booleans()):
        refs.insert(draw(st.integers(0, len(refs))), a_backend("somebody-elses", 0))
    if draw(st.booleans()):
        refs[0]["filters"] = [a_filter("x-backend", "1")]
    matches = [
        {"path": {"type": "PathPrefix", "value": path}} for path in draw(st.lists(paths, min_size=1, max_size=2))
    ]
    rule: Json = {"name": "chat", "matches": matches, "backendRefs": draw(st.permutations(refs))}
    filters = draw(st.sampled_from((None, [], [a_filter("x-team", "a")], [_mirror_to("shadow-of-somebody")])))
    if filters is not None:
        rule["filters"] = filters
    if draw(st.booleans()):
        rule["timeouts"] = {"request": "0s"}
    return rule


@st.composite
def routes(draw: st.DrawFn) -> tuple[Json, ...]:
    """Our rule among up to three of others."""
    theirs = [{"name": f"theirs-{n}", "backendRefs": [a_backend(f"their-{n}")]} for n in range(draw(st.integers(0, 3)))]
    theirs.insert(draw(st.integers(0, len(theirs))), draw(our_rules()))
    return tuple(theirs)


def _mirror_to(service: str) -> Json:
    return {"type": "RequestMirror", "requestMirror": {"backendRef": a_backend(service)}}


def _whole(rig: GatewayRig) -> Json:
    """What people see of the object: all but what the API server counts."""
    metadata = {name: rig.route["metadata"].get(name) for name in ("name", "namespace", "annotations", "labels")}
    return copy.deepcopy({"spec": rig.route["spec"], "metadata": metadata})


@given(routes(), st.lists(splits, min_size=1, max_size=5))
def test_what_is_put_in_is_read_back(rules: tuple[Json, ...], wanted: list[Split]) -> None:
    rig = GatewayRig(*rules)
    for split in wanted:
        rig.router.apply(split)
        seen = rig.router.observe()
        assert seen.table == split.table()
        assert seen.accepted, seen.trouble
        before = rig.patches()
        rig.router.apply(split)
        assert rig.patches() == before, "the same split was written twice"


@given(routes(), st.lists(splits, max_size=5), st.sampled_from((None, {"theirs": "kept"})))
def test_home_is_byte_for_byte_as_it_was(
    rules: tuple[Json, ...], wanted: list[Split], annotations: dict[str, str] | None
) -> None:
    rig = GatewayRig(*rules)
    if annotations:
        rig.route["metadata"]["annotations"] = annotations
    before = _whole(rig)
    for split in (*wanted, Split(V11)):
        rig.router.apply(split)
    assert _whole(rig) == before


@given(routes(), st.lists(splits, min_size=1, max_size=4))
def test_nobody_elses_entries_move(rules: tuple[Json, ...], wanted: list[Split]) -> None:
    rig = GatewayRig(*rules)
    before = rig.foreign(), [rule for rule in rig.rules if rule["name"].startswith("theirs")]
    for split in wanted:
        rig.router.apply(split)
        theirs = [rule for rule in rig.rules if rule["name"].startswith("theirs")]
        assert (rig.foreign(), theirs) == before
        assert (MARK in rig.route["metadata"].get("annotations", {})) is split.exposes()


@given(routes(), st.lists(splits, max_size=3))
def test_a_promoted_version_stands_where_stable_stood(rules: tuple[Json, ...], wanted: list[Split]) -> None:
    rig = GatewayRig(*rules)
    ours = next(rule for rule in rig.rules if rule["name"] == "chat")
    weights = {ref["name"]: ref.get("weight", 1) for ref in ours["backendRefs"]}
    for split in (*wanted, Split(V11, V12, weight=100), Split(V12)):
        rig.router.apply(split)
    refs = next(rule for rule in rig.rules if rule["name"] == "chat")["backendRefs"]
    assert sum(ref.get("weight", 1) for ref in refs) == sum(weights.values())
    assert {ref["name"]: ref["weight"] for ref in refs}["bot-v12"] == weights["bot-v11"]
    assert rig.router.observe().table == Split(V12).table()


@given(routes(), splits, st.sampled_from(("annotation", "cohort", "weights", "twice", "mirror", "foreign")))
def test_whatever_somebody_does_in_the_middle_a_rollback_takes_everything(
    rules: tuple[Json, ...], split: Split, what: str
) -> None:
    rig = GatewayRig(*rules)
    rig.router.apply(split)
    _meddle(rig, what)
    rig.router.apply(Split(V11))
    assert rig.router.observe().table == Split(V11).table()
    assert all("bot-v12" not in {r["name"] for r in rule["backendRefs"] if r.get("weight", 1)} for rule in rig.rules)
    assert MARK not in rig.route["metadata"].get("annotations", {})


def _meddle(rig: GatewayRig, what: str) -> None:
    """Past the API server's checks, as a bug of another controller could."""
    route: Any = copy.deepcopy(rig.route)
    chat = next(rule for rule in route["spec"]["rules"] if rule["name"] == "chat")
    if what == "annotation":
        route["metadata"]["annotations"] = {}
    elif what == "weights":
        chat["backendRefs"] = [a_backend("bot-v12", 3), a_backend("bot-v11", 5)]
    elif what == "twice":
        chat["backendRefs"] = [*chat["backendRefs"], a_backend("bot-v12", 9), a_backend("bot-v12", 1)]
    elif what == "mirror":
        chat["filters"] = [_mirror_to("bot-v12"), *chat.get("filters", []), _mirror_to("bot-v12")]
    elif what == "foreign":
        chat["backendRefs"] = [*chat["backendRefs"], a_backend("unheard-of", 4)]
    else:
        for rule in route["spec"]["rules"]:
            if rule["name"].startswith("tidegate-"):
                rule["matches"] = [{"headers": [{"name": "x", "value": "y"}]}]
                rule["backendRefs"] = [a_backend("bot-v12", 2), a_backend("bot-v11", 1)]
    rig.cluster.put(HTTP_ROUTE, route, manager="somebody")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("version", "tool", "x")), inner),
    max_leaves=6,
)
nearly = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("backends", "filters", "cohort", "prepared"), json_values),
).map(json.dumps)


@given(st.text(max_size=60) | nearly, splits)
def test_an_annotation_that_says_anything_stops_nothing(text: str, split: Split) -> None:
    rig = GatewayRig({"name": "chat", "backendRefs": [a_backend("bot-v11", 5)]})
    rig.route["metadata"]["annotations"] = {MARK: text}
    try:
        rig.router.apply(split)
    except RouterUnavailableError as error:
        raise AssertionError(f"refused: {error}") from error
    rig.router.apply(Split(V11))
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 5)]
