"""How one alert channel is set up. Secrets stay in files; only their paths are kept."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """`url_file` holds the receiver's URL, `bearer_file` a token, `ca_file` trusted certificates (PEM).

    `verbose` adds an alert's details to the message.
    """

    url_file: str
    bearer_file: str | None = None
    ca_file: str | None = None
    verbose: bool = False
