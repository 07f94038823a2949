"""`tidegate lint`: every mistake of every file, each on its line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working
from controller.cli.words import many

if TYPE_CHECKING:
    from controller.domain.problem import SpecProblem
    from controller.spec.parse import Parsed

SUFFIXES = (".yaml", ".yml")


def register(app: typer.Typer) -> None:
    """Add `lint`."""
    told = examples("tidegate lint rollouts/", "tidegate lint support-bot.yaml --output json")
    app.command(epilog=told)(lint)


@reported
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders of *.yaml and *.yml.")],
    output: Output = OutputFormat.TEXT,
) -> None:
    """Check rollout files: all mistakes at once, each with its line."""
    with working("reading ..."):
        paths = list(found(files))
        parsed = [one for path in paths for one in _read(path)]
        problems = sorted([*(problem for one in parsed for problem in one.problems), *_clashes(parsed)])
    rollouts = sum(1 for one in parsed if one.key is not None)
    if output is OutputFormat.JSON:
        emit({"files": len(paths), "rollouts": rollouts, "problems": [as_json(one) for one in problems]})
    else:
        show(problems, len(paths), rollouts)
    if problems:
        raise typer.Exit(int(Code.WRONG_USE))


def found(files: Iterable[Path]) -> Iterator[Path]:
    """The files themselves, and those below a folder. Raises CommandError for what is not there."""
    for path in files:
        if path.is_dir():
            inside = (one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())
            yield from sorted(one for one in inside if not _hidden(one.relative_to(path)))
        elif path.exists():
            yield path
        else:
            raise CommandError(f"{path}: there is no such file or folder", Code.WRONG_USE)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "#", "~")) for part in path.parts)


def _read(path: Path) -> "tuple[Parsed, ...]":
    from controller.spec.parse import parse_bytes, unreadable

    try:
        return parse_bytes(path.read_bytes(), str(path))
    except OSError as error:
        return (unreadable(str(path), f"cannot be read: {error.strerror}", "check its rights"),)


def _clashes(parsed: "Iterable[Parsed]") -> "list[SpecProblem]":
    from controller.spec.clashes import clashes

    places = [(one.key, one.provenance) for one in parsed if one.key is not None]
    return [problem for problems in clashes(places).values() for problem in problems]


def as_json(problem: "SpecProblem") -> dict[str, object]:
    """One problem for machines."""
    return {
        "file": problem.file,
        "line": problem.line,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


def show(problems: "Iterable[SpecProblem]", files: int, rollouts: int) -> None:
    """Each problem on its line, then how many there are."""
    from rich.text import Text

    screen, amount = console(), 0
    for problem in problems:
        amount += 1
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        line = Text.assemble((where, "bold"), ": ", (f"{problem.path}: " if problem.path else "", "cyan"))
        line.append(problem.message, "red")
        if problem.hint:
            line.append(f" ({problem.hint})", "dim")
        screen.print(line, soft_wrap=True)
    checked = f"{many(files, 'file')}, {many(rollouts, 'rollout')}"
    if amount:
        screen.print(f"{many(amount, 'mistake')} in {checked}", style="bold red")
    else:
        screen.print(f"no mistakes in {checked}", style="green")
