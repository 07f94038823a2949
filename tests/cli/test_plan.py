"""`plan`: what would happen, and what can be seen when."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import quick, tidegate

ROLLOUTS = Path(__file__).parents[2] / "rollouts"
FULL, MINIMAL = ROLLOUTS / "support-bot.yaml", ROLLOUTS / "minimal.yaml"


def test_stages_in_order_with_their_traffic() -> None:
    stages = quick("plan", FULL, "-o", "json").json["stages"]
    assert [(one["name"], one["kind"], one["weight"], one["mirror"]) for one in stages] == [
        ("shadow", "shadow", 0, 20),
        ("employees", "cohort", 0, 0),
        ("canary-1", "canary", 1, 0),
        ("canary-25", "canary", 25, 0),
        ("full", "full", 100, 0),
    ]
    assert [one["require"] for one in stages] == ["noBreach", "noBreach", "noBreach", "proven", "noBreach"]
    assert stages[3]["approvals"] == 1
    assert stages[0]["judged_per_minute"] is None


def test_answers_until_a_breach_is_seen() -> None:
    """One SLO with the whole budget: the table of the reference itself, median and nine of ten."""
    slo = quick("plan", MINIMAL, "-o", "json").json["slos"][0]
    assert slo["ledger_weight"] == 1.0
    (pooled,) = slo["streams"]
    assert pooled["share"] == pytest.approx(1.0)
    found = {one["times"]: (one["median"], one["nine_of_ten"]) for one in pooled["breaches"]}
    table = {1.5: (37.6, 82.9), 2.0: (10.2, 23.5), 3.0: (3.4, 7.4), 5.0: (1.6, 2.8)}
    for times, (median, late) in table.items():
        assert found[times] == (pytest.approx(median / 0.05, abs=1), pytest.approx(late / 0.05, abs=1))
    clean, half = slo["proof"]
    assert (clean["times"], clean["median"]) == (0.0, 100)
    assert (half["times"], half["median"], half["nine_of_ten"]) == (0.5, 372, 868)


def test_a_stream_needs_evidence_in_inverse_of_its_weight() -> None:
    """Harm has 60 % of the ledger: a tenth of it is kept, half of the rest is the pooled stream's, half the slice's."""
    slos = {one["name"]: one for one in quick("plan", FULL, "-o", "json").json["slos"]}
    pooled, ssh = slos["harm"]["streams"]
    assert (pooled["scenario"], ssh["scenario"]) == (None, "ssh")
    assert pooled["share"] == pytest.approx(ssh["share"]) == pytest.approx(0.27)
    assert slos["harm"]["ledger_weight"] == pytest.approx(0.6)
    latency = slos["latency"]["streams"][0]
    assert latency["share"] == pytest.approx(0.2)
    assert latency["breaches"][1]["median"] > 10.2 / 0.05
    assert slos["cost"]["streams"] == []


def test_traffic_tells_times() -> None:
    planned = quick("plan", FULL, "--traffic", "600/min", "--sampling", "10%", "-o", "json").json
    shadow, cohort, _, canary, full = planned["stages"]
    assert shadow["judged_per_minute"] == pytest.approx(12)
    assert shadow["shortest_seconds"] == pytest.approx(2000 / 12 * 60)
    assert (cohort["judged_per_minute"], cohort["outlook"]) == (None, [])
    assert canary["proof_seconds"] > full["shortest_seconds"]
    assert planned["likely_seconds"] > planned["shortest_seconds"]
    seen = {one["slo"]: [b["times"] for b in one["breaches"] if b["seen"]] for one in full["outlook"]}
    assert seen == {"harm": [3.0, 5.0], "hallucination": [1.5, 2.0, 3.0, 5.0], "latency": [1.5, 2.0, 3.0, 5.0]}


def outlook(*args: str, stage: int, slo: str, scenario: str | None = None) -> dict[str, Any]:
    stages = quick("plan", FULL, *args, "-o", "json").json["stages"]
    return next(one for one in stages[stage]["outlook"] if (one["slo"], one["scenario"]) == (slo, scenario))


def test_users_see_bad_answers_in_live_stages_only() -> None:
    traffic = ("--traffic", "600/min", "--sampling", "10%")
    shadow, canary = (outlook(*traffic, stage=at, slo="harm")["breaches"][2] for at in (0, 3))
    assert shadow["median"]["answers"] == canary["median"]["answers"]
    assert shadow["median"]["bad_served"] == 0
    judged_bad = canary["median"]["answers"] * 3 * 0.001
    assert canary["median"]["bad_served"] == pytest.approx(judged_bad / 0.1, rel=0.01), "of ten bad ones, one is judged"
    assert canary["nine_of_ten"]["seconds"] > canary["median"]["seconds"]


def test_latency_is_measured_on_every_request() -> None:
    traffic = ("--traffic", "600/min", "--sampling", "10%")
    assert outlook(*traffic, stage=3, slo="latency")["judged_per_minute"] == pytest.approx(150)
    assert outlook(*traffic, stage=3, slo="hallucination")["judged_per_minute"] == pytest.approx(15)


def test_a_proof_counts_the_shadow() -> None:
    traffic = ("--traffic", "600/min", "--sampling", "10%")
    clean, half = outlook(*traffic, stage=3, slo="harm")["proof"]
    before = 2000 + 600 * 0.1 * 0.01 * 30
    assert half["median"]["answers"] == pytest.approx(20.3 / 0.001 - before, abs=2)
    assert clean["median"]["seconds"] < half["median"]["seconds"]
    assert outlook(*traffic, stage=3, slo="harm", scenario="ssh")["proof"] == []


def test_what_cannot_be_decided_is_a_warning() -> None:
    """A tenth of a percent at one answer a minute."""
    told = quick("plan", FULL, "--traffic", "1/min", "-o", "json").json["warnings"]
    assert "harm at 0.1 % cannot be decided" in told[0]
    assert "choose a limit that can be seen" in told[0]
    assert any("stage shadow: minSamples takes about" in text for text in told)
    assert not any("cannot be decided" in text for text in quick("plan", FULL, "-o", "json").json["warnings"])


def test_a_shadow_that_stops_before_its_samples_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "few.yaml"
    file.write_text(FULL.read_text().replace("maxRequests: 50000", "maxRequests: 5000"))
    told = quick("plan", file, "--traffic", "600/min", "--sampling", "10%", "-o", "json").json["warnings"]
    assert any("stage shadow: maxRequests allows about 500 judged answers" in text for text in told)


def test_the_text_fits_a_terminal() -> None:
    for traffic in ((), ("--traffic", "600/min", "--sampling", "10%")):
        lines = tidegate("plan", FULL, *traffic).out.splitlines()
        tables = [line for line in lines if "  " in line.strip()]
        assert tables
        assert max(map(len, tables)) <= 100
    assert "half there" in tidegate("plan", FULL, "--traffic", "6000/min").out


def test_a_proof_that_never_comes_is_a_warning() -> None:
    planned = quick("plan", FULL, "--traffic", "60/min", "--sampling", "10%", "-o", "json").json
    assert any("stage canary-25: a proof takes longer" in text for text in planned["warnings"])


@pytest.mark.parametrize(("given", "per_minute"), [("600/min", 600), ("10/s", 600), ("36000/h", 600), ("600", 600)])
def test_units_of_traffic(given: str, per_minute: float) -> None:
    assert quick("plan", FULL, "--traffic", given, "-o", "json").json["traffic"]["per_minute"] == pytest.approx(
        per_minute
    )


@pytest.mark.parametrize(
    "wrong", [("--traffic", "many"), ("--traffic", "6/week"), ("--sampling", "0%"), ("--sampling", "x")]
)
def test_wrong_numbers(wrong: tuple[str, str]) -> None:
    ran = quick("plan", FULL, *wrong)
    assert ran.code == 2
    assert wrong[0] in ran.err


def test_text_says_everything() -> None:
    ran = tidegate("plan", FULL, "--traffic", "600/min", env={"COLUMNS": "200"})
    for part in (
        "canary-25",
        "25 % of live requests",
        "1 approval",
        "shortest:",
        "starts a new run",
        "Taken up at once",
    ):
        assert part in ran.out, part


def test_a_broken_file_is_told_like_lint(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(MINIMAL.read_text().replace("version: v2 ", "version: v9 "))
    ran = quick("plan", file)
    assert ran.code == 2
    assert f"{file}:" in ran.err


def test_several_rollouts_need_a_name(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    text = MINIMAL.read_text()
    file.write_text(f"{text}---\n{text.replace('name: minimal', 'name: other')}")
    assert "default/minimal, default/other" in quick("plan", file).err
    assert quick("plan", file, "other", "-o", "json").json["name"] == "default/other"
