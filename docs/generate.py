"""Writes what the docs take from the code, between the marks of each page, and the picture: `python -m docs.generate`.

With `--check` nothing is written: it says which files are not current, and exits with 1.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.blocks import BLOCKS
from docs.images import make

DOCS = Path(__file__).resolve().parent
MARKED = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def pages() -> Iterator[Path]:
    """Every page."""
    yield from sorted(DOCS.rglob("*.md"))


def filled(text: str) -> str:
    """The page with every marked part written anew. Raises KeyError for a mark that nobody knows."""
    return MARKED.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n\n{found[4]}", text)


def files() -> Iterator[tuple[Path, str, str]]:
    """Path, what it holds, what it should hold."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        yield page, text, filled(text)
    drawn = make.svg(json.loads(make.CAPTURED.read_text(encoding="utf-8")))
    yield make.PICTURE, make.PICTURE.read_text(encoding="utf-8"), drawn


def stale() -> list[tuple[Path, str]]:
    """The files that are not current, and what they should hold."""
    return [(path, wanted) for path, held, wanted in files() if held != wanted]


def main(arguments: list[str]) -> int:
    """The exit code."""
    found = stale()
    if "--check" in arguments:
        for path, _ in found:
            print(f"{path} is not current: run `python -m docs.generate`", file=sys.stderr)
        return 1 if found else 0
    for path, text in found:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
