"""How long to wait before asking again: longer each time, never for long, never in step with others. Pure."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """`first` and `longest` in seconds; each wait is between half and all of twice the one before."""

    first: float = 0.5
    longest: float = 10.0
    chance: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def failed(self, retry_after: float | None = None) -> float:
        """Once more; how long to wait now. What the server asked for is kept, up to a minute."""
        self.failures += 1
        whole = min(self.longest, self.first * 2.0 ** min(self.failures - 1, 16))
        return max(whole * self.chance.uniform(0.5, 1.0), min(retry_after or 0.0, 60.0))

    def worked(self) -> None:
        """Begin anew."""
        self.failures = 0
