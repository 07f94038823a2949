"""Whatever is written into a file, the answer is rollouts and problems, never an exception."""

import copy
from typing import Any
from unittest.mock import patch

import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.rollout import StageKind
from controller.spec import unbuilt
from controller.spec.parse import parse_bytes, parse_text
from tests.spec.test_evidence_fields import FIELDS
from tests.spec.texts import FULL, MINIMAL, edited

EVERYTHING = edited(FULL, *(edit for name, edit in FIELDS.items() if "calibration" not in name))

SPLICES = st.sampled_from(
    [
        *[
            "",
            "\t",
            ":",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "&a",
            "*a",
            "<<: *a",
            "!!x ",
            "'",
            '"',
            "|\n",
            "---\n",
            "...\n",
            "%",
        ],
        *["null", "~", "{{version}}", "0", "-1", ".nan", "1e999", "é", "\x00", "\ufeff", "100%", "0s", "? ", "#", "\n"],
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["0%", "100%", "5%", "1h", "0s", "99999999d", "v11", "v12", "{{version}}", "full", "hold", "*", "/"]
    ),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [{}]),
    st.builds(lambda: {"name": 1}),
)


@given(st.data(), st.sampled_from([MINIMAL, FULL]), st.integers(1, 4))
def test_torn_text_is_told_not_raised(data: st.DataObject, text: str, edits: int) -> None:
    for _ in range(edits):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(SPLICES) + text[end:]
    _answers(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_told_not_raised(data: bytes) -> None:
    for parsed in parse_bytes(data, "a.yaml"):
        assert parsed.problems
        assert all(str(problem) for problem in parsed.problems)


@given(st.data(), st.sampled_from([MINIMAL, FULL]), st.integers(1, 4))
def test_changed_values_are_told_not_raised(data: st.DataObject, text: str, edits: int) -> None:
    tree: Any = copy.deepcopy(yaml.safe_load(text))
    for _ in range(edits):
        _mutate(data, tree)
    _answers(yaml.safe_dump(tree, allow_unicode=True))


@given(st.data(), st.integers(1, 4))
def test_fields_that_are_not_built_yet_are_read_as_carefully(data: st.DataObject, edits: int) -> None:
    tree: Any = copy.deepcopy(yaml.safe_load(EVERYTHING))
    for _ in range(edits):
        _mutate(data, tree)
    with patch.object(unbuilt, "UNBUILT", {}):
        _answers(yaml.safe_dump(tree, allow_unicode=True))


def _mutate(data: st.DataObject, tree: Any) -> None:
    """Walk down at random, then drop, replace or double what is there."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        inner = tree[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.integers(0, 5)) == 0:
            break
        tree = inner
    action = data.draw(st.sampled_from(["drop", "replace", "double", "rename"]))
    if action == "drop":
        del tree[key]
    elif action == "replace":
        tree[key] = data.draw(LEAVES)
    elif isinstance(tree, list):
        tree.append(copy.deepcopy(tree[key]))
    elif action == "rename":
        tree[str(key)[:-1] + "x"] = tree.pop(key)
    else:
        tree[data.draw(st.text(max_size=5))] = copy.deepcopy(tree[key])


def _answers(text: str) -> None:
    rollouts, problems = parse_text(text, "a.yaml")
    last = text.count("\n") + 1
    for problem in problems:
        assert 0 <= problem.line <= last
        assert problem.message
        assert "pydantic" not in str(problem)
    for rollout, _ in rollouts:
        assert rollout.find(rollout.version) is not None
        assert rollout.stages[-1].kind is StageKind.FULL
        assert rollout.horizon >= 1
        for action in ("rollback", "hold"):
            weights = [slo.weight for slo in rollout.slos if slo.on_breach == action and slo.max_bad is not None]
            assert not weights or abs(sum(weights) - 1) < 1e-9
            assert all(weight > 0 for weight in weights)
