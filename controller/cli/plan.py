"""`tidegate plan`: what a rollout file would do, before it does it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli import words
from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported

if TYPE_CHECKING:
    from rich.table import Table

    from controller.cli.planning import Flow
    from controller.domain.rollout import ModelRollout

Plan = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add `plan`."""
    told = examples(
        "tidegate plan support-bot.yaml",
        "tidegate plan support-bot.yaml --traffic 600/min --sampling 10%",
    )
    app.command(epilog=told)(plan)


@reported
def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rollout file.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which rollout, when the file has several.")
    ] = None,
    traffic: Annotated[
        str | None,
        typer.Option("--traffic", metavar="N/min", help="Requests through the route: 600/min, 10/s, 5000/h."),
    ] = None,
    sampling: Annotated[
        str, typer.Option("--sampling", metavar="P%", help="Share of the answers that is judged.")
    ] = "100%",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Show stage by stage what would happen, and which breach is seen when."""
    flow = flow_of(traffic, sampling)
    rollout = read_rollout(file, name)
    from controller.cli import planning

    planned = planning.plan(rollout, flow)
    if output is OutputFormat.JSON:
        emit(planned)
    else:
        show(planned)


def flow_of(traffic: str | None, sampling: str) -> "Flow | None":
    """`600/min` and `10%` as numbers. Raises CommandError."""
    from controller.cli.planning import Flow

    units = {"s": 60.0, "min": 1.0, "h": 1 / 60}
    try:
        share = float(sampling.strip().removesuffix("%")) / 100
        if not 0 < share <= 1:
            raise ValueError
    except ValueError:
        raise CommandError(f"--sampling {sampling}: write a percentage, such as 10%", Code.WRONG_USE) from None
    if traffic is None:
        return None
    amount, _, unit = traffic.partition("/")
    try:
        return Flow(float(amount) * units[unit or "min"], share)
    except (ValueError, KeyError):
        raise CommandError(f"--traffic {traffic}: write it as 600/min, 10/s or 5000/h", Code.WRONG_USE) from None


def read_rollout(file: Path, name: str | None) -> "ModelRollout":
    """The one rollout of a file, or the named one. Raises CommandError."""
    from controller.domain.names import RolloutKey
    from controller.spec.parse import parse_bytes

    try:
        parsed = parse_bytes(file.read_bytes(), str(file))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", Code.WRONG_USE) from error
    problems = [str(problem) for one in parsed for problem in one.problems]
    rollouts = [one.rollout for one in parsed if one.rollout is not None]
    if name is not None:
        rollouts = [
            one for one in rollouts if name in (one.key.name, str(one.key)) or one.key == RolloutKey.parse(name)
        ]
    if len(rollouts) == 1 and (name is not None or not problems):
        return rollouts[0]
    if problems:
        raise CommandError("\n".join(problems), Code.WRONG_USE, f"Put these right first; `tidegate lint {file}`.")
    known = ", ".join(str(one.key) for one in parsed if one.key) or "none"
    raise CommandError(f"{file}: name one of its rollouts: {known}", Code.WRONG_USE)


def show(planned: Plan) -> None:
    """Stages, objectives, times, warnings, edits."""
    screen = console()
    start = f"{planned['initial_stable'] or 'what serves'} → {planned['version']}"
    screen.print(f"{planned['name']}: {start}", style="bold")
    if planned["mode"] == "observe":
        screen.print("mode observe: everything is judged and told, no route is written", style="yellow")
    screen.print()
    screen.print(_stages(planned))
    screen.print(_total(planned), style="bold")
    screen.print()
    screen.print(_slos(planned))
    for line in _policy(planned):
        screen.print(line, soft_wrap=not screen.is_terminal)
    for warning in planned["warnings"]:
        screen.print(f"warning: {warning}", style="yellow")


def _total(planned: Plan) -> str:
    told, likely = f"shortest: {words.span(planned['shortest_seconds'])} in all", planned["likely_seconds"]
    return (
        f"{told}; with proofs about {words.span(likely)}" if likely and likely > planned["shortest_seconds"] else told
    )


def _table(*titles: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title)
    return table


def _stages(planned: Plan) -> "Table":
    timed = planned["traffic"] is not None
    table = _table("STAGE", "THE CANDIDATE GETS", "AT LEAST", "AT MOST", "BEFORE THE NEXT")
    if timed:
        table.add_column("JUDGED THEN, AND SEEN (MEDIAN)")
    for stage in planned["stages"]:
        times = (words.span(stage["shortest_seconds"]), words.span(stage["max_seconds"]))
        seen = [_seen(stage)] if timed else []
        table.add_row(stage["name"], _gets(stage), *times, _before_next(stage), *seen)
    return table


def _gets(stage: Plan) -> str:
    if stage["kind"] == "shadow":
        most = f", at most {words.count(stage['max_mirrored'])}" if stage["max_mirrored"] else ""
        return f"copies of {stage['mirror']} %{most}; no user sees it"
    if stage["kind"] == "cohort":
        return "requests with " + ", ".join(f"{header}: {value}" for header, value in stage["cohort"].items())
    return f"{stage['weight']} % of live requests"


def _before_next(stage: Plan) -> str:
    told = ["every SLO proven" if stage["require"] == "proven" else "no sign of a breach"]
    if stage["proof_seconds"] is not None:
        told[0] += f" (about {words.span(stage['proof_seconds'])} at half its limits)"
    if stage["min_samples"]:
        told.append(f"{words.count(stage['min_samples'])} judged answers per SLO")
    if stage["approvals"]:
        told.append(words.many(stage["approvals"], "approval"))
    return ", ".join(told)


def _seen(stage: Plan) -> str:
    if stage["judged_per_minute"] is None:
        return "unknown: depends on the cohort"
    amount = stage["judged_per_minute"] * stage["shortest_seconds"] / 60
    seen = [f"{one['slo']} {one['times']:g}×" if one["times"] else f"{one['slo']} none" for one in stage["detects"]]
    return f"{words.count(amount)}: {', '.join(seen)}"


def _slos(planned: Plan) -> "Table":
    table = _table(
        "SLO", "OBJECTIVE", "BUDGET", "A BREACH", "JUDGED ANSWERS UNTIL IT IS SEEN (MEDIAN)", "UNTIL PROVEN GOOD"
    )
    for slo in planned["slos"]:
        weight = "–" if slo["ledger_weight"] is None else words.percent(slo["ledger_weight"])
        table.add_row(slo["name"], _objective(slo), weight, _deed(slo), _until_breach(slo), _until_proof(slo))
    return table


def _deed(slo: Plan) -> str:
    return {"rollback": "rolls back", "hold": "holds", "alert": "alerts only"}[slo["on_breach"]]


def _objective(slo: Plan) -> str:
    if slo["objective"] is not None:
        return f"at most {words.percent(slo['objective'])} bad"
    threshold = slo["threshold"]
    bounds = (("at most", threshold["max"]), ("at least", threshold["min"]))
    return ", ".join(f"{word} {words.number(bound)}" for word, bound in bounds if bound is not None)


def _until_breach(slo: Plan) -> str:
    if slo["threshold"] is not None:
        return f"{words.many(slo['threshold']['consecutive'], 'bad value')} in a row"
    return ", ".join(f"{one['times']:g}×: {words.count(one['answers'])}" for one in slo["breaches"])


def _until_proof(slo: Plan) -> str:
    return ", ".join(f"at {one['times']:g}×: {words.count(one['answers'])}" for one in slo["proof"]) or "–"


def _policy(planned: Plan) -> Iterator[str]:
    blind, edits = planned["on_blind"], planned["edits"]
    undecided = f"Undecided at maxDuration: {planned['on_inconclusive']}."
    yield ""
    yield f"A good version is rolled back by mistake in at most {words.percent(planned['max_false_rollback'])} of runs."
    yield f"Blind for {words.span(blind['after_seconds'])}: {blind['then']}. {undecided}"
    yield f"An edit of these starts a new run, from the first stage: {'; '.join(edits['new_run'])}."
    yield f"Taken up at once: {'; '.join(edits['at_once'])}."
