"""What Slack gets, and how it is kept from reading names as markup."""

from pathlib import Path
from typing import Any, cast

import pytest

from controller.alerts.answers import retry_after
from controller.alerts.settings import ChannelSettings
from controller.alerts.slack import SECTION_LIMIT, SlackChannel, message, mrkdwn
from controller.alerts.webhook import WebhookChannel
from controller.domain.record import Alert, Outcome
from tests.alerts.receiver import Receiver, _Handler

ALERT = Alert("d", "page", "**ACT NOW:** bot & <!channel>", "why <b>\n\n`tidegate explain bot`", "log_e: 3.2", {"n": 1})


def attached(sent: dict[str, object]) -> dict[str, Any]:
    attachments = cast(list[dict[str, Any]], sent["attachments"])
    assert len(attachments) == 1
    return attachments[0]


def test_first_line_is_text_and_block_and_the_rest_has_a_colour() -> None:
    sent = message(ALERT)
    assert sent["text"] == "*ACT NOW:* bot &amp; &lt;!channel&gt;"
    attachment = attached(sent)
    assert attachment["color"] == "#d0021b"
    assert [block["text"]["text"] for block in attachment["blocks"]] == ["why &lt;b&gt;", "`tidegate explain bot`"]
    assert "log_e" not in str(sent)
    assert "log_e" in str(message(ALERT, verbose=True))


def test_long_texts_are_cut_to_what_slack_takes_and_never_inside_an_escape() -> None:
    for length in range(SECTION_LIMIT - 8, SECTION_LIMIT + 3):
        sent = message(Alert("d", "warn", "x" * 5000, "y" * length + "&&&", ""))
        attachment = attached(sent)
        text = attachment["blocks"][0]["text"]["text"]
        assert len(text) <= SECTION_LIMIT
        assert text.count("&") == text.count("&amp;")
        assert len(str(sent["text"])) <= 3000


def test_bold_is_slacks_bold() -> None:
    assert mrkdwn("**a** b **c**") == "*a* b *c*"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "Mon, 05 Jan 2026 12:01:00 GMT", "Date": "Mon, 05 Jan 2026 12:00:00 GMT"}, 60.0),
        ({"Retry-After": "Mon, 05 Jan 2026 12:01:00 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_somebody_else_in_slacks_place_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    monkeypatch.setattr(_Handler, "answers", {receiver.mood: b"<html>log in to the hotel's network</html>"})
    (tmp_path / "url").write_text(f"http://127.0.0.1:{receiver.port}/x")
    delivery = SlackChannel(ChannelSettings(str(tmp_path / "url"))).send(ALERT)
    receiver.close()
    assert delivery.outcome is Outcome.RETRY
    assert "something else than Slack" in delivery.detail


@pytest.mark.parametrize("channel", [SlackChannel, WebhookChannel])
@pytest.mark.parametrize("content", [None, "", "two\nlines", "not a url", "ftp://x"])
def test_a_missing_or_wrong_url_file_is_told_and_waits(
    channel: type[SlackChannel], content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "url").write_text(content)
    delivery = channel(ChannelSettings(str(tmp_path / "url"))).send(ALERT)
    assert delivery.outcome is Outcome.RETRY
    assert str(tmp_path / "url") in delivery.detail


def test_the_webhook_body_is_a_promise(tmp_path: Path) -> None:
    receiver = Receiver()
    (tmp_path / "url").write_text(f"http://127.0.0.1:{receiver.port}/hook")
    (tmp_path / "token").write_text("t0ken\n")
    settings = ChannelSettings(str(tmp_path / "url"), bearer_file=str(tmp_path / "token"))
    assert WebhookChannel(settings).send(ALERT).outcome is Outcome.DELIVERED
    receiver.close()
    (taken,) = receiver.taken
    assert taken.authorization == "Bearer t0ken"
    assert list(taken.document) == ["dedupe", "severity", "title", "body", "details", "facts"]
    assert taken.document["title"] == "ACT NOW: bot & <!channel>"
