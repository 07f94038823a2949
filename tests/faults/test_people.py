"""Break-glass beside a running and a dead daemon, and observe mode: nobody's hand is fought."""

import json

from controller.domain.request import Ask
from controller.domain.state import HeldCause, Phase
from controller.traffic.breakglass import everything_to_stable
from tests.faults.rig import KEY, Bench, Ground, a_bench


def break_glass(ground: Ground, bench: Bench) -> None:
    """As `tidegate route NAME --stable` does it: the files first, then a line that says who."""
    everything_to_stable(str(ground.envoy_dir), KEY)
    entry = {"at": bench.clock.now().isoformat(), "rollout": str(KEY), "actor": "grace", "reason": "customers complain"}
    with (ground.envoy_dir / "breakglass.jsonl").open("a") as stream:
        stream.write(json.dumps(entry) + "\n")


def test_a_running_daemon_respects_the_broken_glass(ground: Ground, canary: Bench) -> None:
    break_glass(ground, canary)
    held = canary.tick()
    assert (held.phase, held.held) == (Phase.HELD, HeldCause.EXTERNAL)
    for _ in range(6):
        canary.tick()
    assert not canary.exposed()
    assert [entry.actor for entry in canary.journal() if entry.reason == "external_change"] == ["grace"]
    canary.ask(Ask.RESUME)
    canary.until(Phase.COMPLETED)


def test_a_restarted_daemon_respects_it_too(ground: Ground, canary: Bench) -> None:
    canary.close()
    break_glass(ground, canary)
    with a_bench(ground, canary.clock) as again:
        for _ in range(6):
            again.tick()
            assert not again.exposed()
        assert (again.position.phase, again.position.held) == (Phase.HELD, HeldCause.EXTERNAL)
        assert set(ground.send(20)) == {"v11"}


def test_it_is_respected_between_a_decision_and_its_route(ground: Ground, bench: Bench) -> None:
    """A raise was written down and the daemon died before it touched the route; then somebody broke the glass."""
    ground.want("v12")
    bench.until(Phase.PENDING)
    held = bench.house.book.get(KEY)
    assert held is not None
    router = bench.house.routers.of(held)
    assert router is not None
    router.apply = lambda split: None  # type: ignore[method-assign]  # dies before the route is written
    for _ in range(3):
        bench.tick()
    assert bench.position.phase is Phase.PROGRESSING
    assert not bench.exposed()
    bench.close()
    break_glass(ground, bench)
    with a_bench(ground, bench.clock) as again:
        for _ in range(4):
            again.tick()
            assert not again.exposed()
        assert (again.position.phase, again.position.held) == (Phase.HELD, HeldCause.EXTERNAL)


def test_broken_glass_at_rest_stays_at_rest(ground: Ground, bench: Bench) -> None:
    break_glass(ground, bench)
    bench.tick()
    assert bench.position.phase is Phase.IDLE


def route_files(ground: Ground) -> list[bytes]:
    return [(ground.envoy_dir / name).read_bytes() for name in ("rds.json", "cds.json", "lds.json")]


def observed(ground: Ground, bench: Bench) -> None:
    before = route_files(ground)
    ground.want("v12")
    bench.until(Phase.PROGRESSING, "canary")
    bench.bad = 0.5
    bench.until(Phase.ROLLED_BACK)
    assert route_files(ground) == before
    assert ground.send(20) == {"v11": 20}
    assert "would_roll_back" in bench.reasons()
    bench.house.deliverer.deliver_due()
    assert any("would have rolled back" in text for text in ground.alerts())


def test_a_daemon_that_observes_writes_no_route(ground: Ground, bench: Bench) -> None:
    bench.close()
    with a_bench(ground, bench.clock, observe=True) as watching:
        watching.tick()
        observed(ground, watching)


def test_a_rollout_that_observes_writes_no_route(ground: Ground, bench: Bench) -> None:
    ground.want("v11", mode="observe")
    bench.tick()
    observed(ground, bench)


def test_observe_promotes_nothing(ground: Ground, bench: Bench) -> None:
    before = route_files(ground)
    ground.want("v12", mode="observe")
    bench.until(Phase.COMPLETED)
    assert bench.position.stable == "v11"
    assert route_files(ground) == before
    assert "would have been promoted" in bench.position.message
