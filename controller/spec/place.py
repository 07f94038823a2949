"""Where every value of a document stands, as a tree beside the values."""

from dataclasses import dataclass

from controller.spec.finding import Path


@dataclass(slots=True)
class Place:
    """Where a value stands (1-based line), and where its entries or items stand."""

    line: int
    inner: "dict[str, Place] | list[Place] | None" = None

    def find(self, path: Path) -> "Place":
        """The place of the path, or of its nearest existing ancestor."""
        here = self
        for step in path:
            below = here._step(step)
            if below is None:
                return here
            here = below
        return here

    def _step(self, step: str | int) -> "Place | None":
        if isinstance(self.inner, dict) and isinstance(step, str):
            return self.inner.get(step)
        if isinstance(self.inner, list) and isinstance(step, int) and step < len(self.inner):
            return self.inner[step]
        return None
