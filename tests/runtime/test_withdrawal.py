"""A withdrawal without a database, step by step, on an HTTPRoute."""

from controller.domain.traffic import Split
from controller.runtime.known_routes import KnownRoute
from controller.runtime.withdrawal import Ending, Withdrawal
from controller.testing.clock import ManualClock
from controller.testing.gateway import a_backend
from tests.traffic.gateway_rigs import CHAT, V11, V12, GatewayRig


def test_what_was_prepared_for_a_first_request_is_withdrawn_too() -> None:
    rig, clock = GatewayRig({**CHAT, "backendRefs": [a_backend("bot-v11", 7)]}), ManualClock()
    rig.gateway.asleep = True
    rig.router.apply(Split(V11, V12, weight=5))
    assert rig.router.observe().prepared
    known = KnownRoute(rig.binding, V11, V12)
    withdrawal = Withdrawal(known, lambda _: rig.router, clock, "its database is gone")
    withdrawal.step()
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 7)]
    assert withdrawal.report().ending == Ending.WAITING.value
    rig.gateway.wake()
    for _ in range(3):
        clock.advance(1)
        withdrawal.step()
    assert withdrawal.report().ending == Ending.SAFE.value
