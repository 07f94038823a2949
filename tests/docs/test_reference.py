"""What the docs take from the code is current and complete."""

import json

import pytest

from controller.demo import rollout
from controller.domain.decision import Reason
from controller.domain.measure import BlindCause
from controller.domain.state import Cause, HeldCause
from docs import generate
from docs.blocks import BLOCKS, metrics, reasons, spec
from docs.images import make
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference"
HOW = "run `.venv/bin/python -m docs.generate`"


def test_everything_generated_is_current() -> None:
    assert [str(path.relative_to(ROOT)) for path, _ in generate.stale()] == [], HOW


def test_every_block_stands_on_a_page() -> None:
    pages = "".join(page.read_text() for page in generate.pages())
    assert [name for name in BLOCKS if f"<!-- generated: {name} -->" not in pages] == []


def test_a_mark_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        generate.filled("<!-- generated: nonsense -->\n<!-- end -->")


def test_every_reason_has_its_line() -> None:
    assert set(reasons.MEANINGS) == set(Reason)
    text = (REFERENCE / "reasons.md").read_text()
    assert [reason.value for reason in Reason if f"| `{reason.value}` |" not in text] == []


def test_every_cause_has_its_line() -> None:
    assert set(reasons.HELD) == set(HeldCause)
    assert set(reasons.ENDED) == set(Cause)
    assert set(reasons.SIGHT) == set(BlindCause)


def test_every_field_stands_in_exactly_one_table() -> None:
    paths = [path for path, *_ in spec.walk()]
    homeless = [path for path in paths if spec.home(path) == "" and path.count(".") > 0]
    assert homeless == []
    assert len(paths) > 80
    assert len(set(paths)) == len(paths)


def test_every_exported_metric_has_a_meaning_and_our_prefix() -> None:
    found = list(metrics.families())
    assert len(found) > 15
    assert [one.name for one in found if not one.name.startswith("tidegate_") or not one.documentation] == []


def test_the_demo_file_is_what_the_demo_runs() -> None:
    assert (ROOT / "rollouts" / "demo.yaml").read_text() == rollout.text("v12")


def test_the_picture_shows_a_rollback_of_a_real_run() -> None:
    captured = json.loads(make.CAPTURED.read_text())
    assert captured["canary"]["phase"] == "Progressing"
    assert captured["canary"]["run"]["kind"] == "canary"
    drawn = make.svg(captured)
    assert drawn == make.svg(captured)
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")
