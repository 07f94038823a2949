"""Our own `/metrics`: what operators alarm on, and nothing left of what is gone."""

from dataclasses import replace
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from controller.domain.names import RolloutKey, SloName
from controller.domain.slo import OnBreach
from controller.domain.state import Phase
from controller.domain.verdict import Between, Judgement, LedgerVerdict, StreamVerdict, Verdict
from controller.telemetry.exposition import Telemetry
from controller.testing.clock import ManualClock
from controller.testing.conformance.store_samples import START, a_position

KEY = RolloutKey("assistants", "support-bot")
OF_KEY = {"namespace": "assistants", "rollout": "support-bot"}
HARM = StreamVerdict(
    SloName("harm"),
    None,
    Verdict.INCONCLUSIVE,
    OnBreach.ROLLBACK,
    0.01,
    bad=3,
    total=240,
    between=Between(0.0, 0.03),
    log_e=1.5,
)
SLICE = replace(HARM, scenario="ssh", verdict=Verdict.BLIND)
JUDGED = Judgement((HARM, SLICE), (LedgerVerdict(OnBreach.ROLLBACK, 1.5, 3.0, False),))


def telemetry() -> Telemetry:
    return Telemetry(ManualClock(START), "0.1.0", "1")


def test_a_rollout_is_shown_with_its_weight_verdicts_and_ledger() -> None:
    mine = telemetry()
    mine.passed(KEY, a_position(10), JUDGED, 0.02)
    assert mine.value("tidegate_rollouts", {"phase": "Progressing"}) == 1
    assert mine.value("tidegate_candidate_weight_percent", {**OF_KEY, "kind": "live"}) == 10
    assert mine.value("tidegate_candidate_weight_verified", OF_KEY) == 1
    of_harm = {**OF_KEY, "slo": "harm", "scenario": ""}
    assert mine.value("tidegate_slo_verdict", {**of_harm, "verdict": "inconclusive"}) == 1
    assert mine.value("tidegate_slo_verdict", {**of_harm, "scenario": "ssh", "verdict": "blind"}) == 1
    assert mine.value("tidegate_slo_log_e", of_harm) == 1.5
    assert mine.value("tidegate_slo_bad", of_harm) == 3
    assert mine.value("tidegate_ledger_fill", {**OF_KEY, "action": "rollback"}) == 0.5
    assert mine.value("tidegate_tick_duration_seconds_count") == 1


def test_nothing_is_left_of_a_run_or_rollout_that_is_gone() -> None:
    mine = telemetry()
    mine.passed(KEY, a_position(10), JUDGED, 0.02)
    mine.passed(KEY, replace(a_position(0, Phase.ROLLED_BACK), traffic=None), JUDGED, 0.02)
    assert b"tidegate_slo_verdict{" not in mine.render()
    assert mine.value("tidegate_candidate_weight_percent", {**OF_KEY, "kind": "live"}) == 0
    mine.forgot(KEY)
    mine.forgot(KEY)
    assert b"support-bot" not in mine.render()


def test_a_rollout_about_which_nothing_is_known_breaks_no_page() -> None:
    mine = telemetry()
    mine.passed(KEY, replace(a_position(0, Phase.STALLED), run=None, traffic=None, stable=None), Judgement(), 0.0)
    assert mine.value("tidegate_rollouts", {"phase": "Stalled"}) == 1


def test_what_the_daemon_does_is_counted() -> None:
    mine = telemetry()
    mine.sampled("http://ana:s3cret@prometheus:9090", 4, 0.2, 1)
    mine.sampled("http://ana:s3cret@prometheus:9090", 3, 0.2, 0)
    mine.stored(True)
    mine.stored(False)
    mine.spooled(2)
    mine.late(-1)
    mine.alerts_pending(3)
    mine.alert_tried("slack", "retry")
    mine.decided("promoted")
    mine.sourced("rollouts", START - timedelta(seconds=30))
    server = {"server": "http://[masked]@prometheus:9090"}
    assert mine.value("tidegate_metric_queries_per_tick", server) == 3
    assert mine.value("tidegate_metric_queries_total", server) == 7
    assert mine.value("tidegate_metric_problems_total", server) == 1
    assert mine.value("tidegate_store_commit_failures_total") == 1
    assert mine.value("tidegate_spooled_decisions") == 2
    assert mine.value("tidegate_alerts_pending") == 3
    assert mine.value("tidegate_alert_deliveries_total", {"channel": "slack", "outcome": "retry"}) == 1
    assert mine.value("tidegate_source_age_seconds", {"source": "rollouts"}) == 30
    assert mine.value("tidegate_build_info", {"version": "0.1.0", "engine": "1"}) == 1
    assert b"s3cret" not in mine.render()


def test_the_page_can_be_parsed_and_every_name_is_ours() -> None:
    mine = telemetry()
    mine.passed(KEY, a_position(10), JUDGED, 0.02)
    families = list(text_string_to_metric_families(mine.render().decode()))
    assert len(families) > 15
    assert all(family.name.startswith("tidegate_") for family in families)
    assert all(family.documentation for family in families)


def test_two_daemons_in_one_process_have_a_page_each() -> None:
    one, other = telemetry(), telemetry()
    one.stored(True)
    assert other.value("tidegate_store_commits_total") == 0
