"""The OpenAI chat format at the door of a model server: what was asked, by whom."""

from dataclasses import dataclass, field

from controller.demo.serving import RefusedRequestError, Request


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat request as understood."""

    question: str = field(repr=False)
    stream: bool
    probe: bool
    mirrored: bool | None


def parse_chat(request: Request) -> Chat:
    """The last user message and how to answer it; RefusedRequestError when there is none."""
    document = request.json()
    messages = document.get("messages")
    texts = [_user_text(message) for message in messages] if isinstance(messages, list) else []
    asked = [text for text in texts if text is not None]
    if not asked:
        raise RefusedRequestError("messages: at least one message with role user and a text is needed")
    probe = request.headers.get("x-tidegate-probe") == "1"
    return Chat(asked[-1], document.get("stream") is True, probe, _mirrored(request))


def _user_text(message: object) -> str | None:
    if not isinstance(message, dict) or message.get("role") != "user":
        return None
    content = message.get("content")
    return content if isinstance(content, str) else None


def _mirrored(request: Request) -> bool | None:
    """Envoy appends `-shadow` to the host of a mirrored request; without any sign it is not known."""
    header = request.headers.get("x-tidegate-mirror")
    if header is not None:
        return header == "1"
    name, _, port = request.headers.get("Host", "").rpartition(":")
    return True if name.endswith("-shadow") or port.endswith("-shadow") else None
