"""The engine's numbers, to the last bit: what is made faster must say the same, in its lines and in what is stored."""

import hashlib
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.analysis.judge import ENGINE
from controller.cli.backtest_told import line_of
from controller.cli.counts import read_counts
from controller.cli.plan import read_rollout
from controller.decision.replay import replay
from controller.domain.names import VersionName
from tests.cli.histories import Json, a_spec, counted, lines

SCENARIOS = "scenarios: {label: hazard, baseline: none, required: [cse, ssh]ZERO}"
Rates = Callable[[int, str | None], float]


def calm(_: int, __: str | None) -> float:
    """Well below the objective."""
    return 0.01


def late(tick: int, scenario: str | None) -> float:
    """One slice turns after three hours."""
    return 0.25 if scenario == "ssh" and tick > 180 else 0.01


def drifting(tick: int, _: str | None) -> float:
    """Stable worsens by and by, beyond the objective."""
    return 0.01 + tick * 0.0004


CASES: dict[str, tuple[dict[str, str], Rates, Rates]] = {
    "pooled": ({"budget": "1%"}, drifting, calm),
    "scenarios": ({"more": SCENARIOS.replace("ZERO", "")}, calm, calm),
    "late breach": ({"more": SCENARIOS.replace("ZERO", "")}, late, calm),
    "beside stable": ({"more": "versusStable: {points: 1%}"}, drifting, calm),
    "drift": ({"more": "versusStable: {points: 1%}"}, drifting, drifting),
    "zero tolerance": ({"more": SCENARIOS.replace("ZERO", ", zeroTolerance: [cse]")}, calm, calm),
}


def history(mine: Rates, theirs: Rates, sliced: bool) -> Iterator[list[Json]]:
    """Five hours of random counts; now and then a verdict comes before its answer, and some ticks have none."""
    draw = random.Random(11)
    for tick in range(300):
        counts = []
        for version, rates, many in (("v12", mine, 8), ("v11", theirs, 40)):
            whole = [0, 0]
            for scenario in ("cse", "ssh", None) if sliced else (None,):
                total = draw.randrange(many) if tick % 7 else 0
                bad = sum(draw.random() < rates(tick, scenario) for _ in range(total)) + (tick % 50 == 49)
                whole = [whole[0] + bad, whole[1] + total]
                told = whole if scenario is None else [bad, total]
                counts.append(counted("harm", version, told[0], told[1], scenario))
        yield counts


def mathematics() -> str:
    """The last bits of this machine's exp and log: another library has others, and then the engine has too."""
    draw = random.Random(12)
    values = [draw.uniform(-30, 3) for _ in range(2000)]
    found = [(math.exp(one), math.log1p(math.exp(one)), math.log(abs(one))) for one in values]
    return hashlib.sha256(repr(found).encode()).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_the_same_to_the_last_bit(tmp_path: Path, name: str) -> None:
    """Where other bits are wanted, `ENGINE` gets a new name and these are written down again."""
    known = json.loads((Path(__file__).parent / "backtest_bytes.json").read_text())
    if mathematics() != known["mathematics"]:
        pytest.skip("exp and log of this machine differ in their last bits from those of the written numbers")
    parts, mine, theirs = CASES[name]
    rollout = read_rollout(a_spec(tmp_path, **parts), None)
    text = lines(history(mine, theirs, "scenarios" in parts.get("more", "")))
    found = hashlib.sha256()
    for step in replay(rollout, VersionName("v11"), read_counts(text, rollout, "history")):
        found.update(json.dumps(line_of(step)).encode())
        assert step.evidence is not None
        streams = [one for slo in step.evidence.slos for one in slo.streams]
        found.update(json.dumps([(s.log_s, s.reserve, s.change, s.peak, s.surplus) for s in streams]).encode())
    assert (ENGINE, found.hexdigest()) == (known["engine"], known[name])
