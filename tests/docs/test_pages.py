"""Links lead somewhere, the first page stays one page, and the pages speak of the project alone."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from controller.cli.app import app
from tests.docs.pages import ROOT, anchors, links, name_of, pages

PAGES = pytest.mark.parametrize("page", pages(), ids=name_of)
OUTSIDE = ("http://", "https://", "mailto:")


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in links(page) if not link.startswith(OUTSIDE) and not _leads_somewhere(page, link)]
    assert not broken


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target)


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set[Path](), [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            found = ((page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link)
            todo += [one for one in found if one.suffix == ".md" and one.exists()]
    assert {name_of(page) for page in pages()} - {name_of(page) for page in seen} <= {"CHANGELOG.md"}


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_readme_names_both_commands_and_shows_the_picture() -> None:
    text = (ROOT / "README.md").read_text()
    for wanted in ("make demo", "make test", "docs/images/rollback.svg"):
        assert wanted in text


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_decision_says_what_would_change_our_mind() -> None:
    for page in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        text = page.read_text()
        for part in ("## Context", "## Decision", "## Consequences", "## What would change our mind"):
            assert part in text, f"{page.name} has no {part!r}"


def test_every_command_is_in_the_changelog_or_the_reference() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert commands
    assert {name for name in commands if f"### `{name}`" not in text} == set()
