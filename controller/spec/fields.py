"""The kinds of text a field can hold, each with its pattern and what to say when it does not match."""

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from controller.spec.cel import Cel, around, quoted

NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SLUG = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"
PERCENT = r"^[0-9]{1,3}(\.[0-9]{1,9})?%$"
DURATION = r"^([0-9]{1,9}(\.[0-9]{1,6})?(d|h|ms|m|s))+$"
FACTOR = r"^[0-9]{1,6}(\.[0-9]{1,9})?$"
LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$"
URL = r"^https?://[^/\s]+(/\S*)?$"
LISTEN = r"^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):[0-9]{1,5}$"
HTTP_PATH = r"^/[^\s#]*$"
HOST = r"^(\*|(\*\.)?[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:[0-9]{1,5})?)$"
NODE = r"^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$"
OBJECT = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
KIND_NAME = r"^[A-Z][a-zA-Z0-9]{0,62}$"
GROUP_VERSION = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$"
TEXT = r"\S"

IN_WORDS = {
    NAME: ("is not a name", "small letters, digits and `-`, at most 63, starting and ending with a letter or digit"),
    SLUG: (
        "is not a name",
        "small letters, digits, `-` and `_`, at most 63, starting and ending with a letter or digit",
    ),
    PERCENT: ("is not a percentage", "write for example 0.1% or 60%"),
    DURATION: ("is not a duration", "write for example 15s, 45m, 24h or 1h30m"),
    FACTOR: ("is not a number", 'write for example "1.25" or "2", with the quotes'),
    LABEL: ("is not a label name", "letters, digits and `_`, not starting with a digit"),
    METRIC: ("is not a metric name", "letters, digits, `_` and `:`, not starting with a digit"),
    HEADER: ("is not a header or cookie name", "letters, digits and `-`, for example x-conversation-id"),
    URL: ("is not a URL", "write http://host:port or https://host/path"),
    LISTEN: ("is not an address", "write host:port, for example 127.0.0.1:9901"),
    HTTP_PATH: ("is not a path", "start it with `/`"),
    HOST: ("is not a host", "write for example chat.example.com, *.example.com or *"),
    NODE: (
        "is not an address or DNS name",
        "write for example 127.0.0.1 or model-v2.example.com, the port goes in `port`",
    ),
    OBJECT: (
        "is not the name of an object",
        "small letters, digits, `-` and `.`, starting and ending with a letter or digit",
    ),
    KIND_NAME: ("is not a kind", "write for example Deployment or StatefulSet"),
    GROUP_VERSION: ("is not an API version", "write for example apps/v1"),
    TEXT: ("is empty", "write some text or remove it"),
}
"""For every pattern: what is wrong with a value that does not match, and what to write."""

LONGEST_TEXT = {
    NAME: 63,
    SLUG: 63,
    PERCENT: 14,
    FACTOR: 16,
    HEADER: 256,
    NODE: 253,
    OBJECT: 253,
    KIND_NAME: 63,
    GROUP_VERSION: 280,
}
"""Patterns that say themselves how long a text can be."""

UNIT_SECONDS = {"d": Decimal(86400), "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
LONGEST = timedelta(days=3650)


class Block(BaseModel):
    """A block of fields. An unknown field is a mistake, never ignored; a value of another type is not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """A mistake in our own words, to be raised by a validator."""
    return PydanticCustomError("tidegate", "{message}", {"message": message, "hint": hint})


@lru_cache(maxsize=1024)
def percent(text: str) -> float:
    """`0.1%` as a share of one (0.001)."""
    return float(Decimal(text.removesuffix("%")) / 100)


def factor(text: str) -> float:
    """`1.25` as a number."""
    return float(text)


@lru_cache(maxsize=1024)
def duration(text: str) -> timedelta:
    """`1h30m` as a span of time."""
    pieces = re.findall(r"([0-9.]+)(d|h|ms|m|s)", text)
    return timedelta(seconds=float(sum(Decimal(number) * UNIT_SECONDS[unit] for number, unit in pieces)))


def _lasting(text: str) -> str:
    try:
        span = duration(text)
    except OverflowError:
        span = LONGEST * 2
    if not timedelta(0) < span <= LONGEST:
        raise wrong(f"{text} is not a usable duration", "more than zero, at most ten years")
    return text


def _at_most_all(text: str) -> str:
    if percent(text) > 1:
        raise wrong(f"{text} is more than everything", "use 0% to 100%")
    return text


def _strictly_between(text: str) -> str:
    if not 0 < percent(text) < 1:
        raise wrong(f"{text} cannot be tested", "use more than 0% and less than 100%")
    return text


def _some(text: str) -> str:
    if percent(text) <= 0:
        raise wrong(f"{text} is no share at all", "use more than 0%, or onBreach: alert to only be told")
    return text


def _not_below_one(text: str) -> str:
    if factor(text) < 1:
        raise wrong(f"{text} would ask the candidate to be better than stable", 'use "1" or more')
    return text


def _counts(text: str) -> str:
    if factor(text) <= 0:
        raise wrong(f"a weight of {text} would leave answers out", "use more than 0, or do not match those answers")
    return text


def _address(text: str) -> str:
    if not 1 <= int(text.rpartition(":")[2]) <= 65535:
        raise wrong(f"{text} has no usable port", "ports are 1 to 65535")
    return text


def _url(text: str) -> str:
    if "@" in text.split("//", 1)[1].split("/", 1)[0]:
        raise wrong(
            "credentials do not belong in a URL", "use basicAuth or bearerTokenFile, which read them from a file"
        )
    return text


def _shown(problem: str, hint: str, before: str = "") -> str:
    return around(before, "self", f"{problem} ({hint})")


def _rule(pattern: str, rule: str, problem: str, hint: str, before: str = "") -> Cel:
    """What an own validator refuses, for texts that match their pattern at all."""
    return Cel(f"!self.matches({quoted(pattern)}) || {rule}", _shown(problem, hint, before), computed=True)


SHARE = 'double(self.replace("%", ""))'
ALL = _rule(PERCENT, f"{SHARE} <= 100.0", " is more than everything", "use 0% to 100%")
TESTABLE = _rule(
    PERCENT, f"({SHARE} > 0.0 && {SHARE} < 100.0)", " cannot be tested", "use more than 0% and less than 100%"
)
SOME = _rule(PERCENT, f"{SHARE} > 0.0", " is no share at all", "use more than 0%, or onBreach: alert to only be told")
NOT_BELOW_ONE = _rule(
    FACTOR, "double(self) >= 1.0", " would ask the candidate to be better than stable", 'use "1" or more'
)
COUNTS = _rule(
    FACTOR,
    "double(self) > 0.0",
    " would leave answers out",
    "use more than 0, or do not match those answers",
    "a weight of ",
)
LASTING = _rule(DURATION, 'self.matches("[1-9]")', " is not a usable duration", "more than zero, at most ten years")
PORT_OF = 'int(self.substring(self.lastIndexOf(":") + 1))'
PORT = _rule(LISTEN, f"({PORT_OF} >= 1 && {PORT_OF} <= 65535)", " has no usable port", "ports are 1 to 65535")
NO_LOGIN = Cel(
    'self.matches("^https?://[^/]*@") == false',
    "credentials do not belong in a URL (use basicAuth or bearerTokenFile, which read them from a file)",
)

Name = Annotated[str, StringConstraints(pattern=NAME)]
Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Text = Annotated[str, StringConstraints(pattern=TEXT, max_length=4096)]
Argument = Annotated[str, StringConstraints(max_length=1024)]
LabelValue = Annotated[str, StringConstraints(max_length=256)]
Scenario = Annotated[str, StringConstraints(pattern=TEXT, max_length=128)]
Percent = Annotated[str, StringConstraints(pattern=PERCENT), AfterValidator(_at_most_all), ALL]
TestablePercent = Annotated[str, StringConstraints(pattern=PERCENT), AfterValidator(_strictly_between), TESTABLE]
SharePercent = Annotated[
    str, StringConstraints(pattern=PERCENT), AfterValidator(_at_most_all), ALL, AfterValidator(_some), SOME
]
RatioText = Annotated[str, StringConstraints(pattern=FACTOR), AfterValidator(_not_below_one), NOT_BELOW_ONE]
WeightText = Annotated[str, StringConstraints(pattern=FACTOR), AfterValidator(_counts), COUNTS]
Duration = Annotated[str, StringConstraints(pattern=DURATION, max_length=64), AfterValidator(_lasting), LASTING]
LabelName = Annotated[str, StringConstraints(pattern=LABEL, max_length=256)]
MetricName = Annotated[str, StringConstraints(pattern=METRIC, max_length=256)]
HeaderName = Annotated[str, StringConstraints(pattern=HEADER)]
Url = Annotated[str, StringConstraints(pattern=URL, max_length=2048), AfterValidator(_url), NO_LOGIN]
Address = Annotated[str, StringConstraints(pattern=LISTEN, max_length=262), AfterValidator(_address), PORT]
HttpPath = Annotated[str, StringConstraints(pattern=HTTP_PATH, max_length=1024)]
HostName = Annotated[str, StringConstraints(pattern=HOST, max_length=262)]
NodeName = Annotated[str, StringConstraints(pattern=NODE)]
ObjectName = Annotated[str, StringConstraints(pattern=OBJECT)]
KindName = Annotated[str, StringConstraints(pattern=KIND_NAME)]
GroupVersion = Annotated[str, StringConstraints(pattern=GROUP_VERSION)]
