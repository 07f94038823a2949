"""Numbers, times and names as people read them. Pure."""

import re
import shlex
from datetime import UTC, datetime, timedelta

from controller.domain.names import RolloutKey
from controller.domain.route import EnvoyRoute, GatewayApiRoute

DEFAULT_NAMESPACE = "default"


def percent(rate: float) -> str:
    """A rate (0..1) as percent, two significant digits below 10: `2.5 %`, `0.11 %`, `100 %`."""
    value = rate * 100
    digits = 1 if value >= 10 else 2
    text = f"{value:.{digits}f}" if value >= 1 or value == 0 else f"{value:.2g}"
    return f"{_without_zeros(text)} %"


def count(number: float) -> str:
    """A count with thousands separated: `1,942`."""
    return f"{number:,.0f}"


def number(value: float) -> str:
    """A measured value with four significant digits at most."""
    return f"{value:.4g}"


def duration(span: timedelta) -> str:
    """A duration in its two largest units: `4 s`, `6 min 20 s`, `2 h 50 min`, `3 d 4 h`."""
    seconds = max(0.0, span.total_seconds())
    if 0 < seconds < 9.5 and seconds != int(seconds):
        return f"{_without_zeros(f'{seconds:.1f}')} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        amount, whole = divmod(whole, size)
        parts.append((amount, name))
    first = next((index for index, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    return " ".join(f"{amount} {name}" for amount, name in parts[first : first + 2] if amount) or "0 s"


def clock(at: datetime) -> str:
    """The time of day in UTC: `12:03:10`."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def instant(at: datetime) -> str:
    """Day and time in UTC: `2026-05-01 12:03:10 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def address(key: RolloutKey) -> str:
    """The rollout as people type it: the name alone in the default namespace, else `namespace/name`."""
    return key.name if key.namespace == DEFAULT_NAMESPACE else str(key)


def command(verb: str, key: RolloutKey, *rest: str) -> str:
    """A command to copy into a shell, in backticks."""
    return "`" + " ".join(["tidegate", verb, shlex.quote(address(key)), *rest]) + "`"


def break_glass(key: RolloutKey, target: EnvoyRoute | GatewayApiRoute | None) -> str:
    """The command that goes round the controller, for the router in question."""
    if isinstance(target, GatewayApiRoute):
        return f"`kubectl tidegate route {shlex.quote(key.name)} --stable -n {shlex.quote(key.namespace)}`"
    return command("route", key, "--stable")


def one_line(text: str, limit: int) -> str:
    """The first line of `text`, cut to `limit` characters."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= limit else first[: limit - 1].rstrip() + "…"


def without_userinfo(url: str) -> str:
    """The URL without a user and password that it may hold."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", url)


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
