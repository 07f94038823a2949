"""The entry points: `tidegate`, `python -m controller`, and `kubectl tidegate`."""

import itertools
import json
import sys
from collections.abc import Sequence
from typing import TextIO

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None, name: str = "tidegate") -> None:
    """Run one command and exit with its code. `name` is how people called it."""
    from controller.cli.app import app

    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        _never_unprintable(stream)
    try:
        # Typer prints usage errors as text by itself; for JSON they come here.
        as_json = _asks_for_json(args)
        sys.exit(app(args, prog_name=name, standalone_mode=not as_json))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # typer's own click is private: known by its method, else raised again
        if not hasattr(error, "format_message"):
            raise
        print(json.dumps({"error": error.format_message(), "code": 2}, ensure_ascii=False), file=sys.stderr)
        sys.exit(2)


def kubectl(argv: Sequence[str] | None = None) -> None:
    """The plugin `kubectl tidegate`: the same commands, speaking to a cluster."""
    import typer

    from controller.cli.kubectl import prepared

    try:
        rest = prepared(list(sys.argv[1:] if argv is None else argv))
    except typer.Exit as end:
        sys.exit(end.exit_code)
    main(rest, "kubectl tidegate")


def _asks_for_json(args: Sequence[str]) -> bool:
    pairs = itertools.pairwise(args)
    return any(pair in (("--output", "json"), ("-o", "json")) for pair in pairs) or "--output=json" in args


def _never_unprintable(stream: TextIO) -> None:
    """A terminal without UTF-8 shows `?` rather than ending the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


if __name__ == "__main__":
    main()
