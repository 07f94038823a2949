"""`tidegate backtest`: history through the very function that decides live."""

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import STATE_DIR, Database, Output, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, emit_line, reported, working
from controller.cli.plan import read_rollout

if TYPE_CHECKING:
    from datetime import timedelta

    from controller.cli.backtest_told import Story
    from controller.decision.replay import Frame, Step
    from controller.domain.names import VersionName
    from controller.domain.rollout import ModelRollout


def register(app: typer.Typer) -> None:
    """Add `backtest`."""
    told = examples(
        "tidegate backtest support-bot.yaml --counts history.jsonl --picture backtest.svg",
        "tidegate backtest support-bot.yaml --prometheus 2026-11-01T00:00Z..2026-11-02T00:00Z --output json",
        "tidegate backtest support-bot.yaml --journal --run support-bot-3      (what would this file have done?)",
    )
    app.command(epilog=told)(backtest)


@reported
def backtest(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A rollout file.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Which rollout, when the file has several.")
    ] = None,
    stable: Annotated[
        str | None,
        typer.Option("--stable", metavar="VERSION", help="What served; left out: initialStable, or the other version."),
    ] = None,
    counts: Annotated[
        str | None,
        typer.Option("--counts", metavar="FILE", help="New counts as JSON lines, one tick per line; `-`: stdin."),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", metavar="FROM..TO", help="This time of the file's Prometheus, raw samples."),
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="15s", help="Time between two ticks; left out: analysis.interval.")
    ] = None,
    journal: Annotated[bool, typer.Option("--journal", help="What the daemon measured, from its database.")] = False,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run to take from the journal; left out: the last.")
    ] = None,
    state_dir: StateDir = STATE_DIR,
    database: Database = "",
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE.svg", help="Draw rates, evidence, weight and decisions.")
    ] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Judge history as if it were now, and say what would have been decided when.

    The run begins one interval before the first tick. The data plane obeys at once, approvals are given, and what is
    not mentioned in a tick had no new answers. After the run's end its phase stays, and the counts are judged on.
    """
    from controller.decision.replay import judged_at_once, replay

    rollout = read_rollout(spec, name)
    if sum(source is not None and source is not False for source in (counts, prometheus, journal)) != 1:
        raise CommandError("give one of --counts, --prometheus and --journal", Code.WRONG_USE)
    with working("reading the history ..."):
        frames: Iterable[Frame]
        if counts is not None:
            base, frames = stable_of(rollout, stable), _from_counts(counts, rollout)
            rollout = judged_at_once(rollout)
            gc.disable()  # neither counts nor ticks hold cycles; to look for them again and again takes a fifth of all
        elif prometheus is not None:
            base = stable_of(rollout, stable)
            frames = _from_prometheus(prometheus, step, rollout, base)
        else:
            from controller.cli.kept import from_journal

            served, frames = from_journal(rollout, run, state_dir, database)
            base = stable_of(rollout, stable or served)
        try:
            story = _follow(rollout, base, replay(rollout, base, frames), picture, output)
        finally:
            gc.enable()
    if output is OutputFormat.TEXT:
        story.show()


def stable_of(rollout: "ModelRollout", wanted: str | None) -> "VersionName":
    """The version that served. Raises CommandError."""
    known = [version.name for version in rollout.versions]
    others = [name for name in known if name != rollout.version]
    alone = others[0] if len(others) == 1 else None
    found = wanted or rollout.initial_stable or alone
    listed = next((name for name in known if name == found), None)
    if listed is None:
        what = f"there is no version {wanted}" if wanted else "name the version that served with --stable"
        raise CommandError(f"{what}; known: {', '.join(known)}", Code.WRONG_USE)
    if listed == rollout.version:
        raise CommandError(
            f"{listed} is stable and the version that should serve: there is nothing to roll out",
            Code.WRONG_USE,
            f"Name another one with --stable: {', '.join(others) or 'the file lists none'}.",
        )
    return listed


def _from_counts(file: str, rollout: "ModelRollout") -> "list[Frame]":
    from controller.cli.counts import read_counts

    if file == "-":
        return read_counts(typer.get_binary_stream("stdin"), rollout, "stdin")
    try:
        with Path(file).open("rb") as lines:
            return read_counts(lines, rollout, file)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", Code.WRONG_USE) from error


def _from_prometheus(span: str, step: str | None, rollout: "ModelRollout", stable: "VersionName") -> "Iterator[Frame]":
    from controller.analysis.asking import asks
    from controller.cli.counts import instant
    from controller.decision.recount import recount
    from controller.metrics.history import snapshots

    since, until = (instant(part.strip()) for part in (span.split("..") if span.count("..") == 1 else ("", "")))
    if since is None or until is None or since >= until:
        hint = "write two instants with their zone: 2026-11-01T00:00Z..2026-11-02T00:00Z"
        raise CommandError(f"--prometheus {span}: {hint}", Code.WRONG_USE)
    if rollout.metrics.provider != "prometheus":
        raise CommandError(f"the metrics of {rollout.key} come from {rollout.metrics.provider}, which keeps no history")
    every = _duration(step) if step else rollout.interval
    versions = [one for one in rollout.versions if one.name in (stable, rollout.version)]
    wanted = asks(rollout, versions)
    return _asked(recount(rollout, stable, snapshots(rollout.metrics, wanted, since, until, every)))


def _duration(text: str) -> "timedelta":
    import re

    from controller.spec.fields import DURATION, duration

    if not re.fullmatch(DURATION, text) or duration(text).total_seconds() < 1:
        raise CommandError(f"--step {text}: write a duration of at least 1s, such as 15s or 1m", Code.WRONG_USE)
    return duration(text)


def _asked(frames: "Iterator[Frame]") -> "Iterator[Frame]":
    from controller.metrics.http import AskFailedError

    try:
        yield from frames
    except AskFailedError as error:
        raise CommandError(f"the history cannot be read: {error}") from error


def _follow(
    rollout: "ModelRollout", stable: "VersionName", steps: "Iterable[Step]", picture: Path | None, output: OutputFormat
) -> "Story":
    """All steps: as lines where they are wanted, and gathered for people."""
    from controller.cli.backtest_picture import Sketch
    from controller.cli.backtest_told import Story, line_of

    story, sketch = Story(rollout, stable), Sketch(rollout, stable) if picture else None
    for one in steps:
        story.add(one)
        if sketch is not None:
            sketch.add(one)
        if output is OutputFormat.JSON:
            emit_line(line_of(one))
    if picture is not None and sketch is not None:
        _write(picture, sketch.svg())
    return story


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
