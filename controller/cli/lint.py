"""`tidegate lint`: every mistake of every file, each on its line."""

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working
from controller.cli.words import many

if TYPE_CHECKING:
    from controller.domain.names import RolloutKey
    from controller.domain.problem import SpecProblem
    from controller.domain.rollout import ModelRollout, Provenance
    from controller.spec.templates import Template, Templates

SUFFIXES = (".yaml", ".yml")
MANY_FILES = 100
"""From here on every core reads."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One document: what is wrong with it or could be better, and which rollout it is when that could be read.

    `template` when it is one. `waits`: it uses templates, which may lie in other files.
    """

    problems: "tuple[SpecProblem, ...]"
    key: "RolloutKey | None"
    place: "Provenance"
    notes: tuple[str, ...] = ()
    template: "Template | None" = None
    waits: bool = False


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
    with working("reading ..."), _no_garbage():
        paths = list(found(files))
        checked = _checked(paths)
        checked = _with_templates(checked)
        problems = sorted([*(problem for one in checked for problem in one.problems), *_clashes(checked)])
    rollouts = sum(1 for one in checked if one.key is not None)
    notes = [f"{one.place.file}:{one.place.line}: {note}" for one in checked for note in one.notes]
    if output is OutputFormat.JSON:
        told = [as_json(one) for one in problems]
        emit({"files": len(paths), "rollouts": rollouts, "problems": told, "notes": notes})
    else:
        show(problems, len(paths), rollouts)
        show_notes(notes)
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


@contextmanager
def _no_garbage() -> Iterator[None]:
    """A short command makes many small values and no cycles: looking for them takes a third of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "#", "~")) for part in path.parts)


def _checked(paths: Sequence[Path]) -> list[Checked]:
    from controller.spec import parse  # noqa: F401 - once, before the workers are forked

    if len(paths) < MANY_FILES:
        return [one for path in paths for one in _read(path)]
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return [one for found_in in pool.map(_read, paths, chunksize=25) for one in found_in]


def _with_templates(checked: list[Checked]) -> list[Checked]:
    """Files whose rollouts use templates are read once more, with the templates of all files."""
    waiting = list(dict.fromkeys(one.place.file for one in checked if one.waits))
    if not waiting:
        return checked
    from controller.spec.catalog import with_catalog

    templates = with_catalog(one.template for one in checked if one.template is not None)
    again = [one for file in waiting for one in _read(Path(file), templates)]
    return [one for one in checked if one.place.file not in waiting] + again


def _read(path: Path, templates: "Templates | None" = None) -> list[Checked]:
    from controller.spec.parse import parse_bytes, resolve, unreadable

    try:
        parsed = parse_bytes(path.read_bytes(), str(path))
    except OSError as error:
        parsed = (unreadable(str(path), f"cannot be read: {error.strerror}", "check its rights"),)
    if templates is not None:
        parsed = resolve(parsed, templates)
    return [
        Checked(one.problems, one.key, one.provenance, _notes(one.rollout), one.template, one.draft is not None)
        for one in parsed
    ]


def _notes(rollout: "ModelRollout | None") -> tuple[str, ...]:
    from controller.cli.notes import notes

    return tuple(notes(rollout)) if rollout is not None else ()


def _clashes(checked: Iterable[Checked]) -> "list[SpecProblem]":
    from controller.spec.clashes import clashes, template_clashes

    places = [(one.key, one.place) for one in checked if one.key is not None]
    twice = [problem for problems in clashes(places).values() for problem in problems]
    return [*twice, *template_clashes(one.template for one in checked if one.template is not None)]


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


def show_notes(notes: Iterable[str]) -> None:
    """What is no mistake, below everything else."""
    from rich.text import Text

    screen = console()
    for note in notes:
        screen.print(Text(f"note: {note}", "dim"), soft_wrap=True)
