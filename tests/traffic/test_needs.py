"""What a rollout asks of its router is refused before any traffic, with the reason and the remedy."""

from dataclasses import replace

import pytest

from controller.domain.needs import unmet
from controller.domain.rollout import Stage
from controller.domain.route import GatewayApiRoute, Route, Sticky
from controller.domain.traffic import Capabilities
from controller.testing.builders import a_rollout, a_stage

CONTOUR = Capabilities(mirror_percent=False, sticky_header=False, sticky_cookie=False, counts=False)
ROUTE = Route(GatewayApiRoute("assistants", "support-bot"))


@pytest.mark.parametrize(
    ("stage", "able", "told"),
    [
        (a_stage("shadow", mirror=20), CONTOUR, "cannot mirror 20 % of the requests, only all of them"),
        (a_stage("shadow", mirror=100), replace(CONTOUR, mirror=False), "leave the shadow stage away"),
        (replace(a_stage("shadow", mirror=100), max_mirrored=500), CONTOUR, "`maxRequests` cannot be kept"),
        (a_stage("cohort"), replace(CONTOUR, header_match=False), "cannot choose requests by header"),
    ],
)
def test_a_stage_that_the_router_cannot_do_says_why_and_what_to_do(stage: Stage, able: Capabilities, told: str) -> None:
    found = unmet(a_rollout(route=ROUTE, stages=(stage, a_stage("full"))), able)
    assert found is not None
    assert told in found
    assert "HTTPRoute assistants/support-bot" in found


@pytest.mark.parametrize("sticky", [Sticky("header", "x-conversation-id"), Sticky("cookie", "session")])
def test_conversations_that_would_not_stay_are_refused(sticky: Sticky) -> None:
    rollout = a_rollout(route=replace(ROUTE, sticky=sticky), stages=(a_stage("full"),))
    assert "leave `stickyBy` away" in str(unmet(rollout, CONTOUR))
    assert unmet(rollout, Capabilities()) is None


def test_what_can_be_done_is_not_refused() -> None:
    stages = (a_stage("shadow", mirror=100), a_stage("cohort"), a_stage("canary", weight=1), a_stage("full"))
    assert unmet(a_rollout(route=ROUTE, stages=stages), CONTOUR) is None
