"""What every store promises, whatever it is made of. Each promise takes a rig with nothing stored yet."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from controller.domain.decision import Reason
from controller.domain.measure import Measurement
from controller.domain.names import Digest, RolloutKey
from controller.domain.record import Delivery, Outcome, StaleWriteError, TickRecord
from controller.ports import Outbox, Store
from controller.testing.conformance.store_samples import (
    DIGEST,
    KEY,
    START,
    a_position,
    a_record,
    an_evidence,
    with_alert,
    with_notice,
)

OTHER = RolloutKey("assistants", "sales-bot")
CHANNELS = ("slack", "webhook")


class AnyStore(Store, Outbox, Protocol):
    """Both doors: an alert is written in the transaction of the tick that caused it. And what was measured, to read."""

    def measurements(
        self, key: RolloutKey, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, tuple[Measurement, ...]]]:
        """What was measured from `since` to `until`, both included, in the order of its commits."""
        ...


@dataclass(frozen=True, slots=True)
class StoreRig:
    """`open` opens the same data once more, as another process would, for the alert channels named."""

    open: Callable[[tuple[str, ...]], AbstractContextManager[AnyStore]]


def starts_empty(rig: StoreRig) -> None:
    """Nothing is known at first, and asking for it is no error."""
    with rig.open(CHANNELS) as store:
        assert not store.load()
        assert not store.journal(KEY, 10)
        assert not store.due(START, 10)
        assert store.evidence(KEY, DIGEST) is None
        assert store.prune(START) == 0


def gives_back_what_was_committed(rig: StoreRig) -> None:
    """Position and evidence of one number come back equal, also to another process, by key."""
    with rig.open(CHANNELS) as store, rig.open(CHANNELS) as other:
        store.commit(a_record(1))
        store.commit(a_record(2))
        store.commit(a_record(1, OTHER))
        found = tuple(other.load())
        assert [(one.key, one.seq) for one in found] == [(OTHER, 1), (KEY, 2)]
        assert found[1].position == a_record(2).position
        assert found[1].evidence == a_record(2).evidence
    with rig.open(CHANNELS) as again:
        assert tuple(again.load()) == found


def refuses_a_stale_write_whole(rig: StoreRig) -> None:
    """A number that is taken, or that would leave a gap, writes nothing at all."""
    with rig.open(CHANNELS) as store, rig.open(CHANNELS) as other:
        _refused(store, a_record(2))
        store.commit(a_record(1))
        other.commit(a_record(2))
        before = tuple(store.load())
        for seq in (1, 2, 4):
            _refused(store, with_alert(with_notice(a_record(seq), Reason.HELD), f"stale-{seq}"))
        assert tuple(store.load()) == before
        assert not store.journal(KEY, 10)
        assert not store.due(START + timedelta(days=1), 10)
        store.commit(a_record(3))


def keeps_evidence_by_digest(rig: StoreRig) -> None:
    """Evidence of a digest tried earlier can be asked for when another, or none, is current."""
    with rig.open(CHANNELS) as store:
        later = replace(an_evidence(), digest=Digest("sha256:other"))
        store.commit(a_record(1))
        store.commit(replace(a_record(2), evidence=later))
        store.commit(replace(a_record(3), evidence=None))
        assert store.load()[0].evidence is None
        assert store.evidence(KEY, DIGEST) == a_record(1).evidence
        assert store.evidence(KEY, later.digest) == later
        assert store.evidence(OTHER, DIGEST) is None


def journals_newest_first(rig: StoreRig) -> None:
    """Each notice is one entry with its run, commit, actor and facts; a rollout sees only its own."""
    with rig.open(CHANNELS) as store:
        store.commit(with_notice(a_record(1), Reason.RUN_STARTED))
        store.commit(a_record(2))
        both = with_notice(with_notice(a_record(3), Reason.PAUSED, "ada"), Reason.HELD)
        store.commit(replace(both, verdicts="harm: pass"))
        store.commit(with_notice(a_record(1, OTHER), Reason.ADOPTED))
        entries = store.journal(KEY, 10)
        assert [(entry.seq, entry.reason) for entry in entries] == [(3, "held"), (3, "paused"), (1, "run_started")]
        paused = entries[1]
        assert (paused.actor, paused.run, paused.commit) == ("ada", "support-bot-3", "4f1c9e2")
        assert (paused.facts, paused.verdicts) == (both.notices[0].facts, "harm: pass")
        assert (paused.at, paused.severity, paused.key) == (both.at, "warn", KEY)
        assert store.journal(KEY, 1) == entries[:1]


def forgets_measurements_only(rig: StoreRig) -> None:
    """Old measurements go; positions, evidence, journal and alerts stay."""
    with rig.open(CHANNELS) as store:
        for seq in range(1, 6):
            store.commit(with_alert(with_notice(a_record(seq), Reason.HELD), f"alert-{seq}"))
        before = tuple(store.load())
        assert store.prune(a_record(4).at) == 3
        assert store.prune(a_record(4).at) == 0
        assert tuple(store.load()) == before
        assert len(store.journal(KEY, 10)) == 5
        assert len(store.due(a_record(9).at, 100)) == 10


def gives_back_what_was_measured(rig: StoreRig) -> None:
    """Every measurement of a time, ends included, in order, of this rollout alone; ticks without any have no row."""
    with rig.open(CHANNELS) as store:
        for seq in range(1, 7):
            store.commit(a_record(seq) if seq != 4 else replace(a_record(seq), measurements=()))
            store.commit(a_record(seq, OTHER))
        wanted = [(a_record(seq).at, a_record(seq).measurements) for seq in (2, 3, 5)]
        assert list(store.measurements(KEY, a_record(2).at, a_record(5).at)) == wanted
        assert not list(store.measurements(KEY, a_record(7).at, a_record(9).at))
        assert not list(store.measurements(RolloutKey("assistants", "unknown"), a_record(1).at, a_record(9).at))
    with rig.open(CHANNELS) as again:
        assert list(again.measurements(KEY, a_record(2).at, a_record(5).at)) == wanted


def tells_each_channel_once(rig: StoreRig) -> None:
    """An alert waits once for each channel, however often it is written, and also after it was delivered."""
    with rig.open(CHANNELS) as store:
        record = with_alert(a_record(1), "breach")
        store.commit(record)
        store.commit(with_alert(a_record(2), "breach"))
        items = store.due(record.at, 10)
        assert [(item.channel, item.alert) for item in items] == [(name, record.alerts[0]) for name in CHANNELS]
        assert all(item.created_at == item.not_before == record.at and item.attempts == 0 for item in items)
        store.settle(items[0], Delivery(Outcome.DELIVERED), record.at)
        store.commit(with_alert(a_record(3), "breach"))
        assert store.due(a_record(3).at, 10) == items[1:]


def waits_before_trying_again(rig: StoreRig) -> None:
    """A retry is due when its time has come, with its attempts counted; what was refused is over."""
    with rig.open(("slack",)) as store, rig.open(("slack",)) as other:
        store.commit(with_alert(a_record(1), "first"))
        store.commit(with_alert(a_record(2), "second"))
        now = a_record(2).at
        first, second = store.due(now, 10)
        later = now + timedelta(seconds=30)
        store.settle(first, Delivery(Outcome.RETRY, "503"), later)
        store.settle(second, Delivery(Outcome.REFUSED, "no such channel"), now)
        assert not other.due(later - timedelta(microseconds=1), 10)
        assert other.due(later, 10) == (replace(first, attempts=1, not_before=later),)
        other.settle(first, Delivery(Outcome.DELIVERED), later)
        store.settle(first, Delivery(Outcome.RETRY, "late"), later)
        assert not store.due(later + timedelta(days=1), 10)


def hands_out_the_oldest_alerts_first(rig: StoreRig) -> None:
    """In the order in which they were written, at most `limit`, and only for channels that exist now."""
    with rig.open(CHANNELS) as store:
        for seq in range(1, 4):
            store.commit(with_alert(a_record(seq), f"alert-{seq}"))
    with rig.open(("webhook",)) as store:
        items = store.due(a_record(3).at, 2)
        assert [(item.channel, item.alert.dedupe) for item in items] == [("webhook", "alert-1"), ("webhook", "alert-2")]


def has_alerts_without_channels_no_longer_than_needed(rig: StoreRig) -> None:
    """Without any channel an alert is nobody's; the tick is kept all the same."""
    with rig.open(()) as store:
        store.commit(with_alert(replace(a_record(1), position=a_position(0)), "alert"))
        assert store.load()[0].position == a_position(0)
        assert not store.due(a_record(1).at, 10)


_ALL = (
    starts_empty,
    gives_back_what_was_committed,
    refuses_a_stale_write_whole,
    keeps_evidence_by_digest,
    journals_newest_first,
    forgets_measurements_only,
    gives_back_what_was_measured,
    tells_each_channel_once,
    waits_before_trying_again,
    hands_out_the_oldest_alerts_first,
    has_alerts_without_channels_no_longer_than_needed,
)
STORE_PROMISES: Mapping[str, Callable[[StoreRig], None]] = {promise.__name__: promise for promise in _ALL}


def _refused(store: Store, record: TickRecord) -> None:
    try:
        store.commit(record)
    except StaleWriteError:
        return
    raise AssertionError(f"number {record.seq} was written, and should have been refused")
