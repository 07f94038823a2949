"""Every command, from the application itself: what `--help` says, as Markdown."""

import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main

from controller.cli.app import app
from docs.blocks.markdown import code, table

WORDS = {str: "text", bool: "", int: "number", float: "number", Path: "path"}


def commands() -> str:
    """One section per command."""
    root = typer.main.get_command(app)
    return "\n\n".join(_command(one) for one in root.commands.values())  # type: ignore[attr-defined]  # a group


def _command(one: Any) -> str:
    arguments = [p for p in one.params if not _is_option(p)]
    usage = " ".join(["tidegate", one.name, *(_metavar(p) for p in arguments), "[OPTIONS]"])
    rows = [_row(p) for p in one.params if not p.hidden]
    examples = [line.strip() for line in (one.epilog or "").splitlines() if line.strip().startswith("tidegate")]
    parts = [f"### `{one.name}`", one.help.strip(), f"    {usage}", table(("", "what", "default"), rows)]
    if examples:
        parts.append("Examples:\n\n" + "\n".join(f"    {line}" for line in examples))
    return "\n\n".join(parts)


def _is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _row(parameter: Any) -> tuple[str, str, str]:
    if not _is_option(parameter):
        return code(_metavar(parameter)), parameter.help or "", ""
    name = ", ".join(code(option) for option in parameter.opts)
    kind = parameter.metavar or _kind(parameter.type_descriptor.annotation)
    return f"{name} {kind}".strip(), parameter.help or "", "required" if parameter.required else _default(parameter)


def _kind(annotation: Any) -> str:
    inner = [one for one in typing.get_args(annotation) if one is not type(None)]
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(str(one) for one in inner)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(str(one.value) for one in annotation)
    return WORDS.get(annotation, _kind(inner[0]) if inner else "text")


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or value is False or value == "":
        return ""
    return code(str(value.value if isinstance(value, Enum) else value))


def environment() -> str:
    """Every variable, the option that it stands for, and who reads it."""
    found: dict[str, tuple[Any, list[str]]] = {}
    for command, parameter in _options():
        if parameter.envvar:
            found.setdefault(parameter.envvar, (parameter, []))[1].append(command)
    rows = (
        (code(name), code(option.opts[0]), option.help, _default(option), _readers(readers))
        for name, (option, readers) in found.items()
    )
    return table(("variable", "option", "meaning", "default", "read by"), rows)


def _options() -> Iterator[tuple[str, Any]]:
    root = typer.main.get_command(app)
    for command in root.commands.values():  # type: ignore[attr-defined]  # a group
        yield from ((command.name, parameter) for parameter in command.params)


def _readers(names: list[str]) -> str:
    return ", ".join(code(name) for name in names) if len(names) < 5 else "every command that asks the daemon"
