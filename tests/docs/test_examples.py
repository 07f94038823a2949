"""Every example of a rollout is one that `lint` accepts: whole files, whole documents in pages, and parts of a spec."""

from pathlib import Path

import pytest
import yaml

from controller.domain.rollout import ModelRollout
from controller.spec.parse import parse_bytes
from controller.spec.schema import SpecBlock
from tests.docs.pages import ROOT, Block, blocks

FIELDS = {field.alias for field in SpecBlock.model_fields.values()}
MINIMAL = ROOT / "rollouts" / "minimal.yaml"


@pytest.mark.parametrize("file", sorted((ROOT / "rollouts").glob("*.y*ml")), ids=lambda file: file.name)
def test_files_parse(file: Path) -> None:
    assert rollouts_of(file.read_text(), file.name)


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if "kind: ModelRollout" in one.text], ids=str)
def test_documents_in_pages_parse(block: Block) -> None:
    assert rollouts_of(block.text, str(block))


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if "kind: SLOTemplate" in one.text], ids=str)
def test_templates_in_pages_can_be_used(block: Block) -> None:
    (parsed,) = parse_bytes(block.text.encode(), str(block))
    assert [str(problem) for problem in parsed.problems] == []
    assert parsed.template is not None


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if "\nkind: " not in one.text], ids=str)
def test_parts_of_a_spec_parse(block: Block) -> None:
    part = yaml.safe_load(block.text)
    if not set(part) <= FIELDS:
        assert "resources" in block.text, f"{block} is no part of a rollout: say what it is"
        return
    document = yaml.safe_load(next(one.text for one in blocks("yaml") if one.page == "README.md"))
    document["spec"].update(part)
    assert rollouts_of(yaml.safe_dump(document), str(block))


def test_the_readme_s_file_is_the_least() -> None:
    block = next(one for one in blocks("yaml") if one.page == "README.md")
    assert set(yaml.safe_load(block.text)["spec"]) == set(yaml.safe_load(MINIMAL.read_text())["spec"])


def test_json_in_pages_is_json() -> None:
    for block in blocks("json"):
        assert isinstance(yaml.safe_load(block.text), dict), str(block)


def test_the_message_that_a_page_quotes_is_the_one_that_lint_gives() -> None:
    page = next(one for one in blocks("text") if one.page == "docs/how-to/watch-a-folder.md")
    good = (ROOT / "rollouts" / "support-bot.yaml").read_text()
    broken = good.replace("objective: {max: 0.1%}", "objective: {max: 120%}").encode()
    problems = [str(problem) for one in parse_bytes(broken, "rollouts/support-bot.yaml") for problem in one.problems]
    assert problems == page.text.splitlines()


def rollouts_of(text: str, name: str) -> list[ModelRollout]:
    """The rollouts in `text`; fails with every problem found."""
    parsed = parse_bytes(text.encode(), name)
    assert [str(problem) for one in parsed for problem in one.problems] == []
    return [one.rollout for one in parsed if one.rollout is not None]
