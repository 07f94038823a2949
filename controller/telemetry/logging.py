"""Sets structlog up, once: JSON lines in a pipe, colours on a terminal; other libraries' logs take the same way."""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from controller.telemetry.masking import mask_secrets

LogFormat = Literal["auto", "json", "console"]
CHATTY = ("apscheduler", "urllib3", "slack_sdk", "alembic", "sqlalchemy", "watchdog", "httpx", "asyncio")
"""Libraries whose debug and info lines hold URLs or say nothing to an operator."""


def set_up(level: str = "info", form: LogFormat = "auto", stream: TextIO | None = None) -> None:
    """From now on everything is logged to `stream` (default: standard error). Calling it again replaces the set-up.

    Raises ValueError for an unknown level.
    """
    numeric = logging.getLevelNamesMapping().get(level.upper())
    if numeric is None:
        raise ValueError(f"unknown log level `{level}`; known: debug, info, warning, error, critical")
    target = stream or sys.stderr
    json_lines = form == "json" or (form == "auto" and not target.isatty())
    shared = _shared(json_lines)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(shared, json_lines))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(numeric)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(numeric, logging.WARNING))


def _shared(json_lines: bool) -> list[Processor]:
    # The console renderer prints tracebacks itself, but then masking would come too early for them.
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at" if json_lines else "timestamp"),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]


def _formatter(shared: list[Processor], json_lines: bool) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if json_lines
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask_secrets, renderer],
    )
