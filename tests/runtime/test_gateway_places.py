"""Two rollouts never move the same rule of an HTTPRoute."""

import pytest

from controller.domain.names import RolloutKey
from controller.domain.route import GatewayApiRoute
from controller.runtime.places import Places

ONE, OTHER = RolloutKey("assistants", "chat"), RolloutKey("assistants", "embed")


def target(rule: str | None, route: str = "bots", namespace: str = "assistants") -> GatewayApiRoute:
    return GatewayApiRoute(namespace, route, rule)


@pytest.mark.parametrize("rules", [("chat", "chat"), (None, "chat"), ("chat", None), (None, None)])
def test_the_second_on_the_same_rule_is_refused_and_told_who_has_it(rules: tuple[str | None, str | None]) -> None:
    places = Places()
    assert places.claim(ONE, target(rules[0])) is None
    told = places.claim(OTHER, target(rules[1]))
    assert told is not None
    assert "assistants/chat" in told
    assert "gatewayAPI.rule" in told
    assert places.claim(ONE, target(rules[0])) is None


@pytest.mark.parametrize("second", [target("embed"), target("chat", "others"), target("chat", namespace="prod")])
def test_another_rule_route_or_namespace_is_another_place(second: GatewayApiRoute) -> None:
    places = Places()
    assert places.claim(ONE, target("chat")) is None
    assert places.claim(OTHER, second) is None
