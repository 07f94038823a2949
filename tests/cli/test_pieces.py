"""Lines cut up at their braces: whatever is in them, they mean what the JSON parser says, and wrong ones stay wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cli import pieces
from controller.cli.counts import read_counts
from controller.cli.output import CommandError
from controller.cli.plan import read_rollout
from controller.decision.replay import Frame
from controller.domain.rollout import ModelRollout
from tests.cli.histories import a_spec

SCENARIOS = "scenarios: {label: hazard, baseline: none, required: [cse, ssh]}"
NAMES = ["cse", "ssh", "}, {", "},{", '"slo"', "a\\b", "{", "}", "ü", None]
OBJECTS = st.builds(
    lambda version, name, bad, total: {"slo": "harm", "version": version, "scenario": name, "bad": bad, "total": total},
    st.sampled_from(["v11", "v12", "v13"]),
    st.sampled_from(NAMES),
    st.sampled_from([0, 1, 2.5, -1, "1", None, True]) | st.integers(0, 3),
    st.integers(0, 3),
)
GOOD = st.builds(
    lambda version, name, bad, total: {"slo": "harm", "version": version, "scenario": name, "bad": bad, "total": total},
    st.sampled_from(["v11", "v12"]),
    st.sampled_from(NAMES),
    st.integers(0, 3),
    st.integers(0, 3),
)
TICKS = st.lists(st.tuples(st.integers(-1, 3), st.lists(GOOD | GOOD | OBJECTS, max_size=12)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def rollout(tmp_path_factory: pytest.TempPathFactory) -> ModelRollout:
    return read_rollout(a_spec(tmp_path_factory.mktemp("spec"), more=SCENARIOS), None)


def read(lines: list[str] | list[bytes], rollout: ModelRollout) -> list[Frame] | str:
    try:
        return read_counts(lines, rollout, "history")
    except CommandError as error:
        return str(error)


@given(TICKS, st.sampled_from([(", ", ": "), (",", ":")]), st.booleans(), st.booleans())
def test_a_line_means_what_the_parser_says(
    rollout: ModelRollout,
    ticks: list[tuple[int, list[dict[str, object]]]],
    style: tuple[str, str],
    plain: bool,
    coded: bool,
) -> None:
    """A space at the end is no usual style: such lines are all read by the parser."""
    minute, lines = 0, []
    for later, counts in ticks:
        minute += later
        at = f"2026-11-22T10:{minute % 60:02d}:00Z"
        text = json.dumps({"at": at, "counts": counts}, separators=style, ensure_ascii=not plain)
        lines += [text + "\r\n"]
    expected = read([line + " " for line in lines], rollout)
    assert read([line.encode() for line in lines] if coded else lines, rollout) == expected


@pytest.mark.parametrize(
    "line",
    [
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}, {ONE}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}, {TWO}], "counts": [{ONE}]}',
        '{"at": "2026-11-22T10:02:00Z", "more": [{}], "counts": [{ONE}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}], "more": [{}]}',
        '{"at": "2026-11-22T10:02:00Z", "at": "2026-11-22T10:01:30Z", "counts": [{ONE}]}',
        '{"at": "2026-11-22T10:02:00", "counts": [{ONE}]}',
        '{"at": "2026-11-22T10:00:00Z", "counts": [{ONE}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE},{TWO}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}, {TWO}, {}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}, {"slo": ["harm"]}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{"x": [{ONE}, {TWO}]}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE, "errors": [1}, {2]}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}]}]}',
        '{"at": "2026-11-22T10:02:00Z", "counts": [{ONE}]}\u2028',
    ],
)
def test_what_only_looks_usual(rollout: ModelRollout, line: str) -> None:
    """Told after lines that made every object in it known."""
    one, two = (
        f'"slo": "harm", "version": "{name}", "scenario": null, "bad": 1, "total": 9' for name in ("v11", "v12")
    )
    before = f'{{"at": "2026-11-22T10:01:00Z", "counts": [{{{one}}}, {{{two}}}]}}'
    line = line.replace("ONE", one).replace("TWO", two)
    found, expected = (read([before, line], rollout), read([before + " ", line + " "], rollout))
    assert found == expected


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, rollout: ModelRollout) -> None:
    monkeypatch.setattr(pieces, "REMEMBERED", 5)
    lines = [
        f'{{"at": "2026-11-22T{n // 60:02d}:{n % 60:02d}:00Z", "counts": '
        f'[{{"slo": "harm", "version": "v12", "scenario": null, "bad": 0, "total": {n}}}]}}'
        for n in range(0, 600, 7)
    ]
    assert [one.measured[0].total for one in read(lines, rollout) if isinstance(one, Frame)] == list(range(0, 600, 7))


def test_the_examples_of_the_documentation_are_in_a_usual_style() -> None:
    line = '{"at": "2026-11-22T10:00:00Z", "counts": [{"slo": "harm", "bad": 1}, {"slo": "tone", "bad": 0}]}'
    assert pieces.cut(line) == pieces.Pieces(
        "2026-11-22T10:00:00Z", ['"slo": "harm", "bad": 1', '"slo": "tone", "bad": 0']
    )
    assert pieces.cut(line.replace(": ", ":").replace(", ", ",")) is not None
    assert pieces.cut(b"\xff") is None
