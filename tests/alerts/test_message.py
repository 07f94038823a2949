"""What people read: the first line says whether to get up, the next one why, in counts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.alerts.message import alert_for, store_unavailable
from controller.alerts.sentences import bad_answers_served
from controller.alerts.wording import command, count, duration, one_line, percent
from controller.domain.decision import Notice, Reason, Severity
from controller.domain.names import RolloutKey, RunId, SloName
from controller.domain.rollout import BlindAction, BlindPolicy, Mode, StageKind, Startup
from controller.domain.route import GatewayApiRoute, Route
from controller.domain.slo import LatencyIndicator, Threshold
from controller.domain.state import Breach, Cause, HeldCause, Phase, Position
from controller.testing.conformance.store_samples import START, a_position, a_run
from tests.alerts.scenes import HARM, KEY, alert, held, rolled_back

JARGON = ("e-value", "E-LIN", "log_e", "p-value", "martingale", "confidence", "ledger", "alpha")


def test_a_verified_rollback_lets_people_sleep() -> None:
    told = alert(rolled_back(), Reason.ROLLBACK_VERIFIED, Severity.PAGE, streams_in_flight=2)
    assert told.title == "**No action needed.** support-bot v12 → v11, 100 % on v11, verified."
    why, when, harm, streams, origin, again, commands = told.body.split("\n\n")
    assert why == (
        "6 of 240 judged answers of v12 were harmful (2.5 %); the limit is 1 %; stable v11 had 1 of 900 (0.11 %)."
    )
    assert when == (
        "First bad answer at 2026-01-05 12:00:00 UTC, numbers that show it at 12:00:40 (40 s later), decision at "
        "12:00:41 (1 s later), verified that v12 gets no traffic at 12:00:43 (2 s later)."
    )
    assert harm == "Users got about 58 bad answers, of 2,310 of v12."
    assert streams == "2 answers of v12 that had begun were allowed to finish."
    assert "commit 4f1c9e2 by Ada <ada@example.org>: “support-bot: v12”" in origin
    assert again == "v12 is not tried again until somebody asks for it."
    assert commands == "`tidegate explain support-bot`\n`tidegate retry support-bot --reason '…'`"
    assert told.facts["bad"] == 6
    assert told.facts["commit"] == "4f1c9e2"


def test_an_unverified_rollback_wakes_people_whatever_the_notice_says() -> None:
    position = replace(a_position(0, Phase.ROLLING_BACK), breach=replace(HARM, verified_at=None))
    assert position.traffic is not None
    position = replace(position, traffic=replace(position.traffic, applied_at=START + timedelta(seconds=30)))
    told = alert(position, Reason.NOT_VERIFIED, Severity.WARN, why="Envoy's admin does not answer")
    assert told.title == ("**ACT NOW:** rollback not confirmed: support-bot v12 may still get traffic after 30 s.")
    assert told.severity == "page"
    assert "Envoy's admin does not answer." in told.body
    assert "`tidegate route support-bot --stable`" in told.body
    assert "6 of 240" in told.body


def test_a_rise_that_is_not_verified_is_no_emergency() -> None:
    told = alert(a_position(10), Reason.NOT_VERIFIED)
    assert told.title.startswith("**Act today:** support-bot: the traffic of v12 is not as it should be")
    assert told.severity == "warn"


def test_mirrored_answers_reached_nobody() -> None:
    shadow = rolled_back(replace(HARM, exposed=0, live_bad=0, live_total=0), exposed=0)
    told = alert(shadow, Reason.ROLLBACK_VERIFIED)
    assert "No user got an answer of v12 (500 mirrored requests)." in told.body
    assert bad_answers_served(shadow.run, shadow.breach) == 0.0


def on_an_http_route(position: Position, stage: int) -> Position:
    """The same run behind a gateway that counts no requests, in stage 0 (shadow) or a later one."""
    assert position.run is not None
    route = Route(GatewayApiRoute("default", "support-bot"))
    return replace(position, run=replace(position.run, stage=stage, spec=replace(position.run.spec, route=route)))


def test_what_nobody_counted_is_not_claimed() -> None:
    position = on_an_http_route(rolled_back(replace(HARM, exposed=0), exposed=0), stage=1)
    told = alert(position, Reason.ROLLBACK_VERIFIED)
    assert "HTTPRoute default/support-bot does not count how many answers of v12 users got." in told.body
    assert "Of 120 that were judged, 3 were bad." in told.body
    assert "No user got" not in told.body
    assert "exposed_requests" not in told.facts
    assert bad_answers_served(position.run, position.breach) is None


def test_a_shadow_reaches_nobody_where_nothing_is_counted_either() -> None:
    position = on_an_http_route(rolled_back(replace(HARM, exposed=0, live_bad=0, live_total=0), exposed=0), stage=0)
    assert position.run is not None
    shadow = replace(position.run.spec.stages[0], kind=StageKind.SHADOW)
    spec = replace(position.run.spec, stages=(shadow, *position.run.spec.stages[1:]))
    position = replace(position, run=replace(position.run, spec=spec))
    assert "No user got an answer of v12" in alert(position, Reason.ROLLBACK_VERIFIED).body


def test_counts_exactly_when_every_answer_was_judged() -> None:
    told = alert(rolled_back(replace(HARM, exposed=120), exposed=120), Reason.ROLLBACK_VERIFIED)
    assert "Users got 3 bad answers, of 120 of v12." in told.body


def test_guesses_from_all_judged_answers_when_no_live_one_was_judged() -> None:
    position = rolled_back(replace(HARM, live_bad=0, live_total=0))
    assert bad_answers_served(position.run, position.breach) == pytest.approx(57.75)
    assert bad_answers_served(None, position.breach) is None


def test_latency_and_values_are_told_in_their_own_words() -> None:
    run = a_run()
    slow = replace(run.spec.slos[0], name=SloName("latency"), indicator=LatencyIndicator("e2e", 5.0))
    cost = replace(slow, name=SloName("cost"), max_bad=None, threshold=Threshold(0.02, None, 3))
    position = rolled_back(replace(HARM, slo="latency", scenario="long"))
    position = replace(position, run=replace(run, spec=replace(run.spec, slos=(slow, cost))))
    assert (
        "6 of 240 requests of v12 took longer than 5 s in scenario long (2.5 %)"
        in alert(position, Reason.ROLLBACK_VERIFIED).body
    )
    value = Breach(Cause.BREACH, slo="cost", value=0.031)
    assert (
        "cost of v12 was 0.031, outside of its limit 3 times in a row; the limit is 0.02."
        in alert(replace(position, breach=value), Reason.ROLLBACK_VERIFIED).body
    )


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.BREACH])
def test_every_other_cause_has_its_sentence(cause: Cause) -> None:
    told = alert(rolled_back(Breach(cause, actor="ana", detail="looks odd.")), Reason.ROLLBACK_VERIFIED)
    assert told.body.split("\n\n")[0].endswith(": looks odd.")


def test_observe_mode_says_what_would_have_been_done_and_claims_no_more() -> None:
    run = a_run()
    position = replace(rolled_back(), run=replace(run, spec=replace(run.spec, mode=Mode.OBSERVE)))
    told = alert(position, Reason.WOULD_ROLL_BACK)
    assert told.title == (
        "**Act today:** support-bot: would have rolled back v12 → v11; observe mode, no traffic was moved."
    )
    assert "6 of 240 judged answers" in told.body
    assert alert_for(position, Notice(Reason.ROLLBACK_VERIFIED, START, Severity.PAGE), KEY) is None
    assert "would have promoted v12" in alert(position, Reason.PROMOTED, Severity.INFO).title


def test_a_promotion_and_a_start_are_news_and_a_stage_is_not() -> None:
    position = a_position(10)
    assert alert(position, Reason.PROMOTED, Severity.INFO).title == (
        "**No action needed.** support-bot: v12 serves 100 %, verified."
    )
    assert "began" in alert(position, Reason.RUN_STARTED, Severity.INFO).title
    assert alert_for(position, Notice(Reason.STAGE_ENTERED, START, Severity.INFO), KEY) is None
    assert alert_for(position, Notice(Reason.PROMOTED, START, Severity.QUIET), KEY) is None


@pytest.mark.parametrize("cause", list(HeldCause))
def test_every_hold_says_what_to_do(cause: HeldCause) -> None:
    told = alert(held(cause), Reason.HELD)
    assert told.title.startswith("**Act today:** support-bot: ")
    assert "For a reason." in told.body or "for a reason." in told.body
    assert "`tidegate explain support-bot`" in told.body


def test_a_hold_by_an_objective_tells_its_numbers() -> None:
    numbers: dict[str, Any] = {
        "slo": "harm",
        "bad": 9.0,
        "total": 100.0,
        "objective": 0.05,
        "stable_bad": 0.0,
        "stable_total": 50.0,
    }
    told = alert(held(HeldCause.BREACH), Reason.HELD, **numbers)
    assert (
        "9 of 100 judged answers of v12 were harmful (9 %); the limit is 5 %; stable v11 had 0 of 50 (0 %)."
        in told.body
    )
    assert "at stage canary-10 (10 % of requests)" in told.body


def test_a_model_that_does_not_load_is_not_called_bad() -> None:
    run = a_run()
    versions = tuple(replace(v, startup=Startup("/health", timedelta(minutes=45))) for v in run.spec.versions)
    position = replace(
        held(HeldCause.DEADLINE), run=replace(run, ready=False, spec=replace(run.spec, versions=versions))
    )
    told = alert(position, Reason.HELD)
    assert "v12 did not load within 45 min; v11 serves everything." in told.title
    assert "127.0.0.1:8000/health" in told.body


def test_one_blind_metric_server_is_one_alert_for_all_its_rollouts() -> None:
    facts: dict[str, Any] = {"slo": "harm", "cause": "query_failed", "why": "http://127.0.0.1:9090 answered 500"}
    one = alert(held(HeldCause.BLIND), Reason.BLIND, **facts)
    position = replace(held(HeldCause.BLIND), run=replace(a_run(), id=RunId("other-1")))
    other = alert(position, Reason.BLIND, key=RolloutKey("default", "other"), **facts)
    assert one.dedupe == other.dedupe
    assert "Every rollout that reads http://127.0.0.1:9090 has the same trouble" in one.body
    lonely = alert(position, Reason.BLIND, slo="harm", cause="absent", why="no series")
    assert lonely.dedupe.startswith("default/support-bot:other-1:")


def test_somebody_else_at_the_route_is_told_with_what_was_found() -> None:
    facts: dict[str, Any] = {"found": "v11 80 %, v12 20 %", "wanted": "v11 90 %, v12 10 %"}
    changed = alert(held(HeldCause.EXTERNAL), Reason.EXTERNAL_CHANGE, **facts)
    assert "Found: v11 80 %, v12 20 %; wanted: v11 90 %, v12 10 %." in changed.body
    assert changed.dedupe == alert(held(HeldCause.EXTERNAL), Reason.HELD).dedupe, "one event, one alert"
    assert "is putting it back" in alert(a_position(10), Reason.DRIFT_CORRECTED, **facts).title
    share = alert(a_position(10), Reason.SHARE_REJECTED, Severity.PAGE, weight=10, share=31.2)
    assert "It should get 10 % and got 31.2 % of the requests." in share.body


def test_a_password_in_a_servers_url_is_not_told() -> None:
    run = a_run()
    server = replace(run.spec.metrics, urls=("http://u:s3cret@127.0.0.1:9090",))
    position = replace(held(HeldCause.BLIND), run=replace(run, spec=replace(run.spec, metrics=server)))
    assert "s3cret" not in repr(alert(position, Reason.WITHDRAWN, slo="harm", cause="query_failed"))


def test_blind_says_what_happens_next() -> None:
    assert "After 5 min without sight it is withdrawn." in alert(held(HeldCause.BLIND), Reason.BLIND).body
    run = a_run()
    kept = replace(run, spec=replace(run.spec, on_blind=BlindPolicy(timedelta(minutes=5), BlindAction.HOLD)))
    assert "held with the traffic it has" in alert(replace(held(HeldCause.BLIND), run=kept), Reason.BLIND).body
    shadow = replace(held(HeldCause.BLIND, weight=0), run=replace(run, stage=0))
    assert "No user gets an answer of the candidate now." in alert(shadow, Reason.BLIND).body


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("severity", [Severity.WARN, Severity.PAGE])
def test_every_notice_can_be_told_with_nothing_known(reason: Reason, severity: Severity) -> None:
    """An alert that fails to be written is an alert that nobody gets."""
    bare = replace(a_position(0, Phase.STALLED), run=None, traffic=None, stable=None, message="")
    for position in (bare, a_position(10), rolled_back(), held(HeldCause.REVIEW)):
        told = alert_for(position, Notice(reason, START, severity), KEY)
        if told is None:
            assert reason in (Reason.BREACHED, Reason.ROLLBACK_STARTED, Reason.ABORTED)
            continue
        assert told.title.startswith(("**No action needed.**", "**Act today:**", "**ACT NOW:**"))
        assert "\n" not in told.title
        assert "support-bot" in told.title + told.body
        assert not [word for word in JARGON if word in told.title + told.body]


def test_never_tells_the_text_of_an_answer() -> None:
    facts: dict[str, Any] = {"prompt": "SECRET-A", "completion": "SECRET-B", "text": "SECRET-C", "content": "SECRET-D"}
    told = alert(rolled_back(), Reason.ROLLBACK_VERIFIED, **facts)
    assert "SECRET" not in repr(told)


def test_two_holds_of_one_run_are_two_alerts_and_one_hold_is_one() -> None:
    first = held(HeldCause.DEADLINE)
    again = replace(first, since=START + timedelta(hours=1))
    assert alert(first, Reason.HELD).dedupe == alert(first, Reason.HELD).dedupe
    assert alert(first, Reason.HELD).dedupe != alert(again, Reason.HELD).dedupe


def test_a_database_that_is_gone_is_told_without_it() -> None:
    told = store_unavailable(START, "disk full at /var/lib/tidegate")
    assert told.title.startswith("**Act today:**")
    assert "disk full" in told.body
    assert told.dedupe == store_unavailable(START + timedelta(minutes=5), "still").dedupe


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.025, "2.5 %"), (0.01, "1 %"), (1 / 900, "0.11 %"), (1, "100 %"), (0, "0 %"), (0.123, "12.3 %"), (0.05, "5 %")],
)
def test_rates_read_as_people_write_them(rate: float, text: str) -> None:
    assert percent(rate) == text


def test_durations_counts_and_commands() -> None:
    spans = [0.4, 4, 380, 10200, 273600, -3, 3605, 59.9, 3600]
    assert [duration(timedelta(seconds=s)) for s in spans] == [
        "0.4 s", "4 s", "6 min 20 s", "2 h 50 min", "3 d 4 h", "0 s", "1 h", "1 min", "1 h",
    ]  # fmt: skip
    assert count(1942) == "1,942"
    assert command("get", RolloutKey("a", "b; rm -rf")) == "`tidegate get 'a/b; rm -rf'`"
    assert one_line("\n first line that is long\nsecond", 10) == "first lin…"
