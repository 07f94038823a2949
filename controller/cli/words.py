"""Numbers and times as people read them in a terminal. Pure."""

from datetime import UTC, datetime

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def percent(rate: float) -> str:
    """A rate (0..1) as percent: one decimal, below 1 % two digits: `2.1 %`, `0.032 %`."""
    value = rate * 100
    text = f"{value:.1f}" if value >= 1 or value == 0 else f"{value:.2g}"
    return f"{_trimmed(text)} %"


def count(number: float) -> str:
    """`1,942`."""
    return f"{number:,.0f}"


def number(value: float) -> str:
    """A measured value, four significant digits."""
    return f"{value:.4g}"


def span(seconds: float) -> str:
    """A duration in its two largest units: `0.8 s`, `4 s`, `6 min 20 s`, `2 h 50 min`."""
    if 0 < seconds < 9.5 and seconds != int(seconds):
        return f"{_trimmed(f'{seconds:.1f}')} s"
    whole = round(max(0.0, seconds))
    parts = []
    for name, size in UNITS:
        amount, whole = divmod(whole, size)
        parts.append((amount, name))
    first = next((at for at, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    return " ".join(f"{amount} {name}" for amount, name in parts[first : first + 2] if amount) or "0 s"


def moment(text: str) -> datetime:
    """An ISO 8601 instant of the daemon's JSON, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def clock(text: str) -> str:
    """The time of day in UTC of an ISO 8601 instant: `12:03:10`."""
    return moment(text).strftime("%H:%M:%S")


def since(text: str, now: datetime) -> str:
    """How long ago an ISO 8601 instant was."""
    return span((now - moment(text)).total_seconds())


def address(name: str, namespace: str) -> str:
    """The rollout as people type it."""
    return name if namespace == "default" else f"{namespace}/{name}"


def many(amount: int, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
