"""What the demo's customers ask next: single questions, and conversations that keep an id and a history."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.demo.questions import QUESTIONS

GREETINGS = ("", "", "Hi! ", "Hello, ", "One more thing: ")
OPEN_CONVERSATIONS = 10
TURNS = 6


@dataclass(slots=True)
class Conversation:
    """One sticky conversation under way: its id and what was said."""

    id: str
    messages: list[dict[str, str]] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to send."""

    question: str = field(repr=False)
    stream: bool
    conversation: Conversation | None

    def headers(self) -> Mapping[str, str]:
        """The request's headers; a conversation names itself."""
        sticky = {"x-conversation-id": self.conversation.id} if self.conversation else {}
        return {"Content-Type": "application/json", **sticky}

    def body(self) -> bytes:
        """The request as OpenAI chat JSON, with the conversation so far."""
        before = self.conversation.messages if self.conversation else []
        messages = [*before, {"role": "user", "content": self.question}]
        return json.dumps({"model": "support-bot", "messages": messages, "stream": self.stream}).encode()


class Customers:
    """Draws what is asked next from a seed. For one worker; not shared between threads."""

    def __init__(self, conversations: float, streams: float, seed: str) -> None:
        self._conversations, self._streams = conversations, streams
        self._rng = random.Random(seed)
        self._open = [self._fresh() for _ in range(OPEN_CONVERSATIONS)]

    def next_prompt(self) -> Prompt:
        """The next request, in one of the open conversations or alone."""
        question = self._rng.choice(GREETINGS) + self._rng.choice(QUESTIONS).text
        stream = self._rng.random() < self._streams
        sticky = self._rng.random() < self._conversations
        return Prompt(question, stream, self._rng.choice(self._open) if sticky else None)

    def hear(self, prompt: Prompt, answer: str | None) -> None:
        """Keep what was said; after a few turns the conversation ends and another begins."""
        talk = prompt.conversation
        if talk is None or answer is None:
            return
        talk.messages.append({"role": "user", "content": prompt.question})
        talk.messages.append({"role": "assistant", "content": answer})
        if len(talk.messages) >= 2 * TURNS:
            self._open[self._open.index(talk)] = self._fresh()

    def _fresh(self) -> Conversation:
        return Conversation(f"{self._rng.getrandbits(64):016x}")
