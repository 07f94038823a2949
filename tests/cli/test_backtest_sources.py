"""`backtest` from a real Prometheus, and from what a daemon's database kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.decision.replay import Frame, Replay
from controller.domain.decision import Notice, Reason
from controller.domain.measure import BlindCause, Blindness, Measurement
from controller.domain.names import RolloutKey, RunId, SloName, VersionName
from controller.domain.record import TickRecord
from controller.domain.rollout import ModelRollout
from controller.runtime.clock import SystemClock
from controller.spec.parse import parse_text
from controller.store.store import SqlStore, open_store
from tests.cli.conftest import quick
from tests.cli.histories import MINUTE, START, Json, a_history, a_spec, counted
from tests.metrics.rigs import rig_of
from tests.parts.metrics_page import MetricsPage
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job

CLOCK = SystemClock()
CANDIDATE = ((1, 10), (0, 9), (3, 12), (2, 10), (4, 11), (3, 8))


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Server, MetricsPage]]:
    with MetricsPage() as page, a_prometheus([scrape_job("page", [page.target])]) as server:
        yield server, page


def a_page(bad: int, ok: int) -> str:
    """Counters of both versions; stable answers as often, and never badly."""
    rows = (("v12", "bad", bad), ("v12", "ok", ok), ("v11", "bad", 0), ("v11", "ok", ok))
    return "".join(f'llm_eval_results_total{{version="{v}",verdict="{k}"}} {n}\n' for v, k, n in rows)


@pytest.mark.xdist_group("prometheus")
def test_raw_samples_of_a_real_server_are_counted_as_they_are_live(
    parts: tuple[Server, MetricsPage], tmp_path: Path
) -> None:
    server, page = parts
    rig, bad, ok = rig_of(server, page), 100, 1000
    rig.publish(a_page(bad, ok))
    began = CLOCK.now()
    for k, n in CANDIDATE:
        bad, ok = bad + k, ok + n - k
        rig.publish(a_page(bad, ok))
    ended = CLOCK.now() + timedelta(seconds=2)
    wait_until(lambda: CLOCK.now() > ended, 10, "the last scrape")
    spec = a_spec(tmp_path, url=server.url, interval="1s")
    span = f"{began.isoformat()}..{ended.isoformat()}"
    ran = quick("backtest", spec, "--prometheus", span, "--output", "json")
    assert ran.code == 0, ran.err
    found = [json.loads(line) for line in ran.out.splitlines()]
    last = next(one for one in found[-1]["verdicts"] if one["against"] == "objective")
    ended_early = found[-1]["phase"] == "RolledBack"
    assert ended_early
    assert last["verdict"] == "breach"
    assert 0 < last["bad"] <= sum(k for k, _ in CANDIDATE)
    assert last["total"] <= sum(n for _, n in CANDIDATE)
    calm = a_spec(tmp_path, url=server.url, interval="1s", budget="0.0001%")
    whole = quick("backtest", calm, "--prometheus", span, "--output", "json").out.splitlines()
    verdict = json.loads(whole[-1])["verdicts"][0]
    assert (verdict["bad"], verdict["total"]) == tuple(sum(column) for column in zip(*CANDIDATE, strict=True))
    assert len(whole) == int((ended - began).total_seconds()) + 1


def test_a_server_that_does_not_answer_is_an_error_and_not_blindness(tmp_path: Path) -> None:
    spec = a_spec(tmp_path, url="http://127.0.0.1:1")
    ran = quick("backtest", spec, "--prometheus", "2026-11-22T10:00Z..2026-11-22T11:00Z")
    assert ran.code == 1
    assert "the history cannot be read" in ran.err
    assert "127.0.0.1:1" in ran.err


def the_rollout(spec: Path) -> ModelRollout:
    found, problems = parse_text(spec.read_text(), str(spec))
    assert not problems
    return found[0][0]


def kept(store: SqlStore, rollout: ModelRollout, ticks: list[Frame], number: int, seq: int) -> int:
    """Commit a run's ticks as a daemon does; the number of the last commit."""
    world = Replay(rollout, VersionName("v11"), ticks[0].at - rollout.interval)
    for place, frame in enumerate(ticks):
        step = world.feed(frame)
        facts = {"stable": "v11", "candidate": "v12", "run": f"bot-{number}"}
        notices = (Notice(Reason.RUN_STARTED, frame.at, facts=facts),) if place == 0 else ()
        record = TickRecord(
            RolloutKey("default", "bot"), seq + 1, frame.at, step.position, step.evidence, frame.measured, notices,
            run=RunId(f"bot-{number}"),
        )  # fmt: skip
        store.commit(record)
        seq += 1
    return seq


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A daemon's folder that remembers two runs, the second with a blind tick."""
    rollout = the_rollout(a_spec(tmp_path))
    first = [Frame(START + n * MINUTE, (measured(*one),)) for n, one in enumerate(CANDIDATE)]
    blind = replace(measured(0, 0), ticks=0, blind=Blindness(BlindCause.QUERY_FAILED, "no answer"))
    second = [Frame(START + timedelta(days=1) + n * MINUTE, (measured(0, 20),)) for n in range(5)]
    second[2] = replace(second[2], measured=(blind,))
    with open_store(f"sqlite:///{tmp_path}/tidegate.db") as store:
        kept(store, rollout, second, 2, kept(store, rollout, first, 1, 0))
    return tmp_path


def measured(bad: float, total: float) -> Measurement:
    return Measurement(SloName("harm"), VersionName("v12"), None, float(bad), float(total))


def lines_of(state_dir: Path, *options: str) -> list[Json]:
    ran = quick("backtest", state_dir / "bot.yaml", "--journal", "--state-dir", state_dir, "-o", "json", *options)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def test_a_kept_run_is_judged_as_its_counts_are(state_dir: Path, tmp_path: Path) -> None:
    counts = a_history(tmp_path, [[counted("harm", "v12", *one)] for one in CANDIDATE])
    from_counts = quick("backtest", a_spec(tmp_path), "--counts", counts, "-o", "json")
    assert lines_of(state_dir, "--run", "bot-1") == [json.loads(line) for line in from_counts.out.splitlines()]


def test_the_last_run_is_taken_and_what_was_blind_stays_blind(state_dir: Path) -> None:
    found = lines_of(state_dir)
    assert found[0]["at"].startswith("2026-11-23T10:00:00")
    assert [line["phase"] for line in found] == ["Progressing", "Progressing", "Held", "Progressing", "Progressing"]
    assert found[2]["verdicts"][0]["verdict"] == "blind"
    assert found[-1]["verdicts"][0]["total"] == 80


def test_another_file_for_a_kept_run(state_dir: Path) -> None:
    """What would a looser limit have done?"""
    assert lines_of(state_dir, "--run", "bot-1")[-1]["phase"] == "RolledBack"
    a_spec(state_dir, limit="60%")
    assert lines_of(state_dir, "--run", "bot-1")[-1]["phase"] == "Progressing"


def test_an_unknown_run_is_told_with_the_known_ones(state_dir: Path) -> None:
    ran = quick("backtest", state_dir / "bot.yaml", "--journal", "--state-dir", state_dir, "--run", "bot-9")
    assert ran.code == 2
    assert "default/bot has no run bot-9; known: bot-1, bot-2" in ran.err


def test_a_run_of_versions_that_the_file_does_not_list(state_dir: Path) -> None:
    spec = state_dir / "bot.yaml"
    spec.write_text(spec.read_text().replace("v12", "v13"))
    ran = quick("backtest", spec, "--journal", "--state-dir", state_dir)
    assert ran.code == 2
    assert "the run was of v12, which the file does not list; known: v11, v13" in ran.err
