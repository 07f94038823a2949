"""Queries of the catalog, asked of a real Prometheus: a server that never failed has no series of failures."""

from collections.abc import Iterator

import pytest

from controller.analysis.asking import fill
from controller.domain.measure import QueryAsk
from controller.domain.names import VersionName
from controller.domain.rollout import MetricServer
from controller.domain.slo import PromqlIndicator
from controller.metrics.prometheus import Prometheus
from controller.runtime.clock import SystemClock
from controller.spec.catalog import catalog
from tests.parts.metrics_page import MetricsPage
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job
from tests.spec.test_catalog import used

pytestmark = pytest.mark.xdist_group("prometheus")

CLOCK = SystemClock()
SERIES = {
    "tgi-errors": ('tgi_request_count{version="v12"}', 'tgi_request_failure{version="v12",err="generation"}'),
}
"""What counts requests that went well, or all, and what counts a failure."""
TOKENS = """\
# TYPE {name} histogram
{name}_sum{{gen_ai_request_model="v12",gen_ai_token_type="input"}} {tokens}
{name}_sum{{gen_ai_request_model="v12",gen_ai_token_type="output"}} {tokens}
gen_ai_server_request_duration_seconds_count{{gen_ai_request_model="v12"}} {requests}
"""


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Server, MetricsPage]]:
    often = {"scrape_interval": "200ms", "scrape_timeout": "200ms"}
    with MetricsPage() as page, a_prometheus([scrape_job("page", [page.target], **often)]) as server:
        yield server, page


def value_of(name: str, server: Server) -> float | None:
    """None while the query gives nothing to judge."""
    indicator = used(next(one for one in catalog() if one.key.name == name)).indicator
    assert isinstance(indicator, PromqlIndicator)
    query = fill(indicator.query, VersionName("v12"))
    metrics = MetricServer("prometheus", (server.url,))
    reading = Prometheus(metrics).fetch([QueryAsk(query)], CLOCK.now()).values[query]
    known = reading.problem is None and reading.value is not None
    return reading.value if known and reading.value == reading.value else None


def scraped(page: MetricsPage, text: str) -> None:
    """The page says so, and the server has read it."""
    page.set(text)
    asked = page.asked
    wait_until(lambda: page.asked > asked + 2, 10, "a scrape")


@pytest.mark.parametrize("name", SERIES)
def test_a_server_that_never_failed_has_no_failures(name: str, parts: tuple[Server, MetricsPage]) -> None:
    server, page = parts
    well, failed = SERIES[name]
    scraped(page, f"{well} 100\n")
    page.set(f"{well} 200\n")
    wait_until(lambda: value_of(name, server) == 0.0, 20, "a share of zero")
    scraped(page, f"{well} 200\n{failed} 0\n")
    page.set(f"{well} 200\n{failed} 50\n")
    wait_until(lambda: (share := value_of(name, server)) is not None and 0.1 < share < 0.9, 20, "a share of failures")


@pytest.mark.parametrize("name", ["gen_ai_client_token_usage", "gen_ai_client_token_usage_token"])
def test_tokens_are_found_with_and_without_their_unit(name: str, parts: tuple[Server, MetricsPage]) -> None:
    server, page = parts
    scraped(page, TOKENS.format(name=name, tokens=0, requests=0))
    page.set(TOKENS.format(name=name, tokens=100, requests=10))
    wait_until(lambda: (value_of("ai-gateway-cost", server) or 0) > 0, 20, "a cost")
