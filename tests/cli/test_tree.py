"""The tree and the line: everything that matters is there, at 80 and at 120 columns."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from controller.cli.line import rollout_line, signature
from controller.cli.tree import rollout_tree
from tests.cli import views


def drawn(view: dict[str, object], width: int = 100) -> str:
    screen = Console(file=io.StringIO(), width=width, record=True, highlight=False)
    screen.print(rollout_tree(view))
    return screen.export_text()


@pytest.mark.parametrize("name", views.ALL)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_fits_the_width(name: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in drawn(views.ALL[name](), width).splitlines())


@pytest.mark.parametrize("name", views.ALL)
def test_no_column_is_cut_at_80(name: str) -> None:
    assert "…" not in drawn(views.ALL[name](), 80).replace("… not verified", "").replace("… not", "").replace(
        "0 … limit … 2×", ""
    )


def test_stages_have_marks() -> None:
    text = drawn(views.progressing())
    assert "✓ shadow" in text
    assert "▶ canary-25  12 min 5 s of at least 1 h, 0 of 1 approvals" in text
    assert "○ full" in text


def test_only_scenarios_with_something_to_tell() -> None:
    text = drawn(views.progressing())
    assert "└ ssh" in text
    assert "cse" not in text


def test_numbers_of_an_objective() -> None:
    row = next(line for line in drawn(views.progressing(), 120).splitlines() if "hallucination" in line)
    for part in ("5 %", "●", "31/1,480", "2.1 %", "1 % to 3.8 %", "1.9 %", "pass ✓"):
        assert part in row, (part, row)


def test_blind_says_why_once() -> None:
    text = drawn(views.blind())
    assert text.count("the newest judged answer of v12 is 11 min old") == 1
    assert "Held (blind)" in text


def test_a_rollback_tells_why_when_and_who_was_harmed() -> None:
    text = drawn(views.rolled_back(), 120)
    assert "harm/ssh: 9 of 312 judged answers were bad (2.9 %); the limit is 0.1 %; stable had 1 of 8,890" in text
    assert "first bad answer 12:00:00 → decided 12:00:31 (+31 s) → verified zero 12:00:31 (+0.8 s)" in text
    assert "users got 1,204 answers of it; of 120 judged, 4 were bad" in text
    assert "v12: 0 % wanted, 0 % counted by Envoy (0/9,000) ✓ verified" in text


def test_an_unverified_split_is_not_called_verified() -> None:
    text = drawn(views.shadowing())
    assert "20 % mirrored wanted, 20.1 % counted by Envoy (163/812) … not verified yet" in text
    assert "✓ verified" not in text


def test_promoted() -> None:
    text = drawn(views.completed())
    assert "v12 is stable, was v11" in text
    assert "v12: 100 % wanted, 100 % counted by Envoy (900/900)" in text


def test_text_from_outside_cannot_draw() -> None:
    view = views.progressing()
    view["problems"] = ["[bold red]x[/] :smile:"]
    assert "[bold red]x[/] :smile:" in drawn(view)


def test_a_line_is_one_line() -> None:
    for make in views.ALL.values():
        assert "\n" not in rollout_line(make())
    assert rollout_line(views.progressing()).startswith(
        "assistants/support-bot Progressing v11 → v12, stage canary-25 4/5 | v12: 25 % wanted, 24.9 % counted by Envoy"
    )


def test_counts_are_no_news_but_a_verdict_is() -> None:
    before, after = views.progressing(), views.progressing(counts=(4000, 1300, 0))
    assert signature(before) == signature(after)
    after["slos"][0]["verdict"] = "breach"
    assert signature(before) != signature(after)
