"""Tells people in Slack, through an incoming webhook."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from controller.alerts.answers import TIMEOUT_SECONDS, UnreadableSecretError, failed, judge, read_url
from controller.alerts.settings import ChannelSettings
from controller.domain.record import Alert, Delivery, Outcome

if TYPE_CHECKING:
    from slack_sdk.webhook import WebhookClient

SECTION_LIMIT, BLOCKS_LIMIT, FALLBACK_LIMIT = 3000, 40, 3000
COLOURS = {"page": "#d0021b", "warn": "#f5a623", "info": "#2eb67d"}
GREY = "#8c8c8c"
ADVICE = {
    400: "Slack did not take the message; please report this with the daemon's log",
    403: "Slack forbids it: make a new incoming webhook and put its URL into the file",
    404: "Slack does not know this webhook: make a new one and put its URL into the file",
    410: "the channel is archived or the webhook revoked: make a new one and put its URL into the file",
}


class SlackChannel:
    """Implements ports.AlertChannel. The URL is read from its file at each use and is never logged."""

    def __init__(self, settings: ChannelSettings) -> None:
        self._url_file, self._verbose = Path(settings.url_file), settings.verbose

    def send(self, alert: Alert) -> Delivery:
        """Try once, for 10 s at most without a sign of life. Never raises for the receiver's faults."""
        try:
            client = _client(read_url(self._url_file))
            answer = client.send_dict(message(alert, self._verbose))
        except UnreadableSecretError as error:
            return Delivery(Outcome.RETRY, str(error))
        except Exception as error:  # noqa: BLE001 - the SDK lets through whatever the network and the answer raise
            return failed(error)
        if answer.status_code == 200 and answer.body.strip() != "ok":
            return Delivery(Outcome.RETRY, "something else than Slack answered: check the URL and the proxy")
        return judge(answer.status_code, {**answer.headers}, ADVICE)


def _client(url: str) -> "WebhookClient":
    from slack_sdk.webhook import WebhookClient  # 4 MiB that only those need who use Slack

    # The SDK's logger would write the URL, and its retries would hide Retry-After from the outbox.
    silent = logging.Logger("slack", logging.CRITICAL + 1)
    client = WebhookClient(url, timeout=TIMEOUT_SECONDS, logger=silent, retry_handlers=[])
    # The SDK takes HTTP_PROXY without NO_PROXY; without a proxy of its own urllib honours both.
    client.proxy = None
    return client


def message(alert: Alert, verbose: bool = False) -> dict[str, object]:
    """The payload: the first line as text and block, the rest in an attachment with the severity's colour."""
    title = _fits(mrkdwn(alert.title), FALLBACK_LIMIT)
    paragraphs = [*alert.body.split("\n\n"), *([alert.details] if verbose and alert.details else [])]
    blocks = [_section(mrkdwn(paragraph)) for paragraph in paragraphs if paragraph.strip()][:BLOCKS_LIMIT]
    return {
        "text": title,
        "blocks": [_section(title)],
        "attachments": [{"color": COLOURS.get(alert.severity, GREY), "fallback": title, "blocks": blocks}],
    }


def mrkdwn(text: str) -> str:
    """Our text as Slack's: its markup escaped, so that no name can mention a channel; `**bold**` as `*bold*`."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"\*\*([^*\n]+)\*\*", r"*\1*", escaped)


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _fits(text, SECTION_LIMIT)}}


def _fits(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    # A cut in the middle of `&amp;` would show its letters.
    return re.sub(r"&[a-z]{0,3}$", "", text[: limit - 1]) + "…"
