"""What the process holds of each rollout: specs come and go, and one route belongs to one of them."""

from dataclasses import replace

import pytest

from controller.analysis import streams
from controller.domain.names import RolloutKey
from controller.domain.observation import SpecSeen
from controller.domain.record import Stored
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase
from controller.ports import Specs
from controller.runtime.book import Book
from controller.testing.builders import a_position, a_rollout, a_run, hashed, spec_seen
from controller.testing.clock import START

KEY = a_rollout().key
OTHER = RolloutKey("default", "aaa")


def specs(*rollouts: ModelRollout, trouble: str | None = None) -> Specs:
    return Specs({one.key: spec_seen(one) for one in rollouts}, trouble=trouble)


def other() -> ModelRollout:
    return hashed(replace(a_rollout(), key=OTHER))


def on(rollout: ModelRollout, *hosts: str, prefix: str = "/", admin: str = "127.0.0.1:9901") -> ModelRollout:
    target = replace(rollout.route.envoy, hosts=hosts, prefix=prefix, admin=admin)
    return hashed(replace(rollout, route=replace(rollout.route, target=target)))


def a_stored(phase: Phase = Phase.PROGRESSING) -> Stored:
    return Stored(KEY, 7, a_position(phase), None)


def test_only_what_changed_is_named() -> None:
    book = Book()
    assert book.take(specs(a_rollout()), START) == (KEY,)
    assert book.take(specs(a_rollout()), START) == ()
    assert book.take(specs(a_rollout(version="v13")), START) == (KEY,)


def test_one_that_was_never_good_is_not_held() -> None:
    book = Book()
    assert book.take(Specs({KEY: SpecSeen(None)}), START) == ()
    assert book.get(KEY) is None


def test_one_that_is_gone_keeps_its_pinned_spec_and_says_so() -> None:
    book = Book([a_stored()])
    book.take(specs(), START)
    held = book.get(KEY)
    assert held is not None
    assert held.spec.deleted
    assert held.spec.spec == a_run().spec


def test_a_source_in_trouble_deletes_nothing() -> None:
    book = Book([a_stored()])
    book.take(specs(trouble="the remote cannot be reached"), START)
    held = book.get(KEY)
    assert held is not None
    assert not held.spec.deleted
    assert "the remote cannot be reached" in str(held.spec.problems[0])
    book.take(specs(a_rollout()), START)
    assert held.spec.problems == ()


def test_the_route_stays_with_who_serves() -> None:
    book = Book([a_stored(Phase.IDLE)])
    book.take(specs(a_rollout(), other()), START)
    mine, theirs = book.get(KEY), book.get(OTHER)
    assert mine is not None
    assert theirs is not None
    assert mine.conflict is None
    assert "already belongs to rollout default/support-bot" in str(theirs.conflict)


def test_between_two_newcomers_the_first_by_name_gets_it() -> None:
    book = Book()
    assert set(book.take(specs(a_rollout(), other()), START)) == {KEY, OTHER}
    mine = book.get(KEY)
    assert mine is not None
    assert mine.conflict is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (on(other(), "a", "b"), on(a_rollout(), "b", "c", prefix="/v1/")),
        (on(other(), "a"), on(a_rollout(), "a", "b", prefix="/v1/")),
        (on(other(), "a", "b"), on(a_rollout(), "b")),
        (on(other(), "Chat.example"), on(a_rollout(), "chat.example", prefix="/v1/")),
    ],
)
def test_lists_of_hosts_that_overlap_are_refused_whatever_the_prefix(first: ModelRollout, second: ModelRollout) -> None:
    """Envoy allows a host in one list only: applying the second would fail, or move the first."""
    book = Book()
    book.take(specs(first, second), START)
    mine, theirs = book.get(KEY), book.get(OTHER)
    assert mine is not None
    assert theirs is not None
    assert theirs.conflict is None
    assert "already belongs to rollout default/aaa in another list of hosts" in str(mine.conflict)
    assert "or other hosts" in str(mine.conflict)


@pytest.mark.parametrize(
    "second",
    [
        on(a_rollout(), "b", "a", prefix="/v1/"),
        on(a_rollout(), "c"),
        on(a_rollout(), "b", "c", admin="127.0.0.1:9902"),
        on(a_rollout(), "*.a"),
    ],
)
def test_the_same_list_with_another_prefix_or_other_hosts_live_side_by_side(second: ModelRollout) -> None:
    book = Book()
    book.take(specs(on(other(), "a", "b"), second), START)
    assert [held.conflict for held in book.all()] == [None, None]


def test_who_is_refused_takes_nothing_from_others() -> None:
    third = replace(on(a_rollout(), "c", "d"), key=RolloutKey("default", "zzz"))
    book = Book()
    book.take(specs(on(other(), "a", "b"), on(a_rollout(), "c", "b"), third), START)
    assert [held.conflict is not None for held in book.all()] == [False, True, False]


def test_a_deleted_rollout_at_rest_gives_its_route_back() -> None:
    book = Book()
    book.take(specs(a_rollout(), other()), START)
    book.take(specs(a_rollout()), START)
    mine = book.get(KEY)
    assert mine is not None
    assert mine.conflict is None


def test_verdicts_are_known_before_the_first_tick() -> None:
    run = a_run()
    stored = replace(a_stored(), evidence=streams.fresh(run.spec, run.digest))
    held = Book([stored]).get(KEY)
    assert held is not None
    assert {one.slo for one in held.judgement.streams} == {"harm"}


def test_the_run_says_which_spec_is_in_force() -> None:
    book = Book([a_stored()])
    book.take(specs(a_rollout(version="v13")), START)
    held = book.get(KEY)
    assert held is not None
    assert held.active == a_run().spec
