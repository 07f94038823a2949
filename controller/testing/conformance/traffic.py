"""What every traffic router promises, checked on real requests.

What a router says that it cannot do is not asked of it. Run `check_traffic_router(make)` with what makes a rig (see
`traffic_rig`), or each of `PROMISES` with a rig of its own.
"""

from collections import Counter
from collections.abc import Callable

from controller.domain.names import VersionName
from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.conformance.traffic_rig import (
    COHORT,
    RigMaker,
    TrafficRig,
    conversations,
    every_kind,
    mirror_of,
    refusal,
    settle,
    settled,
    try_to_observe,
    until,
    wait,
)


def check_traffic_router(make: RigMaker) -> None:
    """Every promise, each on a fresh rig. Raises AssertionError with the promise that was broken."""
    for promise in PROMISES:
        with make() as rig:
            promise(rig)


def before_the_first_split_it_serves_nothing(rig: TrafficRig) -> None:
    """A rollout that was never applied has no route, and no version answers its requests."""
    assert rig.router.observe().table is None
    assert not rig.send(3)


def what_is_set_is_observed(rig: TrafficRig) -> None:
    """Every kind of split is read back from the data plane as it was asked for."""
    for split in every_kind(rig):
        seen = settle(rig, split)
        assert seen.accepted
        assert seen.table == split.table()


def twice_changes_nothing(rig: TrafficRig) -> None:
    """Applying the split that holds leaves the revision as it is."""
    split = Split(rig.stable, rig.candidate, weight=20)
    before = settle(rig, split).revision
    assert settle(rig, split).revision == before
    assert settle(rig, Split(rig.stable)).revision != before


def none_and_all_are_exact(rig: TrafficRig) -> None:
    """At 0 % and 100 % not a single request goes elsewhere."""
    settle(rig, Split(rig.stable, rig.candidate, weight=0))
    assert set(rig.send(100)) == {rig.stable}
    settle(rig, Split(rig.stable, rig.candidate, weight=100))
    assert set(rig.send(100)) == {rig.candidate}


def a_share_is_kept(rig: TrafficRig) -> None:
    """10 % of 400 requests is 40: fewer than 12 or more than 75 happens less than once in a million times."""
    settle(rig, Split(rig.stable, rig.candidate, weight=10))
    answers = Counter(rig.send(400))
    assert answers.total() == 400
    assert 12 <= answers[rig.candidate] <= 75, answers


def mirrored_requests_are_counted_and_never_answer(rig: TrafficRig) -> None:
    """Half of 200 requests (all of them, where there is no half) reach the candidate as copies; nobody hears it."""
    mirror = mirror_of(rig, 50)
    settle(rig, Split(rig.stable, rig.candidate, mirror=mirror))
    assert set(rig.send(200)) == {rig.stable}
    least, most = {50: (60, 140), 100: (200, 200), 0: (0, 0)}[mirror]
    wait(lambda: rig.reached(rig.candidate) >= least, "mirrored requests to arrive")
    assert least <= rig.reached(rig.candidate) <= most, rig.reached(rig.candidate)
    if rig.router.capabilities.counts:
        until(rig, lambda counts: counts.mirrored >= least, "mirrored requests to be counted")
        assert rig.router.observe().counts[rig.candidate].live == 0


def counts_are_of_real_requests(rig: TrafficRig) -> None:
    """Live counts grow by exactly what was sent, for listed versions only, and nothing stays active.

    A router that cannot count says nothing, rather than zero.
    """
    settle(rig, Split(rig.stable, rig.candidate, weight=50))
    before = rig.router.observe().counts
    if not rig.router.capabilities.counts:
        assert before == {}
        return
    assert set(before) == {rig.stable, rig.candidate}
    answers = Counter(rig.send(60))
    after = rig.router.observe().counts
    for version in (rig.stable, rig.candidate):
        assert after[version].live - before[version].live == answers[version]
    until(rig, lambda counts: counts.active == 0, "requests to end")


def a_cohort_goes_to_the_candidate(rig: TrafficRig) -> None:
    """Requests with the headers go to the candidate, all others to stable."""
    settle(rig, Split(rig.stable, rig.candidate, cohort=COHORT))
    assert set(rig.send(30, dict(COHORT))) == {rig.candidate}
    assert set(rig.send(30)) == {rig.stable}
    assert set(rig.send(10, {"x-cohort": "strangers"})) == {rig.stable}


def conversations_stay(rig: TrafficRig) -> None:
    """While the weight stands, so does every conversation; a rising weight takes none away from the candidate."""
    if not rig.router.capabilities.sticky_header:
        return
    placed: dict[str, VersionName] = {}
    for weight in (10, 30, 60):
        settle(rig, Split(rig.stable, rig.candidate, weight=weight))
        now = conversations(rig)
        assert now == conversations(rig)
        moved_back = [name for name, was in placed.items() if was == rig.candidate and now[name] != rig.candidate]
        assert not moved_back
        placed = now
    assert len(set(placed.values())) == 2


def a_rollback_leaves_nothing(rig: TrafficRig) -> None:
    """Target, mirror and header rule are gone, and the candidate gets no new request, mirrored ones included."""
    settle(rig, Split(rig.stable, rig.candidate, weight=40, mirror=mirror_of(rig, 30), cohort=COHORT))
    rig.send(20)
    seen = settle(rig, Split(rig.stable))
    assert seen.table is not None
    assert seen.table.sole() == rig.stable
    if rig.router.capabilities.counts:
        until(rig, lambda counts: counts.active == 0, "the candidate's requests to end")
    quiet = rig.reached(rig.candidate)
    assert set(rig.send(50)) | set(rig.send(20, dict(COHORT))) == {rig.stable}
    assert set(conversations(rig).values()) == {rig.stable}
    assert rig.reached(rig.candidate) == quiet
    if rig.router.capabilities.counts:
        assert rig.router.observe().counts[rig.candidate].total == quiet


def what_is_not_ours_stays(rig: TrafficRig) -> None:
    """Foreign entries are the same after every kind of split."""
    settle(rig, Split(rig.stable))
    rig.add_foreign()
    before = rig.foreign()
    for split in every_kind(rig):
        settle(rig, split)
        assert rig.foreign() == before


def who_cannot_be_asked_is_unavailable(rig: TrafficRig) -> None:
    """An unreachable data plane is told with reason and remedy; afterwards the split still holds."""
    split = Split(rig.stable, rig.candidate, weight=20)
    settle(rig, split)
    rig.cut()
    try:
        answer = try_to_observe(rig)
    finally:
        rig.mend()
    assert isinstance(answer, RouterUnavailableError), f"observed {answer} although nobody could be asked"
    assert len(str(answer)) > 20, f"does not say what, where and what to do: {answer}"
    assert settled(rig, split).table == split.table()


def a_restart_begins_a_new_epoch(rig: TrafficRig) -> None:
    """The epoch is the same until a restart and another one afterwards, where requests are counted; the split holds."""
    split = Split(rig.stable, rig.candidate, weight=20)
    first = settle(rig, split)
    rig.send(10)
    second = rig.router.observe()
    assert second.epoch == first.epoch
    rig.restart()
    seen = settled(rig, split)
    assert (seen.epoch != first.epoch) == rig.router.capabilities.counts
    assert seen.table == split.table()
    assert len(rig.send(10)) == 10


def counts_never_fall_within_an_epoch(rig: TrafficRig) -> None:
    """Through changes of the split, every count stays or grows."""
    if not rig.router.capabilities.counts:
        return
    settle(rig, Split(rig.stable))
    last = rig.router.observe()
    for split in (*every_kind(rig), Split(rig.stable), Split(rig.stable, rig.candidate, weight=50)):
        settle(rig, split)
        rig.send(10)
        seen = rig.router.observe()
        assert seen.epoch == last.epoch
        for version, counts in last.counts.items():
            assert seen.counts[version].live >= counts.live
            assert seen.counts[version].mirrored >= counts.mirrored
        last = seen


def a_version_without_backend_is_refused(rig: TrafficRig) -> None:
    """A split that names an unlisted version changes nothing."""
    settle(rig, Split(rig.stable))
    for split in (Split(VersionName("v99")), Split(rig.stable, VersionName("v99"), weight=1)):
        assert "v99" in str(refusal(rig, split)), "the refusal does not name the version"
    assert settled(rig, Split(rig.stable)).table == Split(rig.stable).table()


PROMISES: tuple[Callable[[TrafficRig], None], ...] = (
    before_the_first_split_it_serves_nothing,
    what_is_set_is_observed,
    twice_changes_nothing,
    none_and_all_are_exact,
    a_share_is_kept,
    mirrored_requests_are_counted_and_never_answer,
    counts_are_of_real_requests,
    a_cohort_goes_to_the_candidate,
    conversations_stay,
    a_rollback_leaves_nothing,
    what_is_not_ours_stays,
    who_cannot_be_asked_is_unavailable,
    a_restart_begins_a_new_epoch,
    counts_never_fall_within_an_epoch,
    a_version_without_backend_is_refused,
)
