"""What is wrong with a spec, and where: the one shape in which bad input is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class SpecProblem:
    """One mistake: `file:line: path: message (hint)`. `line` is 1-based; 0 when the place has no line."""

    file: str
    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{path}{self.message}{hint}"


class SpecRejectedError(Exception):
    """A document that cannot be accepted; carries every problem found, not only the first."""

    def __init__(self, problems: tuple[SpecProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
