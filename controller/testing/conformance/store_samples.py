"""Records as a real pass writes them: a whole spec, a run in a canary stage, evidence of many streams and series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.domain.decision import Fact, Notice, Reason, Severity
from controller.domain.evidence import Evidence, SloEvidence, StreamEvidence, Tally
from controller.domain.measure import Measurement
from controller.domain.names import Digest, RolloutKey, RunId, SloName, VersionName
from controller.domain.record import Alert, TickRecord
from controller.domain.rollout import (
    Identity,
    MetricServer,
    ModelRollout,
    Provenance,
    Require,
    Stage,
    StageKind,
    Version,
)
from controller.domain.route import BackendRef, EnvoyRoute, Route
from controller.domain.slo import Matcher, RatioIndicator, Scenarios, Selector, Slo
from controller.domain.state import Phase, Position, Run, TrafficMark
from controller.domain.traffic import RequestCounts, Split

START = datetime(2026, 1, 5, 12, 0, 0, 250_001, tzinfo=UTC)
KEY = RolloutKey("assistants", "support-bot")
V11, V12 = VersionName("v11"), VersionName("v12")
DIGEST = Digest("sha256:9b3e")


def a_record(seq: int, key: RolloutKey = KEY, *, streams: int = 3, series: int = 5) -> TickRecord:
    """One tick of a run at 10 %; `streams` over all four SLOs are rounded up to whole SLOs."""
    at = START + seq * timedelta(seconds=15)
    per_slo = max(1, -(-streams // len(_SLOS)))
    return TickRecord(
        key=key,
        seq=seq,
        at=at,
        position=a_position(10),
        evidence=an_evidence(per_slo, series, ticks=seq),
        measurements=tuple(
            Measurement(slo, version, scenario, bad=0.1 * seq, total=25.0)
            for slo in _SLOS
            for version in (V11, V12)
            for scenario in _scenarios(per_slo)
        ),
        engine="1",
        run=RunId("support-bot-3"),
    )


def with_alert(record: TickRecord, dedupe: str) -> TickRecord:
    """The same with one alert."""
    return replace(record, alerts=(*record.alerts, Alert(dedupe, "page", "**ACT NOW:** look", "why", "", {"bad": 7})))


def with_notice(record: TickRecord, reason: Reason, actor: str | None = None) -> TickRecord:
    """The same with one journal line."""
    facts: dict[str, Fact] = {"weight": 10, "rate": 0.125, "stage": "canary-10", "scenario": None}
    return replace(record, notices=(*record.notices, Notice(reason, record.at, Severity.WARN, facts, actor)))


def a_position(weight: int, phase: Phase = Phase.PROGRESSING) -> Position:
    """v12 gets `weight` percent of the traffic of v11."""
    split = Split(V11, V12 if weight else None, weight)
    mark = TrafficMark(split, None, START, START, START, "epoch-1", {V12: RequestCounts(40, 7, 1)}, 47, START)
    return Position(phase, START, V11, a_run(), traffic=mark, runs=3, message="4,300 more judged answers")


def a_run() -> Run:
    """Number three, pinned to its whole spec and to a commit."""
    provenance = Provenance("rollouts/bot.yaml", 1, "4f1c9e2", "Ada <ada@example.org>", "support-bot: v12")
    return Run(RunId("support-bot-3"), 3, V11, V12, DIGEST, a_spec(), provenance, START, stage=1, stage_since=START)


def an_evidence(per_slo: int = 1, series: int = 0, ticks: int = 1) -> Evidence:
    """Four SLOs with `per_slo` streams each, and the memory of `series` counters."""
    labels = 'evaluation="harm",instance="10.0.0.{}:9100",job="judge",verdict="ok",version="v12"'
    return Evidence(
        digest=DIGEST,
        slos=tuple(
            SloEvidence(slo, "def-1", tuple(_stream(scenario, ticks) for scenario in _scenarios(per_slo)))
            for slo in _SLOS
        ),
        series={
            f"llm_eval_results_total{{{labels.format(n)}}}": (1.7e9 + 15 * ticks + n / 7, 1000.0 * n + ticks)
            for n in range(series)
        },
        measured_at=START,
    )


def a_spec(key: RolloutKey = KEY) -> ModelRollout:
    """Four SLOs, four stages."""
    return ModelRollout(
        key=key,
        version=V12,
        versions=tuple(
            Version(name, BackendRef("Host", "127.0.0.1", 8000), DIGEST, True, Identity("version", name))
            for name in (V11, V12)
        ),
        route=Route(EnvoyRoute("127.0.0.1:9901", "envoy", "127.0.0.1:8080")),
        metrics=MetricServer("prometheus", ("http://127.0.0.1:9090",)),
        slos=tuple(_slo(name) for name in _SLOS),
        stages=tuple(
            Stage(name, kind, timedelta(minutes=30), timedelta(hours=24), Require.NO_BREACH, weight, mirror)
            for name, kind, weight, mirror in (
                ("shadow", StageKind.SHADOW, 0, 20),
                ("canary-10", StageKind.CANARY, 10, 0),
                ("full", StageKind.FULL, 100, 0),
            )
        ),
        content_hash="c0ffee",
        run_hash="f00d",
        horizon=960,
    )


_SLOS = tuple(SloName(name) for name in ("harm", "hallucination", "latency", "refusals"))


def _scenarios(count: int) -> tuple[str | None, ...]:
    return (None, *(f"hazard-{n}" for n in range(1, count)))


def _stream(scenario: str | None, ticks: int) -> StreamEvidence:
    logs = tuple(-0.1 * n - ticks / 3 for n in range(6))
    return StreamEvidence(scenario, 0.1, 0.001, log_s=logs, ticks=ticks, all=Tally(ticks / 7, 25.0 * ticks))


def _slo(name: SloName) -> Slo:
    def counted(*verdicts: str) -> Selector:
        return Selector("llm_eval_results_total", (Matcher("evaluation", (name,)), Matcher("verdict", verdicts)))

    indicator = RatioIndicator(counted("bad"), counted("ok", "bad"), counted("error"))
    return Slo(name, indicator, "def-1", 0.25, max_bad=0.001, scenarios=Scenarios("hazard", "none", ("ssh",)))
