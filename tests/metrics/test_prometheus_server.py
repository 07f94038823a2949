"""A real Prometheus that is restarted, protected, loses its targets: what a rollout then sees."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from controller.analysis.counting import measure
from controller.domain.measure import BlindCause, Blindness, FamilyAsk, Measurement, QueryAsk, SeriesMemory
from controller.domain.rollout import MetricServer
from controller.domain.slo import Matcher, RatioIndicator, Scenarios, Selector, Slo
from controller.metrics.prometheus import Prometheus
from controller.runtime.clock import SystemClock
from controller.testing.conformance.metrics import MetricRig, hazards, newest
from tests.analysis.counters import a_version, an_slo
from tests.metrics.rigs import SECOND, rig_of
from tests.parts.certificates import self_signed
from tests.parts.metrics_page import BROKEN, GARBAGE, MetricsPage
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job

pytestmark = pytest.mark.xdist_group("prometheus")

CLOCK = SystemClock()
PASSWORD = "open sesame"
HASHED = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"  # bcrypt of it


class Judge:
    """The harm of v12 on a page that a real server scrapes, counted as a rollout does."""

    def __init__(self, server: Server, page: MetricsPage) -> None:
        self.server, self.page = server, page
        self.rig: MetricRig = rig_of(server, page)
        name = self.rig.results
        bad, total = (Selector(name, (Matcher("verdict", kinds),)) for kinds in (("bad",), ("ok", "bad")))
        self.slo: Slo = an_slo(RatioIndicator(bad, total), Scenarios("hazard", "none", ("ssh",)))
        self.memory: SeriesMemory = {}

    def publish(self, ok: float, bad: float, ssh: float) -> None:
        self.rig.publish(hazards(self.rig.results, {"v12": (ok, bad, ssh)}))

    def look(self, later: timedelta = timedelta()) -> tuple[Measurement, ...]:
        """Pooled and ssh; `later` is how wrong our clock is."""
        now = CLOCK.now() + later
        shot = self.rig.provider.fetch([FamilyAsk(self.rig.results)], now)
        found, self.memory = measure([self.slo], [a_version("v12")], shot, self.memory, now, SECOND, SECOND, {})
        return found

    def see(self) -> tuple[Measurement, ...]:
        """Look until it can be seen: a busy machine scrapes late, and what is blind counts nothing."""

        def clear() -> tuple[Measurement, ...] | None:
            found = self.look()
            return None if any(one.blind for one in found) else found

        found = wait_until(clear, 20, "sight")
        assert found is not None
        return found

    def blind(self, scenario: str | None = None) -> Blindness | None:
        """Why the whole, or a scenario, cannot be seen now."""
        return next((found.blind for found in self.look() if found.scenario == scenario), None)


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Server, MetricsPage]]:
    """One server for all tests here: each counts under a name of its own."""
    with MetricsPage() as page, a_prometheus([scrape_job("page", [page.target])]) as server:
        yield server, page


@pytest.fixture
def judge(parts: tuple[Server, MetricsPage]) -> Judge:
    server, page = parts
    page.heal()
    return Judge(server, page)


def test_a_restarted_server_loses_and_doubles_nothing(judge: Judge) -> None:
    judge.publish(100, 5, 1)
    judge.see()
    judge.publish(110, 6, 1)
    judge.server.stop()
    (gone, _) = judge.look()
    assert gone.blind is not None
    assert gone.blind.cause is BlindCause.QUERY_FAILED
    judge.server.start()
    judge.publish(120, 7, 2)
    found = judge.see()
    assert [(m.bad, m.total) for m in found] == [(3, 23), (1, 23)]


@pytest.mark.parametrize("fault", [BROKEN, GARBAGE])
def test_a_target_that_fails_is_stale_not_quiet(judge: Judge, fault: object) -> None:
    judge.publish(100, 5, 1)
    judge.see()
    judge.page.fail(BROKEN if fault is BROKEN else GARBAGE)
    blind = wait_until(judge.blind, 20, "staleness")
    assert blind is not None
    assert blind.cause is BlindCause.STALE
    judge.page.heal()
    judge.publish(130, 5, 1)
    assert judge.see()[0].total == 30


def test_a_judge_that_restarts_counts_from_zero(judge: Judge) -> None:
    judge.publish(100, 5, 1)
    judge.see()
    judge.publish(2, 0, 0)
    judge.publish(7, 1, 0)
    assert [(m.bad, m.total) for m in judge.see()] == [(1, 8), (0, 8)]


def test_a_required_scenario_that_is_gone(judge: Judge) -> None:
    judge.publish(100, 5, 1)
    judge.see()
    page = hazards(judge.rig.results, {"v12": (110, 5, 1)})
    judge.rig.publish("".join(line + "\n" for line in page.splitlines() if "ssh" not in line))

    found = wait_until(lambda: judge.blind("ssh"), 20, "the scenario's staleness")
    assert found is not None
    assert found.cause is BlindCause.SCENARIO_MISSING


def test_our_clock_is_wrong(judge: Judge) -> None:
    """Reading the past or the future is blind, and afterwards nothing is counted twice."""
    judge.publish(100, 5, 1)
    judge.see()
    judge.publish(110, 5, 1)
    for wrong in (timedelta(hours=1), timedelta(hours=-1), timedelta(seconds=-30)):
        assert judge.look(wrong)[0].blind is not None
    assert judge.see()[0].total == 10


def test_a_server_without_data_is_absent_not_zero(judge: Judge) -> None:
    blind = judge.look()[0].blind
    assert blind is not None
    assert blind.cause is BlindCause.ABSENT


def test_a_query_has_one_value_or_says_how_many(judge: Judge) -> None:
    judge.publish(4, 1, 0)
    name = judge.rig.results
    one, many, none, wrong = f"sum({name})", name, "no_such_metric", f"sum({name}"
    values = judge.rig.look(*(QueryAsk(query) for query in (one, many, none, wrong))).values
    assert values[one].value == 5
    assert "3 series came back" in str(values[many].problem)
    assert "no series came back" in str(values[none].problem)
    assert "answered 400" in str(values[wrong].problem)
    assert "parse error" in str(values[wrong].problem)


def protected(folder: Path) -> Mapping[str, object]:
    certificate = self_signed(folder)
    return {
        "tls_server_config": {"cert_file": str(certificate.cert), "key_file": str(certificate.key)},
        "basic_auth_users": {"ops": HASHED},
    }


def test_tls_and_a_password(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)

    def ask(server: Server, **more: object) -> str | None:
        fields = {
            "basic_user": "ops",
            "basic_password_file": str(secret),
            "ca_file": str(tmp_path / "cert.pem"),
            **more,
        }
        provider = Prometheus(MetricServer("prometheus", (server.url,), **fields))  # type: ignore[arg-type]  # by name
        return provider.fetch([QueryAsk("vector(1)")], CLOCK.now()).values["vector(1)"].problem

    with a_prometheus(web_config=protected(tmp_path)) as server:
        assert ask(server) is None
        assert ask(server, ca_file=None, insecure_skip_verify=True) is None
        assert "the certificate was not accepted" in str(ask(server, ca_file=None))
        assert "set caFile" in str(ask(server, ca_file=None))
        assert "the request or its answer failed" in str(ask(server, ca_file=str(tmp_path / "gone.pem")))
        secret.write_text("wrong")
        assert "answered 401; check the bearer token or the password file" in str(ask(server))


def test_newest_is_the_last_sample(judge: Judge) -> None:
    judge.publish(1, 0, 0)
    judge.publish(2, 0, 0)
    assert newest(judge.rig.family(FamilyAsk(judge.rig.results)), "verdict", "hazard")["ok", "none"] == 2
