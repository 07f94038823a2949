"""`tidegate simulate`: what this rollout would do with a version as good or as bad as you say, many times over."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli import words
from controller.cli.backtest import stable_of
from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported
from controller.cli.plan import flow_of, read_rollout

if TYPE_CHECKING:
    from controller.cli.simulating import Outcome, World
    from controller.domain.names import SloName
    from controller.domain.rollout import ModelRollout

FEW = 8
"""So few runs are done here: a second process would take longer to start."""
BATCH = 4
USUAL = 0.5
"""What an SLO without a --rate runs at, as a share of its objective."""


def register(app: typer.Typer) -> None:
    """Add `simulate`."""
    told = examples(
        "tidegate simulate support-bot.yaml --traffic 200/min --rate harm=0.3% --rate hallucination=6%",
        "tidegate simulate support-bot.yaml --traffic 600/min --sampling 10% --runs 200 --output json",
    )
    app.command(epilog=told)(simulate)


@reported
def simulate(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A rollout file.")],
    traffic: Annotated[
        str, typer.Option("--traffic", metavar="N/min", help="Requests through the route: 600/min, 10/s, 5000/h.")
    ],
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="SLO=P%", help="True rate of bad answers; left out: half of the objective."),
    ] = None,
    stable_rate: Annotated[
        list[str] | None, typer.Option("--stable-rate", metavar="SLO=P%", help="The same for stable.")
    ] = None,
    sampling: Annotated[
        str, typer.Option("--sampling", metavar="P%", help="Share of the answers that is judged.")
    ] = "100%",
    cohort: Annotated[
        str, typer.Option("--cohort", metavar="P%", help="Share of the requests that a cohort stage matches.")
    ] = "1%",
    runs: Annotated[int, typer.Option("--runs", min=1, max=1_000_000, help="How many runs.")] = 500,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same answer.")] = 1,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Which rollout, when the file has several.")
    ] = None,
    stable: Annotated[
        str | None,
        typer.Option("--stable", metavar="VERSION", help="What serves; left out: initialStable, or the other version."),
    ] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Try a rollout on simulated answers: how often it rolls back, how fast, and what users see until then.

    Requests come at random times and answers are bad independently of each other, so real traffic is somewhat worse.
    Scenarios are not simulated, values stay inside of their thresholds, approvals are given at once.
    """
    from controller.cli.simulating import World, report

    rollout = read_rollout(spec, name)
    flow = flow_of(traffic, sampling)
    assert flow is not None
    if not 0 < flow.per_minute < 1e9:
        raise CommandError(f"--traffic {traffic}: more than nothing, please", Code.WRONG_USE)
    rates, of_stable = (
        rates_of(given or [], rollout, o) for given, o in ((rate, "--rate"), (stable_rate, "--stable-rate"))
    )
    share = percent_of(cohort, "--cohort")
    world = World(rollout, stable_of(rollout, stable), flow.per_minute, flow.sampling, rates, of_stable, share)
    found = report(world, run_all(world, runs, seed), seed)
    if output is OutputFormat.JSON:
        emit(found)
    else:
        show(found)


def rates_of(given: Sequence[str], rollout: "ModelRollout", option: str) -> "dict[SloName, float]":
    """`harm=0.3%` and so on; the rest at half of their objectives. Raises CommandError."""
    rates = {slo.name: USUAL * slo.max_bad for slo in rollout.slos if slo.max_bad is not None}
    for text in given:
        name, _, amount = text.partition("=")
        slo = next((known for known in rates if known == name.strip()), None)
        if slo is None:
            known = ", ".join(rates) or "none"
            raise CommandError(
                f"{option} {text}: there is no SLO with a rate named {name}; known: {known}", Code.WRONG_USE
            )
        rates[slo] = percent_of(amount, f"{option} {text}")
    return rates


def percent_of(text: str, option: str) -> float:
    """`0.3%` as a share (0..1). Raises CommandError."""
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise CommandError(f"{option}: {text or 'nothing'} is no percentage; write 0% to 100%", Code.WRONG_USE)
    return share


def run_all(world: "World", runs: int, seed: int) -> "list[Outcome]":
    """All runs in the order of their numbers, spread over the processors."""
    from controller.cli.simulating import run_once

    seeds = [f"{seed}/{number}" for number in range(runs)]
    workers = min(len(os.sched_getaffinity(0)), max(1, runs // FEW))
    with _progress(runs) as advance:
        if workers == 1:
            return [advance(run_once(world, one)) for one in seeds]
        return [advance(one) for one in _spread(partial(run_once, world), seeds, workers)]


def _spread(work: "Callable[[str], Outcome]", seeds: Sequence[str], workers: int) -> "Iterator[Outcome]":
    from multiprocessing import get_context

    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(work, seeds, chunksize=BATCH)


@contextmanager
def _progress(runs: int) -> "Iterator[Callable[[Outcome], Outcome]]":
    """A bar on a terminal; nothing elsewhere."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda outcome: outcome
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("simulated runs", total=runs)

        def advance(outcome: "Outcome") -> "Outcome":
            bar.advance(task)
            return outcome

        yield advance


def show(found: dict[str, Any]) -> None:
    """The outcomes, and the rollbacks by SLO."""
    from rich.table import Table

    screen = console()
    screen.print(f"{found['name']}: {found['stable']} → {found['version']}", style="bold")
    judged = f"{words.number(found['traffic_per_minute'])} requests a minute, {words.percent(found['sampling'])} judged"
    screen.print(f"{words.many(found['runs'], 'run')}, seed {found['seed']}; {judged}")
    screen.print(f"true rates of bad: {_rates(found['rates'])}; of stable: {_rates(found['stable_rates'])}")
    screen.print()
    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in (
        "OUTCOME",
        "HOW OFTEN",
        "95 % INTERVAL",
        "AFTER (MEDIAN)",
        "90 % WITHIN",
        "BAD ANSWERS USERS GOT (MEAN, 90 %)",
    ):
        table.add_column(title)
    for what, one in found["outcomes"].items():
        between = f"{words.percent(one['lower'])} – {words.percent(one['upper'])}"
        table.add_row(what, words.percent(one["probability"]), between, *_times(one), _bad(one["bad_answers"]))
    for one in found["rollbacks_by_slo"]:
        share = words.percent(one["runs"] / found["runs"])
        name = one["slo"] or "undecided in time"
        bad = {name: one["bad_answers"]} if one["bad_answers"]["mean"] is not None else {}
        table.add_row(f"  by {name}", share, "", *_times(one), _bad(bad))
    screen.print(table)
    held = found["outcomes"]["hold"]
    if held["runs"]:
        told = ", ".join(f"{stage} ({words.many(runs, 'run')})" for stage, runs in held["stages"].items())
        screen.print(f"\nheld for a person in: {told}")


def _rates(rates: dict[str, float]) -> str:
    return ", ".join(f"{name} {words.percent(rate)}" for name, rate in rates.items())


def _times(one: dict[str, Any]) -> tuple[str, str]:
    median, late = one["seconds"]["median"], one["seconds"]["q90"]
    return ("–", "–") if median is None else (words.span(median), words.span(late))


def _bad(counts: dict[str, Any]) -> str:
    told = ((name, one) for name, one in counts.items() if one["mean"] is not None)
    return ", ".join(f"{name} {one['mean']:,.1f}, {one['q90']:,.0f}" for name, one in told) or "–"
