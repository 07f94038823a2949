"""Which kind a `scale` means, from what an API server lists of a group."""

from typing import Any

import pytest

from controller.cluster.discovery import chosen
from controller.domain.cluster import Kind, NotServedError

PLURALS = [
    ("Deployment", "deployments"),
    ("StatefulSet", "statefulsets"),
    ("ReplicaSet", "replicasets"),
    ("LeaderWorkerSet", "leaderworkersets"),
    ("Proxy", "proxies"),
    ("Gateway", "gateways"),
    ("Ingress", "ingresses"),
    ("Goose", "geese"),
    ("Sheep", "sheep"),
    ("InferenceService", "isvc"),
]


def listed(*without: str) -> dict[str, Any]:
    """All of them, each with a status and, but for some, a scale."""
    resources: list[dict[str, Any]] = []
    for kind, plural in PLURALS:
        resources += [{"name": f"{plural}/status", "kind": kind, "namespaced": True}]
        if kind not in without:
            resources += [{"name": f"{plural}/scale", "kind": "Scale", "group": "autoscaling", "namespaced": True}]
        resources += [{"name": plural, "kind": kind, "namespaced": True, "verbs": ["get"]}]
    return {"kind": "APIResourceList", "groupVersion": "serving.example.com/v1", "resources": resources}


@pytest.mark.parametrize(("kind", "plural"), PLURALS)
def test_plurals_are_as_they_are_listed(kind: str, plural: str) -> None:
    assert chosen("serving.example.com/v1", kind, listed()) == Kind("serving.example.com", "v1", plural, kind)


def test_the_core_group_has_no_name() -> None:
    resources = [{"name": "replicationcontrollers/scale", "kind": "Scale", "namespaced": True},
                 {"name": "replicationcontrollers", "kind": "ReplicationController", "namespaced": True}]  # fmt: skip
    found = chosen("v1", "ReplicationController", {"resources": resources})
    assert found == Kind("", "v1", "replicationcontrollers", "ReplicationController")


def test_an_unknown_kind_names_those_that_can_be_scaled() -> None:
    with pytest.raises(NotServedError) as told:
        chosen("serving.example.com/v1", "Gooose", listed("Sheep"))
    assert "Gooose is not among the kinds of serving.example.com/v1" in str(told.value)
    assert "Goose, InferenceService, Ingress" in str(told.value)
    assert "Sheep" not in str(told.value)
    assert "`scale.kind`" in str(told.value)


def test_a_kind_without_a_scale_is_told_apart() -> None:
    with pytest.raises(NotServedError, match=r"Sheep has no sub-resource scale of serving.example.com/v1; .* Goose"):
        chosen("serving.example.com/v1", "Sheep", listed("Sheep"))


@pytest.mark.parametrize("odd", [{}, {"resources": None}, {"resources": ["x", 1, {}]}])
def test_a_list_that_is_none_has_no_kinds(odd: dict[str, object]) -> None:
    with pytest.raises(NotServedError, match="kinds with a scale there: none"):
        chosen("apps/v1", "Deployment", odd)
