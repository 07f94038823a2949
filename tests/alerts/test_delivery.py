"""At least once, in order, and no channel waits for another."""

import threading
from dataclasses import replace
from datetime import timedelta

from controller.alerts.backoff import wait
from controller.alerts.delivery import Deliverer
from controller.alerts.line import GIVE_UP_AFTER
from controller.domain.record import Alert, Delivery, Outcome
from controller.ports import AlertChannel
from controller.testing.clock import ManualClock
from controller.testing.conformance.store_samples import START, a_record, with_alert
from controller.testing.memory_channel import MemoryChannel
from controller.testing.stores import Fault, MemoryStore
from tests.parts.net import wait_until

RETRY, REFUSED, FINE = Delivery(Outcome.RETRY, "down"), Delivery(Outcome.REFUSED, "no"), Delivery(Outcome.DELIVERED)


class Post:
    """A deliverer over a memory store, with two channels and a clock that is moved by hand."""

    def __init__(self, **channels: AlertChannel) -> None:
        self.slack, self.webhook = MemoryChannel(), MemoryChannel()
        self.channels: dict[str, AlertChannel] = {"slack": self.slack, "webhook": self.webhook, **channels}
        self.store, self.clock = MemoryStore(tuple(self.channels)), ManualClock(START + timedelta(hours=1))
        self.tries: list[tuple[str, Outcome]] = []
        self.deliverer = self.restarted()
        self.seq = 0

    def restarted(self) -> Deliverer:
        return Deliverer(
            self.store, self.channels, self.clock, lambda: 1.0, lambda *one: self.tries.append((one[0], one[1]))
        )

    def alert(self, name: str) -> None:
        self.seq += 1
        self.store.commit(replace(with_alert(a_record(self.seq), name), at=self.clock.now()))

    def after(self, minutes: float, step: float = 15) -> None:
        """Deliver every `step` seconds until so much time has passed."""
        for _ in range(int(minutes * 60 / step)):
            self.clock.advance(step)
            self.deliverer.deliver_due()


def names(channel: MemoryChannel) -> list[str]:
    return [alert.dedupe for alert in channel.told]


def test_every_channel_gets_every_alert_once_and_in_order() -> None:
    post = Post()
    for name in ("a", "b", "c"):
        post.alert(name)
    assert post.deliverer.deliver_due() == 6
    assert names(post.slack) == names(post.webhook) == ["a", "b", "c"]
    assert post.deliverer.deliver_due() == 0


def test_an_hour_without_slack_loses_nothing_and_does_not_concern_the_webhook() -> None:
    post = Post()
    post.slack.answer = RETRY
    for minute in range(60):
        post.alert(f"m{minute}")
        post.after(1)
    assert len(post.webhook.told) == 60
    assert post.slack.tries < 40, "a channel that is down is not asked for every alert again and again"
    post.slack.answer = FINE
    post.after(6)
    assert names(post.slack) == [f"m{minute}" for minute in range(60)]


def test_a_restart_in_between_loses_nothing() -> None:
    post = Post()
    post.slack.answer = RETRY
    post.alert("a")
    post.deliverer.deliver_due()
    assert post.deliverer.pending() == 1
    post.deliverer, post.slack.answer = post.restarted(), FINE
    post.after(6)
    assert names(post.slack) == ["a"]


def test_the_receivers_wish_is_honoured() -> None:
    post = Post()
    post.slack.answer = Delivery(Outcome.RETRY, "429", 90.0)
    post.alert("a")
    post.deliverer.deliver_due()
    post.slack.answer = FINE
    post.after(1.25)
    assert not post.slack.told
    post.after(0.5)
    assert names(post.slack) == ["a"]


def test_a_refused_alert_is_not_sent_again() -> None:
    post = Post()
    post.slack.answer = REFUSED
    post.alert("a")
    post.after(10)
    assert post.slack.tries == 1
    assert ("slack", Outcome.REFUSED) in post.tries


def test_one_alert_that_always_fails_does_not_hold_up_the_next() -> None:
    class Picky(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            self.answer = RETRY if alert.dedupe == "poison" else FINE
            return super().send(alert)

    picky = Picky()
    post = Post(slack=picky)
    for name in ("poison", "b", "c"):
        post.alert(name)
    post.after(10)
    assert names(picky) == ["b", "c"]


def test_a_channel_with_a_fault_is_put_off_like_one_that_is_down() -> None:
    class Faulty(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            raise RuntimeError("bug at https://hooks.example/secret")

    post = Post(slack=Faulty())
    post.alert("a")
    assert post.deliverer.deliver_due() == 1
    assert names(post.webhook) == ["a"]


def test_a_slow_channel_does_not_hold_up_the_other_one() -> None:
    arrived = threading.Event()

    class Slow(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            assert arrived.wait(10), "the webhook waited for Slack"
            return super().send(alert)

    class Quick(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            arrived.set()
            return super().send(alert)

    post = Post(slack=Slow(), webhook=Quick())
    post.alert("a")
    assert post.deliverer.deliver_due() == 2


def test_a_database_that_fails_in_between_tells_nobody_twice() -> None:
    post = Post()
    post.alert("a")
    post.store.fault = Fault.READ_ONLY
    assert post.deliverer.deliver_due() == 2
    post.after(5)
    post.store.fault = Fault.UNAVAILABLE
    post.after(5)
    post.store.fault = None
    post.deliverer.deliver_due()
    assert names(post.slack) == names(post.webhook) == ["a"]
    assert not post.store.due(post.clock.now() + timedelta(days=1), 10)


def test_telling_past_the_outbox_is_remembered_and_waits_for_nobody() -> None:
    slow = threading.Event()

    class Slow(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            assert slow.wait(10)
            return super().send(alert)

    slack = Slow()
    post = Post(slack=slack)
    alert = with_alert(a_record(1), "a").alerts[0]
    post.deliverer.tell_now(alert)
    wait_until(lambda: post.webhook.told, 5, "the webhook, while Slack is slow")
    post.deliverer.tell_now(alert)
    assert not slack.told
    slow.set()
    wait_until(lambda: slack.told, 5, "Slack")
    wait_until(lambda: len(post.tries) == 2, 5, "both to have ended")
    post.alert("a")
    post.deliverer.deliver_due()
    assert names(slack) == names(post.webhook) == ["a"]


def test_what_could_not_be_told_past_the_outbox_is_tried_again() -> None:
    post = Post()
    post.slack.answer = RETRY
    post.deliverer.tell_now(with_alert(a_record(1), "a").alerts[0])
    wait_until(lambda: len(post.tries) == 2, 5, "the first try")
    post.slack.answer = FINE
    post.store.fault = Fault.UNAVAILABLE

    def again() -> bool:
        post.deliverer.deliver_due()
        return bool(post.slack.told)

    wait_until(again, 5, "the second try")
    assert names(post.slack) == names(post.webhook) == ["a"]


def test_a_stop_waits_for_no_receiver_and_loses_nothing() -> None:
    slow = threading.Event()

    class Slow(MemoryChannel):
        def send(self, alert: Alert) -> Delivery:
            self.tries += 1
            assert slow.wait(10)
            return super().send(alert)

    slack = Slow()
    post = Post(slack=slack)
    post.alert("a")
    delivering = threading.Thread(target=post.deliverer.deliver_due)
    delivering.start()
    wait_until(lambda: slack.tries, 5, "the try to begin")
    post.deliverer.stop()
    delivering.join(1)
    assert not delivering.is_alive()
    assert [item.channel for item in post.store.due(post.clock.now(), 10) if item.channel == "slack"] == ["slack"]
    slow.set()


def test_after_a_week_it_is_given_up() -> None:
    post = Post()
    post.slack.answer = RETRY
    post.alert("a")
    post.deliverer.deliver_due()
    post.clock.advance(GIVE_UP_AFTER)
    post.deliverer.deliver_due()
    assert not post.store.due(post.clock.now() + timedelta(days=1), 10)


def test_pauses_double_up_to_five_minutes_and_are_spread() -> None:
    pauses = [wait(n, None, lambda: 1.0).total_seconds() for n in range(12)]
    assert pauses[:4] == [2, 4, 8, 16]
    assert max(pauses) == pauses[-1] == wait(10_000, None, lambda: 1.0).total_seconds() == 300
    assert wait(0, None, lambda: 0.0).total_seconds() == 1
    assert wait(0, 1e9, lambda: 0.0) == timedelta(hours=1)
