"""Charts: round axes, values beyond the ends at the ends, breaks, and words that cannot break the file."""

import re
import xml.etree.ElementTree as ET

import pytest

from controller.cli.svg import Across, Band, Level, Line, Mark, Panel, draw, ticks

ACROSS = Across(0.0, 10.0, [(0.0, "start"), (5.0, "half")], "minutes")
TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.mark.parametrize(
    ("ends", "log", "expected"),
    [
        ((0.0, 1.0), False, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((0.0, 0.0025), False, [0.0, 0.0005, 0.001, 0.0015, 0.002, 0.0025]),
        ((3.0, 11.0), False, [4.0, 6.0, 8.0, 10.0]),
        ((0.1, 1000.0), True, [0.1, 1.0, 10.0, 100.0, 1000.0]),
        ((1e-3, 1e9), True, [1e-3, 1.0, 1e3, 1e6, 1e9]),
    ],
)
def test_ticks_are_round(ends: tuple[float, float], log: bool, expected: list[float]) -> None:
    assert ticks(*ends, log) == pytest.approx(expected)


def test_values_beyond_the_ends_stand_at_the_ends() -> None:
    panel = Panel("E", 0.1, 1000.0, log=True)
    assert [panel.share(value) for value in (0.0, 0.1, 10.0, 1e300)] == pytest.approx([0.0, 0.0, 0.5, 1.0])


def test_a_break_makes_two_curves_and_a_step_has_corners() -> None:
    line = Line("rate", [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 1.0), (4.0, 1.0)])
    steps = Line("weight", [(0.0, 0.0), (5.0, 10.0)], 1, step=True)
    text = draw("t", ACROSS, [Panel("p", 0.0, 10.0, [line, steps])])
    runs = [found.split() for found in re.findall(r'polyline points="([^"]+)"', text)]
    assert [len(run) for run in runs] == [2, 2, 3]
    assert runs[2][1].split(",")[1] == runs[2][0].split(",")[1]


def test_everything_is_named_and_words_are_escaped() -> None:
    panel = Panel(
        "a < b", 0.0, 1.0, [Line("so & so", [(0.0, 0.5)])], [Band("maybe", [(0.0, 0.2, 0.8)])], [Level(0.5, "limit")]
    )
    text = draw('"quoted"', ACROSS, [panel], [Mark(1.0, "first"), Mark(1.0, "second <b>", "bad")])
    found = [one.text for one in ET.fromstring(text).iter(TEXT)]
    for word in ('"quoted"', "a < b", "so & so", "maybe", "limit", "first", "second <b>", "start", "half", "minutes"):
        assert word in found
    circles = re.findall(r'<circle cx="([0-9.]+)"', text)
    assert float(circles[1]) - float(circles[0]) >= 16
