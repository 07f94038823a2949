"""What goes over the control socket: one JSON object per line, a request and then one or more answers. Pure.

→ {"verb": "abort", "args": {"name": "support-bot", "reason": "..."}, "on_behalf": "ana"}
← {"ok": true, "result": {...}}                          a plain answer
← {"ok": true, "item": {...}} ... {"ok": true, "end": true}   a stream
← {"ok": false, "error": "what happened and what to do"}
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MOST_REQUEST_BYTES = 64 * 1024
LONGEST_PATH = 107
_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")

Document = dict[str, object]


class ProtocolError(Exception):
    """A line that is no request or no answer; the text goes to the one who sent it."""


class SocketPathError(Exception):
    """The path cannot be a Unix socket; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `actor` is who the kernel says it is, with whom they act for as they say themselves."""

    verb: str
    args: Mapping[str, object] = field(default_factory=dict)
    actor: str = ""


def encode(document: Mapping[str, object]) -> bytes:
    """One line. Values JSON does not know are written as text."""
    return json.dumps(document, ensure_ascii=False, default=str, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Document:
    """The object of one line. Raises ProtocolError."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("that is not JSON; send one JSON object on one line") from error
    if not isinstance(document, dict):
        raise ProtocolError("that is not a JSON object; send one JSON object on one line")
    return document


def parse_request(line: bytes, peer: str) -> Request:
    """A request of the user `peer`. Raises ProtocolError."""
    if len(line) > MOST_REQUEST_BYTES:
        raise ProtocolError(f"a request has at most {MOST_REQUEST_BYTES} bytes")
    if not line.endswith(b"\n"):
        raise ProtocolError("the request ended without a newline")
    document = decode(line)
    verb, args = document.get("verb"), document.get("args", {})
    if not isinstance(verb, str) or not verb or not isinstance(args, dict):
        raise ProtocolError('a request has a "verb" (text) and "args" (an object)')
    return Request(verb, args, actor(peer, document.get("on_behalf")))


def actor(peer: str, on_behalf: object) -> str:
    """Who acts: the user the kernel names, never replaced by a claim, only added to. Raises ProtocolError."""
    if on_behalf in (None, "", peer):
        return peer
    if not isinstance(on_behalf, str) or not _NAME.fullmatch(on_behalf):
        raise ProtocolError('"on_behalf" is a user name')
    return f"{on_behalf} (as {peer})"


def checked_path(path: Path) -> str:
    """The path as the kernel takes it. Raises SocketPathError."""
    text = str(path)
    if len(text.encode()) > LONGEST_PATH:
        raise SocketPathError(
            f"the socket's path {text} has {len(text.encode())} bytes and Unix sockets take {LONGEST_PATH}: "
            "choose a shorter one"
        )
    return text
