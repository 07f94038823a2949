"""`tidegate templates`: the SLOTemplates that come with Tidegate, or those of files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.spec.templates import Template


def register(app: typer.Typer) -> None:
    """Add `templates`."""
    told = examples("tidegate templates", "tidegate templates harm", "tidegate templates --from rollouts/")
    app.command(epilog=told)(templates)


@reported
def templates(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one whole.")] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--from", metavar="FILE", help="Those of files or folders, beside the catalog.")
    ] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """List the SLOTemplates that a rollout can use by name (fromTemplate), or show one."""
    known = _known(files or [])
    if name is not None:
        known = [_named(known, name)]
    if output is OutputFormat.JSON:
        emit({"templates": [as_json(one) for one in known]})
    elif name is not None:
        show_one(known[0])
    else:
        show_all(known)


def _known(files: "Sequence[Path]") -> "list[Template]":
    from controller.cli.lint import found
    from controller.spec.catalog import catalog
    from controller.spec.parse import parse_bytes

    parsed = (one for file in found(files) for one in parse_bytes(file.read_bytes(), str(file)))
    return [*(one.template for one in parsed if one.template and not one.template.broken), *catalog()]


def _named(known: "Sequence[Template]", name: str) -> "Template":
    from controller.spec.complaints import closest

    for one in known:
        if name in (one.key.name, str(one.key)):
            return one
    meant = closest(name, [one.key.name for one in known])
    hint = f"Did you mean `{meant}`?" if meant else "`tidegate templates` lists them."
    raise CommandError(f"there is no SLOTemplate `{name}`", Code.WRONG_USE, hint)


def as_json(template: "Template") -> dict[str, object]:
    """One template for machines."""
    return {
        "name": template.key.name,
        "namespace": template.key.namespace,
        "description": template.description,
        "parameters": [one.model_dump() for one in template.parameters],
        "slo": template.slo,
        "file": template.provenance.file,
        "line": template.provenance.line,
    }


def show_all(known: "Sequence[Template]") -> None:
    """One line for each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("NAME", "ARGUMENTS", "WHAT IT MEASURES"):
        table.add_column(title)
    for one in known:
        given = (f"{parameter.name}{'' if parameter.default is None else '?'}" for parameter in one.parameters)
        table.add_row(str(one.key), ", ".join(given), one.description)
    console(pipe_width=1000).print(table)


def show_one(template: "Template") -> None:
    """Its use, its parameters, and the SLO."""
    from controller.spec.yaml_text import write_document

    screen = console()
    screen.print(f"# {template.description}", style="bold", highlight=False)
    for one in template.parameters:
        default = "needed" if one.default is None else f"default {one.default}"
        screen.print(f"#   {one.name} ({default}): {one.description}", highlight=False, markup=False)
    needed = {one.name: "..." for one in template.parameters if one.default is None}
    use: dict[str, object] = {"name": template.key.name} | ({"arguments": needed} if needed else {})
    text = write_document({"slos": [{"name": template.key.name, "fromTemplate": use}]})
    screen.print(f"\n# use:\n{text}\n# is:\n{write_document(template.slo)}", highlight=False, markup=False)
