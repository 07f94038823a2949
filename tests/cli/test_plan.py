"""`plan`: what would happen, and what can be seen when."""

from pathlib import Path

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
    """One SLO with the whole budget: the planning constants themselves."""
    slo = quick("plan", MINIMAL, "-o", "json").json["slos"][0]
    assert slo["ledger_weight"] == 1.0
    assert {one["times"]: one["answers"] for one in slo["breaches"]} == {1.5: 752, 2.0: 210, 3.0: 74, 5.0: 32}
    at_half = slo["proof"][-1]
    assert at_half["times"] == 0.5
    assert 19 / 0.05 <= at_half["answers"] <= 31 / 0.05


def test_a_smaller_share_of_the_budget_needs_more_answers() -> None:
    slos = {one["name"]: one for one in quick("plan", FULL, "-o", "json").json["slos"]}
    assert slos["latency"]["breaches"][1]["answers"] > 210
    assert slos["harm"]["ledger_weight"] == pytest.approx(0.6)
    assert slos["cost"]["breaches"] == []


def test_traffic_tells_times() -> None:
    planned = quick("plan", FULL, "--traffic", "600/min", "--sampling", "10%", "-o", "json").json
    shadow, cohort, _, canary, full = planned["stages"]
    assert shadow["judged_per_minute"] == pytest.approx(12)
    assert shadow["shortest_seconds"] == pytest.approx(2000 / 12 * 60)
    assert cohort["judged_per_minute"] is None
    assert canary["proof_seconds"] > full["shortest_seconds"]
    assert planned["likely_seconds"] > planned["shortest_seconds"]
    seen = {one["slo"]: one["times"] for one in full["detects"]}
    assert seen == {"harm": 3.0, "hallucination": 1.5, "latency": 1.5}


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
