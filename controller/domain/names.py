"""Typed names, so that a version is never mistaken for a rollout."""

from dataclasses import dataclass
from typing import NewType

VersionName = NewType("VersionName", str)
SloName = NewType("SloName", str)
RunId = NewType("RunId", str)
Digest = NewType("Digest", str)


@dataclass(frozen=True, slots=True, order=True)
class RolloutKey:
    """Which rollout: unique over every source of one daemon."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str, namespace: str = "default") -> "RolloutKey":
        """`name` or `namespace/name`; a bare name lies in `namespace`."""
        head, slash, tail = text.partition("/")
        return cls(head, tail) if slash else cls(namespace, head)
