"""Tells people: what an alert says, the channels it goes through, and the delivery that loses none."""

from collections.abc import Callable, Mapping

from controller.alerts.settings import ChannelSettings
from controller.alerts.slack import SlackChannel
from controller.alerts.webhook import WebhookChannel
from controller.ports import AlertChannel

CHANNELS: Mapping[str, Callable[[ChannelSettings], AlertChannel]] = {"slack": SlackChannel, "webhook": WebhookChannel}


class UnknownChannelError(Exception):
    """No alert channel has that name; lists those there are."""


def open_channel(kind: str, settings: ChannelSettings) -> AlertChannel:
    """The channel of that kind. Raises UnknownChannelError."""
    if kind not in CHANNELS:
        raise UnknownChannelError(f"unknown alert channel `{kind}`; known: {', '.join(sorted(CHANNELS))}")
    return CHANNELS[kind](settings)
