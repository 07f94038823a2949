"""The one place that names the `kubernetes` library: it has no types, and importing it takes half a second."""

import importlib
import logging
from typing import Any


def library(part: str) -> Any:
    """A module of it, such as `client` or `config`: loaded when first used, without types."""
    import kubernetes  # noqa: F401 - said aloud, so that import-linter sees through which door it comes

    return importlib.import_module(f"kubernetes.{part}")


def quiet() -> None:
    """It logs a stack trace for every lost connection; what matters reaches us as errors and is told once."""
    logging.getLogger("kubernetes.informer.informer").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
