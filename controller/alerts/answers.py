"""What a receiver's HTTP answer means for an alert. Never names a URL: an incoming webhook's URL is its password."""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

from controller.domain.record import Delivery, Outcome

TRY_LATER = frozenset({408, 425, 429})
TIMEOUT_SECONDS = 10
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PATH_OF_URL = re.compile(r"(url: )\S+")


class UnreadableSecretError(Exception):
    """A file with a URL or token could not be used; says which and what to do."""


def read_secret(path: Path, what: str) -> str:
    """The stripped content of a small file, read anew at every use so that a change needs no restart.

    Raises UnreadableSecretError.
    """
    try:
        value = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSecretError(
            f"cannot read the {what} from {path} ({type(error).__name__}): put it there"
        ) from error
    if not value or "\n" in value:
        raise UnreadableSecretError(f"{path} must hold the {what}, one line and nothing else")
    return value


def read_url(path: Path) -> str:
    """The receiver's URL. Raises UnreadableSecretError."""
    url = read_secret(path, "webhook's URL")
    if not re.match(r"https?://[^/\s]+", url):
        raise UnreadableSecretError(f"{path} must hold a URL that begins with https:// (or http://)")
    return url


def judge(status: int, headers: Mapping[str, str], advice: Mapping[int, str]) -> Delivery:
    """Delivered, again later, or refused for good; `advice` says what to do about a status."""
    if 200 <= status < 300:
        return Delivery(Outcome.DELIVERED, f"answered {status}")
    if status in TRY_LATER or status >= 500:
        return Delivery(Outcome.RETRY, f"answered {status}", retry_after(headers))
    todo = advice.get(status, "check the URL and the receiver")
    return Delivery(Outcome.REFUSED, f"answered {status}: {todo}")


def failed(error: BaseException) -> Delivery:
    """No usable answer came: again later."""
    return Delivery(Outcome.RETRY, f"no answer ({type(error).__name__}: {masked(str(error))})")


def masked(text: str) -> str:
    """The text without any URL, or path of one, that it quotes."""
    return _PATH_OF_URL.sub(r"\1[masked]", _URL.sub("[masked URL]", text))[:200]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: `Retry-After` as a number, or as a date beside the answer's own `Date`; None without sense."""
    lowered = {name.lower(): value for name, value in headers.items()}
    value = lowered.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, lowered.get("date", ""))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(then: str, now: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):
        return None
