"""What every alert channel promises, run against a receiver that a rig can make misbehave."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from controller.domain.record import Alert, Outcome
from controller.ports import AlertChannel


class Mood(StrEnum):
    """How the receiver behaves. `limited` names 7 s; `slow` is silent longer than the channel's patience."""

    OK = "ok"
    BROKEN = "broken"
    LIMITED = "limited"
    SLOW = "slow"
    REFUSED = "refused"
    GARBAGE = "garbage"
    FORBIDS = "forbids"
    GONE = "gone"


class AlertRig(Protocol):
    """A channel and its receiver."""

    @property
    def channel(self) -> AlertChannel:
        """The channel under test."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """Texts that no answer of the channel may contain."""
        ...

    def feel(self, mood: Mood) -> None:
        """Make the receiver behave so from now on."""
        ...

    def received(self) -> Sequence[str]:
        """What the receiver took in, oldest first, as text."""
        ...


AN_ALERT = Alert(
    dedupe="assistants/support-bot:run-7:rollback_verified",
    severity="page",
    title="**No action needed.** support-bot v12 → v11, 100 % on v11, verified.",
    body="6 of 240 judged answers of v12 were harmful (2.5 %).\n\n`tidegate explain support-bot`",
    facts={"bad": 6, "total": 240, "slo": "harm", "scenario": None},
)


def delivers_once_per_send(rig: AlertRig) -> None:
    """A send is one message, with the first line and the numbers."""
    rig.feel(Mood.OK)
    assert rig.channel.send(AN_ALERT).outcome is Outcome.DELIVERED
    (message,) = rig.received()
    assert "No action needed." in message
    assert "v12 → v11, 100 % on v11, verified." in message
    assert "6 of 240 judged answers" in message


def comes_again_when_the_receiver_is_broken(rig: AlertRig) -> None:
    """A 5xx, silence, a refused connection and nonsense are worth another try, and nobody raises."""
    for mood in (Mood.BROKEN, Mood.SLOW, Mood.REFUSED, Mood.GARBAGE):
        rig.feel(mood)
        delivery = rig.channel.send(AN_ALERT)
        assert delivery.outcome is Outcome.RETRY, (mood, delivery)
        assert delivery.detail, mood
    rig.feel(Mood.OK)
    assert rig.channel.send(AN_ALERT).outcome is Outcome.DELIVERED


def waits_as_long_as_it_is_told(rig: AlertRig) -> None:
    """Rate limits carry the time to wait."""
    rig.feel(Mood.LIMITED)
    delivery = rig.channel.send(AN_ALERT)
    assert delivery.outcome is Outcome.RETRY
    assert delivery.retry_after == 7.0


def says_what_to_do_when_it_is_refused(rig: AlertRig) -> None:
    """A refusal is final and explains itself."""
    for mood in (Mood.FORBIDS, Mood.GONE):
        rig.feel(mood)
        delivery = rig.channel.send(AN_ALERT)
        assert delivery.outcome is Outcome.REFUSED, (mood, delivery)
        assert len(delivery.detail) > len("answered 403: "), mood
    assert not rig.received()


def keeps_its_secrets(rig: AlertRig) -> None:
    """URL and token appear in no answer, whatever went wrong."""
    for mood in Mood:
        rig.feel(mood)
        delivery = rig.channel.send(AN_ALERT)
        assert not [secret for secret in rig.secrets if secret in delivery.detail], (mood, delivery)


PROMISES: Sequence[Callable[[AlertRig], None]] = (
    delivers_once_per_send,
    comes_again_when_the_receiver_is_broken,
    waits_as_long_as_it_is_told,
    says_what_to_do_when_it_is_refused,
    keeps_its_secrets,
)
