"""Slack, webhook and the memory channel keep the same promises; the first two against a real HTTP receiver."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from controller.alerts import CHANNELS, open_channel
from controller.alerts.settings import ChannelSettings
from controller.domain.record import Delivery, Outcome
from controller.ports import AlertChannel
from controller.testing.conformance.alerts import PROMISES, AlertRig, Mood
from controller.testing.memory_channel import MemoryChannel
from tests.alerts.receiver import Receiver

SECRET_PATH, TOKEN = "/services/T000/B000/sEcReTpAtH", "sEcReTtOkEn"


class HttpRig:
    secrets: Sequence[str] = (SECRET_PATH, "sEcReTpAtH", TOKEN)

    def __init__(self, kind: str, folder: Path) -> None:
        self.receiver = Receiver()
        url, token = folder / "url", folder / "token"
        url.write_text(f"http://127.0.0.1:{self.receiver.port}{SECRET_PATH}\n")
        token.write_text(TOKEN)
        self.channel: AlertChannel = open_channel(kind, ChannelSettings(str(url), bearer_file=str(token)))

    def feel(self, mood: Mood) -> None:
        self.receiver.feel(mood)

    def received(self) -> Sequence[str]:
        return [str(taken.document) for taken in self.receiver.taken]


class MemoryRig:
    secrets: Sequence[str] = ()

    def __init__(self) -> None:
        self.memory = MemoryChannel()
        self.channel: AlertChannel = self.memory

    def feel(self, mood: Mood) -> None:
        waits = Delivery(Outcome.RETRY, "answered 429", 7.0)
        refuses = Delivery(Outcome.REFUSED, "answered 403: take another channel")
        again = Delivery(Outcome.RETRY, mood.value)
        special = {Mood.OK: Delivery(Outcome.DELIVERED), Mood.LIMITED: waits, Mood.FORBIDS: refuses, Mood.GONE: refuses}
        self.memory.answer = special.get(mood, again)

    def received(self) -> Sequence[str]:
        return [f"{alert.title}\n{alert.body}" for alert in self.memory.told]


@pytest.fixture(params=[*CHANNELS, "memory"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertRig]:
    monkeypatch.setattr("controller.alerts.slack.TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr("controller.alerts.webhook.TIMEOUT_SECONDS", 0.3)
    if request.param == "memory":
        yield MemoryRig()
        return
    http = HttpRig(request.param, tmp_path)
    yield http
    http.receiver.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_keeps_the_promise(promise: Callable[[AlertRig], None], rig: AlertRig) -> None:
    promise(rig)
