"""`tidegate plan`: what a rollout file would do, before it does it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, emit, reported

if TYPE_CHECKING:
    from controller.cli.forecast import Flow
    from controller.domain.rollout import ModelRollout
    from controller.spec.parse import Parsed


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
    """Show stage by stage what would happen, which breach is seen when, and how long a proof takes.

    Without --traffic: how many judged answers each of these needs.
    """
    flow = flow_of(traffic, sampling)
    rollout = read_rollout(file, name)
    from controller.cli import planning

    planned = planning.plan(rollout, flow)
    if output is OutputFormat.JSON:
        emit(planned)
    else:
        from controller.cli.plan_show import show

        show(planned)


def flow_of(traffic: str | None, sampling: str) -> "Flow | None":
    """`600/min` and `10%` as numbers. Raises CommandError."""
    from controller.cli.forecast import Flow

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


def with_neighbours(parsed: "tuple[Parsed, ...]", file: Path) -> "tuple[Parsed, ...]":
    """Rollouts that use templates, read with those of the files beside theirs. Raises OSError."""
    if not any(one.draft for one in parsed):
        return parsed
    from controller.spec.catalog import with_catalog
    from controller.spec.parse import parse_bytes, resolve

    beside = (one for one in sorted(file.parent.iterdir()) if one.suffix in (".yaml", ".yml") and one != file)
    others = [one for path in beside if path.is_file() for one in parse_bytes(path.read_bytes(), str(path))]
    templates = with_catalog(one.template for one in (*parsed, *others) if one.template is not None)
    return resolve(parsed, templates)


def read_rollout(file: Path, name: str | None) -> "ModelRollout":
    """The one rollout of a file, or the named one. Raises CommandError."""
    from controller.domain.names import RolloutKey
    from controller.spec.parse import parse_bytes

    try:
        parsed = with_neighbours(parse_bytes(file.read_bytes(), str(file)), file)
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
