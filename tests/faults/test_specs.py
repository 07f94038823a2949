"""The spec is deleted, renamed, edited, broken in the middle of a run; two rollouts want one route."""

from controller.domain.names import RolloutKey
from controller.domain.state import HeldCause, Phase
from tests.faults.rig import Bench, Ground, a_bench

OTHER = RolloutKey("faults", "aaa-bot")


def gone_for_good(bench: Bench) -> None:
    """Deleted is believed after two seconds: editors replace files in two steps."""
    bench.tick()
    bench.tick()


def test_a_deleted_spec_leaves_the_run_guarded(ground: Ground, canary: Bench) -> None:
    (ground.rollouts / "support-bot.yaml").unlink()
    gone_for_good(canary)
    assert canary.position.phase is Phase.STALLED
    assert "the spec of faults/support-bot is gone" in canary.position.message
    for _ in range(6):
        canary.tick()
    assert canary.position.phase is Phase.STALLED
    canary.breach()
    canary.settle()
    assert set(ground.send(20)) == {"v11"}


def test_a_spec_that_is_put_back_goes_on(ground: Ground, canary: Bench) -> None:
    (ground.rollouts / "support-bot.yaml").unlink()
    gone_for_good(canary)
    ground.want("v12")
    canary.until(Phase.COMPLETED)


def test_a_deleted_spec_over_a_restart_stays_guarded(ground: Ground, canary: Bench) -> None:
    (ground.rollouts / "support-bot.yaml").unlink()
    gone_for_good(canary)
    canary.close()
    with a_bench(ground, canary.clock) as again:
        again.tick()
        assert again.position.phase is Phase.STALLED
        again.breach()
        again.settle()
        assert set(ground.send(20)) == {"v11"}


def test_a_renamed_rollout_is_refused_the_route_of_the_run(ground: Ground, canary: Bench) -> None:
    ground.want("v12", name="renamed-bot")
    gone_for_good(canary)
    renamed = RolloutKey("faults", "renamed-bot")
    canary.look(renamed)
    assert canary.position.phase is Phase.STALLED
    assert canary.of(renamed).phase is Phase.STALLED
    assert "already belongs to rollout faults/support-bot" in canary.of(renamed).message
    canary.breach()
    canary.settle()
    canary.look(renamed)
    assert set(ground.send(20)) == {"v11"}


def test_a_broken_spec_keeps_the_run_under_the_last_good_one(ground: Ground, canary: Bench) -> None:
    ground.write(ground.options.text().replace("max: 5%", "max: 500%"))
    canary.tick()
    assert canary.position.phase is Phase.STALLED
    assert "the spec is broken, the last good one stays in force" in canary.position.message
    assert "support-bot.yaml" in canary.position.message
    canary.breach()
    canary.settle()
    assert set(ground.send(20)) == {"v11"}


def test_not_even_yaml(ground: Ground, canary: Bench) -> None:
    ground.write("}{ not: [yaml")
    canary.tick()
    assert canary.position.phase is Phase.STALLED
    assert canary.exposed()
    ground.want("v12")
    canary.until(Phase.COMPLETED)


def test_an_edit_of_what_the_run_is_pinned_to_starts_again(ground: Ground, canary: Bench) -> None:
    ground.want("v12", weight=40)
    canary.tick()
    assert canary.position.phase is Phase.ROLLING_BACK
    canary.until(Phase.COMPLETED)
    assert canary.position.run is not None
    assert canary.position.run.number == 2
    assert "Progressing canary 40+0" in canary.history


def test_a_third_version_rolls_back_first(ground: Ground, canary: Bench) -> None:
    ground.want("v13")
    canary.until(Phase.COMPLETED)
    assert canary.position.stable == "v13"
    assert "Idle" in canary.history[-6:] or "RollingBack canary" in canary.history
    assert not canary.exposed("v12")


def test_back_to_stable_withdraws_and_is_idle(ground: Ground, canary: Bench) -> None:
    ground.want("v11")
    canary.until(Phase.IDLE)
    assert set(ground.send(20)) == {"v11"}
    assert canary.position.rejected == ()


def test_a_second_rollout_on_the_route_is_refused_and_the_first_untouched(ground: Ground, bench: Bench) -> None:
    """The second one comes first by name, and at a time when the first has no run."""
    ground.write(ground.options.but(name="aaa-bot", version="v13").text(), "aaa.yaml")
    bench.tick()
    for _ in range(3):
        bench.look(OTHER)
    assert bench.of(OTHER).phase is Phase.STALLED
    assert "already belongs to rollout faults/support-bot" in bench.of(OTHER).message
    assert bench.position.phase is Phase.IDLE
    ground.want("v12")
    bench.until(Phase.PROGRESSING, "canary")
    bench.look(OTHER)
    bench.until(Phase.COMPLETED)
    bench.look(OTHER)
    assert bench.of(OTHER).phase is Phase.STALLED
    assert ground.send(10) == {"v12": 10}


def test_a_source_that_cannot_be_read_at_a_start_is_not_a_deletion(ground: Ground, canary: Bench) -> None:
    canary.close()
    aside = ground.rollouts.with_name("aside")
    ground.rollouts.rename(aside)
    with a_bench(ground, canary.clock) as again:
        again.tick()
        assert again.position.phase is Phase.STALLED
        assert "cannot read the folder" in again.position.message
        assert "gone" not in again.position.message
        aside.rename(ground.rollouts)
        again.until(Phase.COMPLETED)


def test_an_edit_while_held_blind_ends_nothing_early(ground: Ground, canary: Bench) -> None:
    ground.page.fail()
    canary.tick()
    ground.want("v12", soak="8s")
    held = canary.tick()
    assert (held.phase, held.held) == (Phase.HELD, HeldCause.BLIND)
    assert "spec_edited" in canary.reasons()
