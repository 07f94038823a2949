"""`backtest`: known values through the command, its line format to the letter, and bad input told all at once."""

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, quick, tidegate
from tests.cli.histories import START, Json, a_history, a_spec, counted, lines

CANDIDATE = ((0, 10), (1, 9), (3, 12), (2, 10), (0, 0), (4, 11), (1, 8), (2, 10), (3, 10), (2, 9))
STABLE = ((8, 190), (7, 185), (9, 192), (6, 188), (0, 0), (8, 190), (7, 191), (9, 187), (8, 190), (7, 189))
OBJECTIVE = (
    -0.205901520, -0.092876286, 0.389156304, 0.980613577, 0.980613577,
    2.251032602, 2.803046807, 3.812060014, 5.235535925, 6.408108407,
)  # fmt: skip
CHANGE = (
    -0.463850750, 0.812739915, 2.152086070, 3.141736307, 3.184036611,
    4.720507900, 5.342961100, 6.419609167, 7.894865336, 9.101227920,
)  # fmt: skip
RELATIVE = (
    -0.212272129, -0.098704174, 0.330125471, 0.943750492, 0.943750492,
    2.157591218, 2.721252250, 3.595762292, 4.952985843, 6.131758284,
)  # fmt: skip
ROOM = "0.01%"
"""A budget so small that no tick of the known ones ends the run."""
Ticks = list[list[Json]]


def known_ticks() -> Ticks:
    """The counts of the acceptance values."""
    arms = zip(CANDIDATE, STABLE, strict=True)
    return [[counted("harm", "v12", *mine), counted("harm", "v11", *theirs)] for mine, theirs in arms]


def judged(ran: Ran) -> list[Json]:
    """The lines of `--output json`."""
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def values(found: list[Json], against: str) -> list[float]:
    """log E of the pooled stream, tick by tick."""
    return [one["log_e"] for line in found for one in line["verdicts"] if one["against"] == against]


@pytest.mark.parametrize(("against", "expected"), [("objective", OBJECTIVE), ("change", CHANGE)])
def test_known_values(tmp_path: Path, against: str, expected: tuple[float, ...]) -> None:
    spec, counts = a_spec(tmp_path, budget=ROOM), a_history(tmp_path, known_ticks())
    found = judged(quick("backtest", spec, "--counts", counts, "--output", "json"))
    assert values(found, against) == pytest.approx(expected, abs=1e-8)


def test_known_values_of_the_comparison_with_stable(tmp_path: Path) -> None:
    """The guess of stable's rate begins at the objective: 4 %, as in the known values."""
    spec = a_spec(tmp_path, budget=ROOM, limit="4%", more="versusStable: {points: 1%}")
    ran = quick("backtest", spec, "--counts", a_history(tmp_path, known_ticks()), "--output", "json")
    assert values(judged(ran), "stable") == pytest.approx(RELATIVE, abs=1e-8)


def test_a_line_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    spec, counts = a_spec(tmp_path), a_history(tmp_path, known_ticks())
    found = judged(quick("backtest", spec, "--counts", counts, "--output", "json"))
    assert [list(line) for line in found] == [["at", "phase", "stage", "weight", "run_e", "verdicts"]] * 10
    fields = ["slo", "scenario", "against", "verdict", "e", "log_e", "rate", "lower", "upper", "bad", "total"]
    assert all(list(one) == fields for line in found for one in line["verdicts"])
    first, last = found[0], found[-1]
    assert (first["at"], first["phase"], first["stage"], first["weight"]) == (
        "2026-11-22T10:00:00Z", "Progressing", "canary", 10,
    )  # fmt: skip
    assert (last["phase"], last["stage"], last["weight"]) == ("RolledBack", "canary", 0)
    mine = first["verdicts"][0]
    assert (mine["rate"], mine["bad"], mine["total"], mine["lower"]) == (0.0, 0, 10, 0.0)
    assert first["run_e"] == pytest.approx(mine["e"])
    assert [line["phase"] for line in found] == ["Progressing"] * 7 + ["RolledBack"] * 3
    assert values(found, "objective")[-1] == pytest.approx(6.408108407, abs=1e-8)
    assert found[7]["run_e"] >= 20 > found[6]["run_e"]


def test_the_same_history_gives_the_same_bytes(tmp_path: Path) -> None:
    spec, counts = a_spec(tmp_path), a_history(tmp_path, known_ticks())
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    command = ("backtest", spec, "--counts", counts, "--output", "json", "--picture")
    outputs = [tidegate(*command, file, env={"PYTHONHASHSEED": str(n)}).out for n, file in enumerate(pictures)]
    assert outputs[0] == outputs[1] != ""
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = a_spec(tmp_path)
    from_file = quick("backtest", spec, "--counts", a_history(tmp_path, known_ticks()), "-o", "json").out
    text = "\n".join(lines(known_ticks())).encode()
    stdin = io.TextIOWrapper(io.BytesIO(text))
    monkeypatch.setattr("typer.get_binary_stream", lambda name: {"stdin": stdin.buffer}[name])
    assert quick("backtest", spec, "--counts", "-", "-o", "json").out == from_file


def test_every_bad_line_is_told(tmp_path: Path) -> None:
    good = lines(known_ticks())
    wrong = [
        "{",
        "[]",
        good[0].replace("Z", ""),
        good[0],
        good[2].replace('"v12"', '"v13"'),
        good[3].replace('"harm"', '"harms"'),
        good[4].replace('"bad": 0', '"bad": -1', 1),
        good[5].replace('"bad": 4', '"bad": NaN', 1),
        good[6].replace('"scenario": null', '"scenario": "ssh"'),
        good[7].replace('"v11"', '"v12"'),
        good[8].replace('"total"', '"of"', 1),
    ]
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join([good[1], "", *wrong, good[9]]))
    ran = quick("backtest", a_spec(tmp_path), "--counts", file, "--output", "json")
    assert (ran.code, ran.out) == (2, "")
    told = json.loads(ran.err)["error"].splitlines()
    assert [line.split(":")[1] for line in told] == [str(number) for number in range(3, 14)]
    for number, part in (
        (0, "not JSON"),
        (1, "`at` and `counts`"),
        (2, "with its zone"),
        (3, "is not after the tick before it"),
        (4, "no version 'v13'; known: v11, v12"),
        (5, "no SLO 'harms'; known: harm"),
        (6, "`bad` is -1"),
        (7, "`bad` is nan"),
        (8, "has no scenarios"),
        (9, "counted twice"),
        (10, "unknown: of"),
    ):
        assert part in told[number], told[number]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ((), "one of --counts, --prometheus and --journal"),
        (("--counts", "x", "--journal"), "one of --counts"),
        (("--counts", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
        (("--counts", "-", "--stable", "v9"), "no version v9; known: v11, v12"),
        (("--counts", "-", "--stable", "v12"), "nothing to roll out"),
        (("--prometheus", "yesterday"), "two instants"),
        (("--prometheus", "2026-11-22T10:00Z..2026-11-22T09:00Z"), "two instants"),
        (("--prometheus", "2026-11-22T10:00Z..2026-11-22T11:00Z", "--step", "fast"), "--step fast"),
        (("--journal", "--state-dir", "nowhere"), "no database at nowhere"),
    ],
)
def test_wrong_use(tmp_path: Path, options: tuple[str, ...], part: str) -> None:
    ran = quick("backtest", a_spec(tmp_path), *options)
    assert ran.code == 2
    assert part in ran.err


def test_an_empty_history_is_no_answer(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("\n\n")
    assert "no line in it" in quick("backtest", a_spec(tmp_path), "--counts", file).err


def test_text_tells_the_decisions_and_the_end(tmp_path: Path) -> None:
    ran = quick("backtest", a_spec(tmp_path), "--counts", a_history(tmp_path, known_ticks()))
    assert ran.code == 0
    for part in (
        "default/bot: v11 → v12, 10 ticks from 2026-11-22 10:00:00",
        "10:00:00  run began: v11 → v12",
        "stage canary entered: weight 10 %",
        "10:07:00  breach: harm: 13 of 70",
        "Rolled back (breach) at 2026-11-22 10:07:00 UTC, 8 min after the run began.",
    ):
        assert part in ran.out, ran.out


def test_an_undecided_history_says_so(tmp_path: Path) -> None:
    counts = a_history(tmp_path, [[counted("harm", "v12", 0, 5)]] * 5)
    ran = quick("backtest", a_spec(tmp_path), "--counts", counts)
    assert "Not decided: Progressing in stage canary; waiting for 25 min of minDuration" in ran.out.replace("\n", " ")


def test_the_picture_shows_rate_evidence_weight_and_decisions(tmp_path: Path) -> None:
    picture = tmp_path / "found.svg"
    counts = a_history(tmp_path, known_ticks())
    assert quick("backtest", a_spec(tmp_path), "--counts", counts, "--picture", picture).code == 0
    root = ET.parse(picture).getroot()
    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    wanted = (
        "harm: rate of bad answers",
        "objective 5 %",
        "evidence that it is bad",
        "rolls back at 20",
        "requests that",
    )
    for part in (*wanted, "stage canary entered", "rolled back"):
        assert any(part in text for text in texts), part
    assert "prefers-color-scheme:dark" in picture.read_text()
    assert "nan" not in picture.read_text().lower()


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    counts = a_history(tmp_path, known_ticks())
    ran = quick("backtest", a_spec(tmp_path), "--counts", counts, "--picture", tmp_path / "no" / "where.svg")
    assert ran.code == 1
    assert "cannot be written" in ran.err


def test_the_first_line_is_the_start(tmp_path: Path) -> None:
    """Whatever the time of day: history has no now."""
    text = [line.replace("2026-11-22T10", "1999-01-01T23") for line in lines(known_ticks())]
    file = tmp_path / "old.jsonl"
    file.write_text("\n".join(text))
    found = judged(quick("backtest", a_spec(tmp_path), "--counts", file, "-o", "json"))
    assert found[0]["at"] == "1999-01-01T23:00:00Z"
    assert START.year == 2026
