"""What people ask for. Requests are observed like anything else; who asked and why is always recorded."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Ask(StrEnum):
    """The verbs of operators."""

    ABORT = "abort"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    REVIEW = "review"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """One request of one person. `id` makes it count once, however often it is seen.

    `argument` says more: `confirm` or `dismiss` for a review, `FROM..TO` (ISO 8601) for a retry that excludes a fault.
    """

    id: str
    ask: Ask
    actor: str
    reason: str
    at: datetime
    argument: str = ""
