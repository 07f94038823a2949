"""Keeps secrets and the text of prompts and answers out of the log, whoever logged them. Pure."""

import re
from collections.abc import Mapping, MutableMapping, Sequence

SECRET_WORDS = frozenset(
    {"token", "password", "passwd", "secret", "secrets", "authorization", "apikey", "credentials", "cookie", "bearer"}
)
TEXT_KEYS = frozenset({"prompt", "prompts", "completion", "completions", "content", "text", "messages", "answer"})
MASK = "[masked]"
_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_SLACK = re.compile(r"(https?://hooks\.slack(?:-gov)?\.com/)\S+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}")


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, object]) -> Mapping[str, object]:
    """A structlog processor: secret keys masked, text keys dropped, secrets inside of values masked."""
    return {key: masked_value(key, value) for key, value in event.items() if key.lower() not in TEXT_KEYS}


def masked_value(key: str, value: object) -> object:
    """The value as the log may hold it; the path of a secret's file (`token_file`) may be told."""
    words = set(re.split(r"[^a-z]+", key.lower()))
    if words & SECRET_WORDS and not words & {"file", "path"} and not isinstance(value, (bool, int, float)):
        return MASK
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, Mapping):
        inner = {str(name): one for name, one in value.items() if str(name).lower() not in TEXT_KEYS}
        return {name: masked_value(name, one) for name, one in inner.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [masked_value("", one) for one in value]
    return value


def masked_text(text: str) -> str:
    """The text without user:password in URLs, Slack webhook paths, and Authorization values."""
    return _BEARER.sub(rf"\1 {MASK}", _SLACK.sub(rf"\1{MASK}", _USERINFO.sub(MASK, text)))
