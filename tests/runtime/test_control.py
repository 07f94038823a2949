"""People's requests: answered by the pass that carries them out, refused in a sentence."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from controller.domain.names import RolloutKey
from controller.domain.state import Phase
from controller.runtime.control import Control
from controller.runtime.dispatch import Dispatcher
from controller.runtime.explain import explain
from controller.runtime.reconcile import reconcile
from controller.runtime.views import view
from controller.testing.stores import Fault
from controller.web.protocol import Request
from controller.web.socket import RequestRefusedError
from tests.runtime.rig import KEY, Rig

Asked = Callable[..., dict[str, object]]


class AtOnce(Dispatcher):
    """Passes in the thread that wakes."""

    def wake(self, key: RolloutKey, after: timedelta = timedelta(0)) -> None:
        self._pass(key)

    def hasten(self, key: RolloutKey) -> None:
        self._pass(key)


def control_of(rig: Rig) -> Control:
    return Control(rig.house, AtOnce(rig.clock, lambda key: reconcile(key, rig.house), 1, lambda _late: None))


@pytest.fixture
def ask(canary: Rig) -> Asked:
    control = control_of(canary)

    def asked(verb: str, **args: object) -> dict[str, object]:
        answer = control(Request(verb, args, "ada"))
        assert isinstance(answer, dict)
        json.dumps(answer)
        return answer

    return asked


def test_get_shows_everybody_or_one(ask: Asked) -> None:
    assert ask("get")["rollouts"] == ask("get", name="support-bot")["rollouts"]
    assert ask("ping") == {"alive": True, "rollouts": 1}


@pytest.mark.parametrize(
    ("verb", "args", "why"),
    [
        ("get", {"name": "nobody"}, "there is no rollout `nobody`; known: default/support-bot"),
        ("sing", {}, "unknown request `sing`; known: explain, get"),
        ("abort", {"name": "support-bot"}, "say why: tidegate abort support-bot --reason"),
        ("approve", {"name": "support-bot", "reason": "fine"}, "asks for no approval"),
        ("resume", {"name": "support-bot", "reason": "go"}, "nothing to resume: Progressing"),
        ("retry", {"name": "support-bot", "reason": "go"}, "nothing to try again"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(verb: str, args: dict[str, object], why: str, ask: Asked) -> None:
    with pytest.raises(RequestRefusedError, match=why.replace("(", r"\(")):
        ask(verb, **args)


def test_pause_and_resume(ask: Asked, canary: Rig) -> None:
    answer = ask("pause", name="support-bot", reason="lunch")
    assert answer["done"] == "pause"
    assert canary.held.position.phase is Phase.PAUSED
    assert "paused by ada: lunch" in canary.held.position.message
    for _ in range(6):
        canary.tick()
    assert canary.held.position.phase is Phase.PAUSED
    ask("resume", name="support-bot", reason="back")
    assert canary.held.position.message == ""


def test_an_abort_rolls_back_and_is_recorded_with_who_and_why(ask: Asked, canary: Rig) -> None:
    ask("abort", name="support-bot", reason="customers complain")
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    entries = ask("history", name="support-bot", limit=10)["entries"]
    assert isinstance(entries, list)
    assert any(entry["actor"] == "ada" for entry in entries)


def test_an_abort_needs_no_database(ask: Asked, canary: Rig) -> None:
    canary.store.fault = Fault.UNAVAILABLE
    ask("abort", name="support-bot", reason="customers complain")
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    with pytest.raises(RequestRefusedError, match="the history cannot be read now"):
        ask("history", name="support-bot")


def test_watch_gives_a_view_at_once_and_ends_with_the_daemon(canary: Rig) -> None:
    answer = control_of(canary)(Request("watch", {"name": "support-bot"}, "ada"))
    assert isinstance(answer, Iterator)
    first = next(answer)
    assert first["phase"] == "Progressing"
    canary.house.stopping.set()
    threading.Timer(0.0, canary.held.tell_watchers).start()
    assert list(answer) == []


def test_explain_has_both_counts_the_interval_and_what_would_flip_it(ask: Asked, canary: Rig) -> None:
    canary.tick(bad=2)
    lines = ask("explain", name="support-bot")["lines"]
    assert isinstance(lines, list)
    text = "\n".join(lines)
    assert "support-bot is Progressing in stage" in text
    assert "judged answers were bad" in text
    assert "the true rate lies between" in text
    assert "Would flip it:" in text
    assert "stable: 0 of" in text


def test_explain_names_the_breach_afterwards(canary: Rig) -> None:
    canary.breach()
    canary.passes()
    text = "\n".join(explain(canary.held, canary.clock.now()))
    assert "It was rolled back: harm:" in text
    assert "the limit is" in text


def test_explain_says_blind_is_neither_good_nor_bad(canary: Rig) -> None:
    canary.counters.problem = "the server answered 500"
    canary.tick()
    text = "\n".join(explain(canary.held, canary.clock.now()))
    assert "harm: blind: " in text
    assert "the server answered 500" in text
    assert "never promotes" in text


def test_views_are_json_in_every_phase(canary: Rig) -> None:
    def shown() -> dict[str, object]:
        told = view(canary.held, canary.clock.now())
        assert json.loads(json.dumps(told)) == told
        return told

    assert shown()["phase"] == "Progressing"
    assert shown()["waits_for"]
    canary.router.send(200)
    canary.tick()
    traffic = shown()["traffic"]
    assert isinstance(traffic, dict)
    assert traffic["counted"]["share"] == 10.0
    canary.breach()
    canary.passes()
    assert shown()["phase"] == "RolledBack"
    assert shown()["breach"]
    assert KEY.name == shown()["name"]
