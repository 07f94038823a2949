"""The metrics lie, fall silent or fail: held at once, withdrawn after a minute, back by itself, never promoted."""

from collections.abc import Callable

import pytest

from controller.domain.state import HeldCause, Phase
from tests.faults.rig import Bench, Ground
from tests.parts.metrics_page import BROKEN, DROPPED, GARBAGE, HEALTHY, Fault
from tests.parts.net import free_port

Break = Callable[[Ground], None]


def fails_as(fault: Fault) -> Break:
    return lambda ground: ground.page.fail(fault)


def half_a_page(ground: Ground) -> None:
    """The first half of the lines: everything of stable, nothing of the candidate."""
    lines = ground.judge.text().splitlines(keepends=True)
    ground.page.fail(Fault(body="".join(lines[: len(lines) // 2]).encode()))


def cut_in_a_line(ground: Ground) -> None:
    text = ground.judge.text()
    ground.page.fail(Fault(body=text[: text.rindex("}") - 4].encode()))


def not_a_number(ground: Ground) -> None:
    lines = ground.judge.text().splitlines()
    broken = [f"{line.rpartition(' ')[0]} NaN" if 'verdict="ok"' in line else line for line in lines]
    ground.page.fail(Fault(body=("\n".join(broken) + "\n").encode()))


def negative(ground: Ground) -> None:
    body = ground.judge.text().replace('verdict="ok",hazard="none"} ', 'verdict="ok",hazard="none"} -')
    ground.page.fail(Fault(body=body.encode()))


def another_label(ground: Ground) -> None:
    ground.page.fail(Fault(body=ground.judge.text().replace("version=", "release=").encode()))


def required_scenario_gone(ground: Ground) -> None:
    ground.judge.missing = frozenset({"ssh"})
    ground.judge.write()


FAULTS: dict[str, tuple[Break, str]] = {
    "500": (fails_as(BROKEN), "answered 500"),
    "hangs up": (fails_as(DROPPED), "cannot be reached"),
    "slow": (fails_as(Fault(delay=2.0)), "no whole answer within 0.5 s"),
    "empty": (fails_as(Fault(body=b"")), "there is no series"),
    "garbage": (fails_as(GARBAGE), "cannot be read"),
    "wrong type": (fails_as(Fault(content_type="text/html", body=b"<html></html>")), "text/html"),
    "half a page": (half_a_page, "v12"),
    "cut in a line": (cut_in_a_line, "cannot be read"),
    "NaN": (not_a_number, "nan"),
    "negative": (negative, "no counter can have"),
    "identity lost": (another_label, "there is no series"),
    "required scenario gone": (required_scenario_gone, "ssh"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_blind_is_held_then_withdrawn_and_comes_back(name: str, ground: Ground, canary: Bench) -> None:
    break_it, told = FAULTS[name]
    if name == "required scenario gone":
        ground.judge.missing = frozenset({"ssh"})
    break_it(ground)
    canary.answers = 0  # nothing new arrives, so that the page stays as it was broken
    break_it(ground)
    held = canary.tick()
    assert (held.phase, held.held) == (Phase.HELD, HeldCause.BLIND), canary.history
    assert told in held.message
    assert canary.exposed()
    _pass_time(canary, break_it, ground)
    canary.settle()
    assert canary.position.run is not None
    assert canary.position.run.withdrawn
    assert not canary.exposed()
    assert set(ground.send(20)) == {"v11"}
    assert told in str(canary.view()["message"])
    _heal(ground)
    canary.answers = 100
    canary.until(Phase.PROGRESSING, "canary")
    assert canary.exposed()
    canary.until(Phase.COMPLETED)
    assert {"blind", "withdrawn", "sight_back"} <= set(canary.reasons())


def _pass_time(bench: Bench, break_it: Break, ground: Ground) -> None:
    """A minute and a bit."""
    for _ in range(4):
        bench.clock.advance(17)
        break_it(ground)
        bench.sample()
        bench.look()
        assert bench.position.phase is Phase.HELD
        bench.look()


def _heal(ground: Ground) -> None:
    ground.judge.missing = frozenset()
    ground.page.fail(HEALTHY)
    ground.judge.write()


def test_a_server_that_is_down_blinds(ground: Ground, canary: Bench) -> None:
    ground.want(page=f"http://127.0.0.1:{free_port()}/metrics")
    for _ in range(3):
        canary.tick()
    assert canary.position.phase is Phase.HELD
    assert canary.position.held is HeldCause.BLIND
    assert "cannot be reached" in canary.position.message


def test_a_reset_of_the_counters_is_no_loss_and_no_breach(ground: Ground, canary: Bench) -> None:
    before = canary.view()["slos"]
    ground.judge.reset()
    canary.until(Phase.COMPLETED)
    assert isinstance(before, list)
    assert "blind" not in canary.reasons()
    entry = canary.house.book.all()[0].evidence
    assert entry is not None
    assert entry.slos[0].streams[0].all.bad == 0
    assert entry.slos[0].streams[0].all.total > before[0]["total"]


def test_a_reset_hides_no_bad_answer(ground: Ground, canary: Bench) -> None:
    ground.judge.reset()
    canary.bad = 0.5
    canary.until(Phase.ROLLED_BACK)
    assert not canary.exposed()


def test_errors_of_the_judge_blind(ground: Ground, canary: Bench) -> None:
    ground.judge.count("v12", error=100)
    position = canary.tick()
    assert position.held is HeldCause.BLIND
    assert "results are errors" in position.message


def test_a_judge_that_falls_silent_blinds(ground: Ground, bench: Bench) -> None:
    ground.want("v12", max_age="20s", soak="60s")
    bench.until(Phase.PROGRESSING, "canary")
    bench.answers = 0
    for _ in range(5):
        bench.tick()
    assert bench.position.held is HeldCause.BLIND
    assert "no answer of v12 was judged for" in bench.position.message
    for _ in range(13):
        bench.tick()
    bench.settle()
    assert not bench.exposed()
    bench.answers = 100
    bench.until(Phase.PROGRESSING, "canary")


def test_no_new_answers_are_no_reason_to_go_on(ground: Ground, canary: Bench) -> None:
    """Fresh series that do not grow: inconclusive. It waits, and says for what."""
    canary.answers = 0
    for _ in range(12):
        canary.tick()
    assert canary.position.phase is Phase.PROGRESSING
    assert canary.position.run is not None
    assert canary.position.run.current.name == "canary"
    assert "more judged answers" in canary.position.message


def test_a_breach_seen_before_the_lights_went_out_still_rolls_back(ground: Ground, canary: Bench) -> None:
    canary.breach()
    ground.page.fail(BROKEN)
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_a_breach_that_happened_in_the_dark_rolls_back_with_the_first_light(ground: Ground, canary: Bench) -> None:
    ground.page.fail(BROKEN)
    canary.bad = 0.5
    for _ in range(3):
        assert canary.tick().held is HeldCause.BLIND
    ground.page.heal()
    assert canary.breach().breach is not None
    assert "Progressing full 100+0" not in canary.history


def test_a_sampler_that_hangs_is_blind_too(ground: Ground, canary: Bench) -> None:
    """Not even a failure is heard: no snapshot, new or old, may look like a quiet server."""
    for _ in range(6):
        canary.clock.advance(5)
        canary.look()
    assert canary.position.held is HeldCause.BLIND
    assert "the sampler hangs" in canary.position.message
