"""`simulate`: a bad version is rolled back, a good one promoted, the same seed gives the same answer."""

import math
from pathlib import Path
from random import Random
from statistics import fmean, pvariance

import pytest

from controller.cli.chance import poisson, quantile, wilson
from controller.cli.simulating import World, run_once
from controller.domain.names import SloName, VersionName
from controller.spec.parse import parse_text
from tests.cli.conftest import quick, tidegate
from tests.cli.histories import Json, a_spec

HARM = SloName("harm")


def found(spec: Path, *options: str) -> Json:
    ran = quick("simulate", spec, "--traffic", "600/min", "--runs", "7", "--output", "json", *options)
    assert ran.code == 0, ran.err
    told: Json = ran.json
    return told


def test_a_bad_version_is_rolled_back_early(tmp_path: Path) -> None:
    told = found(a_spec(tmp_path), "--rate", "harm=15%")
    rollback = told["outcomes"]["rollback"]
    assert (rollback["runs"], rollback["probability"], rollback["upper"]) == (7, 1.0, 1.0)
    assert 0.6 < rollback["lower"] < 0.8
    assert rollback["seconds"]["median"] <= 600
    assert [one["slo"] for one in told["rollbacks_by_slo"]] == ["harm"]
    # 60 answers a minute of which 15 % are bad, until the median delay and a little longer.
    assert 0 < told["rollbacks_by_slo"][0]["bad_answers"]["mean"] <= rollback["seconds"]["q90"] / 60 * 9 * 2


def test_a_good_version_is_promoted(tmp_path: Path) -> None:
    told = found(a_spec(tmp_path), "--rate", "harm=1%")
    assert told["outcomes"]["promotion"]["probability"] == 1.0
    assert told["outcomes"]["promotion"]["seconds"]["median"] >= 3600
    assert told["rollbacks_by_slo"] == []


def test_what_cannot_be_proven_is_held(tmp_path: Path) -> None:
    spec = a_spec(tmp_path)
    spec.write_text(spec.read_text().replace("minDuration: 30m}", "minDuration: 30m, maxDuration: 40m}", 1))
    told = quick("simulate", spec, "--traffic", "1/min", "--runs", "3", "-o", "json").json
    assert told["outcomes"]["hold"]["runs"] == 3
    assert told["outcomes"]["hold"]["stages"] == {"canary": 3}


def test_only_what_users_got_is_counted_as_exposed(tmp_path: Path) -> None:
    """A mirrored answer is seen by nobody; one that was not judged is seen all the same."""
    spec = a_spec(tmp_path)
    spec.write_text(spec.read_text().replace("canary: {weight: 10}", "shadow: {percent: 10, sideEffects: none}", 1))
    assert found(spec, "--rate", "harm=20%")["outcomes"]["rollback"]["bad_answers"]["harm"]["mean"] == 0
    one, all_ = (
        found(a_spec(tmp_path), "--rate", "harm=15%", "--sampling", share)["outcomes"]["rollback"]
        for share in ("10%", "100%")
    )
    assert one["bad_answers"]["harm"]["mean"] > 2 * all_["bad_answers"]["harm"]["mean"]


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(tmp_path: Path) -> None:
    command = ("simulate", a_spec(tmp_path), "--traffic", "600/min", "--rate", "harm=9%", "-o", "json")
    many = tidegate(*command, "--runs", "18")
    assert many.code == 0, many.err
    assert tidegate(*command, "--runs", "18", env={"PYTHONHASHSEED": "7"}).out == many.out
    assert quick(*command, "--runs", "18", "--seed", "2").out != many.out
    (parsed,), _ = parse_text(a_spec(tmp_path).read_text(), "bot.yaml")
    world = World(parsed[0], VersionName("v11"), 600.0, 1.0, {HARM: 0.09}, {HARM: 0.025})
    alone = [run_once(world, f"1/{number}") for number in range(18)]
    assert sum(one.what == "rollback" for one in alone) == many.json["outcomes"]["rollback"]["runs"]


def test_text(tmp_path: Path) -> None:
    ran = quick("simulate", a_spec(tmp_path), "--traffic", "600/min", "--runs", "3", "--rate", "harm=15%")
    assert ran.code == 0
    for part in ("default/bot: v11 → v12", "3 runs, seed 1", "harm 15 %", "rollback", "by harm", "100 %"):
        assert part in ran.out, ran.out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--rate", "harms=1%"), "no SLO with a rate named harms; known: harm"),
        (("--rate", "harm=lots"), "no percentage"),
        (("--rate", "harm=101%"), "no percentage"),
        (("--stable-rate", "harm"), "no percentage"),
        (("--cohort", "x"), "no percentage"),
        (("--sampling", "0%"), "--sampling 0%"),
        (("--stable", "v9"), "no version v9"),
        (("--traffic", "0/min"), "--traffic 0/min"),
    ],
)
def test_wrong_use(tmp_path: Path, options: tuple[str, ...], part: str) -> None:
    ran = quick("simulate", a_spec(tmp_path), "--traffic", "10/min", *options)
    assert ran.code == 2
    assert part in ran.err


@pytest.mark.parametrize("mean", [0.0, 0.3, 7.0, 29.9, 31.0, 400.0])
def test_poisson_numbers_have_the_mean_and_variance_of_poisson_numbers(mean: float) -> None:
    chance, many = Random(1), 4000
    numbers = [poisson(chance, mean) for _ in range(many)]
    assert fmean(numbers) == pytest.approx(mean, abs=5 * math.sqrt(mean / many) + 1e-12)
    assert pvariance(numbers) == pytest.approx(mean, rel=0.12)


def test_wilson_and_quantiles() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 500) == pytest.approx((0.0, 0.00762), abs=1e-5)
    assert quantile([], 0.5) is None
    assert [quantile([4, 1, 3, 2], share) for share in (0.5, 0.9, 1.0)] == [2, 4, 4]
