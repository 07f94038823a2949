"""Parts of the reference that are written from the code: one function per part, each returns Markdown."""

from collections.abc import Callable, Mapping

from docs.blocks import cli, metrics, phases, reasons, spec

BLOCKS: Mapping[str, Callable[[], str]] = {
    "spec": spec.fields,
    "not-built": spec.not_built,
    "commands": cli.commands,
    "environment": cli.environment,
    "phases": phases.all_phases,
    "transitions": phases.transitions,
    "reasons": reasons.all_reasons,
    "causes": reasons.causes,
    "metrics": metrics.all_metrics,
}
"""Name in a page's `<!-- generated: NAME -->` -> what stands there."""
