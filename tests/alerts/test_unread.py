"""The words about a database that cannot be read at a start: the first line says whether to get up."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.alerts.unread import Withdrawn, later, readable, state_lost, unreadable
from controller.domain.names import RolloutKey

AT = datetime(2026, 5, 1, 3, 12, 0, tzinfo=UTC)
KEY = RolloutKey("default", "support-bot")
SAFE = Withdrawn(KEY, "safe", True, "v11", "v12", in_flight=3)
STILL = replace(SAFE, moved=False, candidate=None, in_flight=0)
LOOSE = replace(SAFE, ending="waiting", detail="the admin does not answer")
UNKNOWN = replace(SAFE, ending="unknown", stable=None, moved=False, detail="found v11 50 %, v12 50 %")
LEFT = replace(SAFE, ending="left", moved=False, detail="only observed: nothing is written")


@pytest.mark.parametrize(
    ("one", "severity", "first", "said"),
    [
        (SAFE, "page", "**ACT NOW:**", "v12 was withdrawn, everything is on v11, verified; 3 answers in flight"),
        (STILL, "warn", "**Act today:**", "everything is on v11, as before."),
        (LOOSE, "page", "**ACT NOW:**", "NOT CONFIRMED on v11: the admin does not answer; `tidegate route support-bot"),
        (UNKNOWN, "page", "**ACT NOW:**", "keeps its traffic and is not guarded"),
        (LEFT, "warn", "**Act today:**", "left as it is: only observed"),
    ],
)
def test_the_page_says_how_each_rollout_stands(one: Withdrawn, severity: str, first: str, said: str) -> None:
    alert = unreadable(AT, "the disk is gone", [one])
    assert alert.severity == severity
    assert alert.title.startswith(first)
    assert "nothing advances" in alert.title
    assert said in alert.body
    assert "the disk is gone" in alert.body
    assert "NOT CONFIRMED" not in alert.title or one in (LOOSE, UNKNOWN)


def test_what_changes_later_is_told_once_each() -> None:
    told = {later(AT, one).dedupe for one in (SAFE, LOOSE, UNKNOWN, LEFT)}
    assert len(told) == 4
    assert later(AT, LOOSE).severity == "page"
    assert later(AT, SAFE).severity == "warn"


def test_its_end_says_what_a_person_still_has_to_do() -> None:
    assert readable(AT, AT, [SAFE]).title.startswith("**Act today:**")
    assert "tidegate resume" in readable(AT, AT, [SAFE]).title
    assert readable(AT, AT, [STILL]).title.startswith("**No action needed.**")


def test_one_lost_row_names_what_was_kept() -> None:
    alert = state_lost(AT, KEY, "a stored position cannot be read", "v11", "/state/unreadable/default.support-bot.7")
    assert "everything is being sent to v11" in alert.title
    assert "/state/unreadable/default.support-bot.7.*" in alert.body
    assert "nothing was moved" in state_lost(AT, KEY, "why", None, "").title
