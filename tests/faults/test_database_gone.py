"""The database file was deleted while the daemon was down: nobody knows of a run, and the candidate has traffic."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import time

import pytest

from controller.domain.measure import FamilyAsk
from controller.domain.rollout import MetricServer
from controller.domain.state import Phase
from controller.metrics.prometheus import Prometheus
from controller.testing.clock import ManualClock
from controller.testing.conformance.metrics import newest
from controller.traffic.breakglass import stable_of
from tests.faults.parts import Judge
from tests.faults.rig import KEY, Bench, Ground, a_bench, served
from tests.faults.spec import Options
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job

EARLIER = 1800


def forget(bench: Bench) -> None:
    """End, and delete all state; what Envoy has, and the record beside it, stay."""
    bench.close()
    shutil.rmtree(bench.ground.state_dir)


def told(bench: Bench, reason: str) -> dict[str, object]:
    return next(dict(entry.facts) for entry in bench.journal() if entry.reason == reason)


def budgets(bench: Bench) -> set[float]:
    held = bench.house.book.all()[0]
    assert held.evidence is not None
    return {stream.budget for slo in held.evidence.slos for stream in slo.streams}


def test_the_candidate_is_taken_off_at_once_and_starts_again(ground: Ground, canary: Bench) -> None:
    assert canary.exposed()
    forget(canary)
    with a_bench(ground, canary.clock) as again:
        again.look()
        again.settle()
        assert told(again, "adopted")["stable"] == "v11"
        assert set(ground.send(20)) == {"v11"}
        assert any("The record beside the route says that v11 is stable" in text for text in again_alerts(again))
        again.until(Phase.PROGRESSING, "canary")
        assert budgets(again) == {0.5}


def again_alerts(bench: Bench) -> list[str]:
    bench.house.deliverer.deliver_due()
    return bench.ground.alerts()


def test_in_full_the_candidate_is_not_taken_for_stable(ground: Ground, canary: Bench) -> None:
    canary.until(Phase.PROGRESSING, "full")
    assert set(ground.send(20)) == {"v12"}
    forget(canary)
    with a_bench(ground, canary.clock) as again:
        again.look()
        again.settle()
        assert again.position.stable == "v11"
        assert set(ground.send(20)) == {"v11"}


def test_what_was_promoted_stays_stable(ground: Ground, canary: Bench) -> None:
    canary.until(Phase.COMPLETED)
    canary.settle()
    assert stable_of(str(ground.envoy_dir), KEY) == "v12"
    forget(canary)
    with a_bench(ground, canary.clock) as again:
        again.look()
        again.settle()
        assert (again.position.stable, again.position.phase) == ("v12", Phase.IDLE)
        assert set(ground.send(20)) == {"v12"}


def test_a_route_that_somebody_else_made_is_left_alone(ground: Ground, canary: Bench) -> None:
    ground.edit_route({"v11": 30, "v12": 70})
    forget(canary)
    (ground.envoy_dir / "tidegate.faults.support-bot.json").unlink(missing_ok=True)
    for record in ground.envoy_dir.glob("tidegate.*.json"):
        record.unlink()
    with a_bench(ground, canary.clock) as again:
        again.look()
        assert again.position.phase is Phase.STALLED
        assert "what is stable?" in again.position.message


@dataclass(frozen=True, slots=True)
class Asking(Options):
    """The same rollout, measured by a Prometheus."""

    server: str = ""

    def text(self) -> str:
        return Options.text(self).replace(f'scrape: {{urls: ["{self.page}"]', f'prometheus: {{url: "{self.server}"')


class Stamped(Judge):
    """Its counts carry the time of the bench's clock."""

    clock: ManualClock | None = None

    @property
    def stamp(self) -> int:
        return round(self.clock.now().timestamp() * 1000) if self.clock else 0

    def text(self) -> str:
        lines = [line if line.startswith("#") else f"{line} {self.stamp}" for line in super().text().splitlines()]
        return "\n".join([*lines, f"stamp {self.stamp} {self.stamp}"]) + "\n"


class Scraped(Bench):
    """A bench that waits in each tick until the server has what the judge said."""

    def answer(self) -> None:
        super().answer()
        judge, server = self.ground.judge, self.ground.options
        assert isinstance(judge, Stamped)
        assert isinstance(server, Asking)
        judge.write()
        wanted = float(judge.stamp)
        provider = Prometheus(MetricServer("prometheus", (server.server,), timedelta(seconds=5)))

        def there() -> bool:
            return newest(provider.fetch([FamilyAsk("stamp")], self.clock.now()).families["stamp"]) == {(): wanted}

        wait_until(there, 20, "the judge's counts in Prometheus")


@pytest.fixture
def server(ground: Ground) -> Iterator[Server]:
    often = {"scrape_interval": "100ms", "scrape_timeout": "100ms"}
    with a_prometheus([scrape_job("page", [ground.page.target], **often)]) as started:
        yield started


@pytest.fixture
def scraped(ground: Ground, server: Server) -> Iterator[Scraped]:
    """v12 is in its canary stage, with some bad answers."""
    clock = ManualClock(datetime.fromtimestamp(int(time()) - EARLIER, UTC))
    judge = Stamped(ground.page)
    judge.clock = clock
    ground.judge = judge
    known = {name: getattr(ground.options, name) for name in Options.__dataclass_fields__}
    ground.options = Asking(**known, server=server.url)
    ground.want("v11")
    bench = Scraped(ground, clock)
    served(ground, bench)
    bench.bad = 0.01
    ground.want("v12")
    bench.until(Phase.PROGRESSING, "canary")
    yield bench
    bench.close()


def counted(bench: Bench) -> tuple[float, float]:
    held = bench.house.book.all()[0]
    assert held.evidence is not None
    tally = held.evidence.slos[0].streams[0].all
    return tally.bad, tally.total


@pytest.mark.xdist_group("prometheus")
def test_the_evidence_comes_out_of_the_servers_history(ground: Ground, scraped: Scraped) -> None:
    for _ in range(2):
        scraped.tick()
    before = counted(scraped)
    assert before[0] > 0
    forget(scraped)
    again = Scraped(ground, scraped.clock)
    try:
        again.look()
        again.settle()
        assert set(ground.send(20)) == {"v11"}
        facts = told(again, "evidence_rebuilt")
        assert (facts["source"], facts["budget"]) == ("history", "half")
        assert counted(again) == before
        again.until(Phase.PROGRESSING, "shadow")
        assert counted(again) >= before
        assert budgets(again) == {0.5}
    finally:
        again.close()


@pytest.mark.xdist_group("prometheus")
def test_a_breach_that_nobody_remembers_is_found_before_any_traffic(ground: Ground, scraped: Scraped) -> None:
    scraped.breach(ticks=12)
    scraped.settle()
    scraped.tick()
    forget(scraped)
    again = Scraped(ground, scraped.clock)
    try:
        for _ in range(6):
            again.tick()
        assert not again.exposed()
        assert again.position.phase is Phase.ROLLED_BACK, again.history
        assert "over the limit of harm already" in again.position.message
    finally:
        again.close()
