"""Reading pages: both formats, and every way in which a page is not what it should be."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from controller.domain.measure import FamilyAsk, FamilyReading, QueryAsk
from controller.domain.rollout import MetricServer
from controller.domain.slo import Matcher
from controller.metrics.scrape import Scrape, instances
from controller.testing.clock import START
from controller.testing.conformance.metrics import newest
from tests.metrics.api_stub import ApiStub, Reply
from tests.parts.metrics_page import BROKEN, DROPPED, GARBAGE, TEXT, Fault, MetricsPage
from tests.parts.net import LOOPBACK, free_port

ASK = FamilyAsk("results_total")
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def scrape(*urls: str, largest: int = 1_000_000, ask: FamilyAsk = ASK) -> FamilyReading:
    server = MetricServer("scrape", urls, timeout=timedelta(seconds=5))
    return Scrape(server, largest).fetch([ask], START).families[ask.metric]


@pytest.fixture
def pages() -> Iterator[list[MetricsPage]]:
    with ExitStack() as stack:
        yield [stack.enter_context(MetricsPage(f'results_total{{version="v1{n}"}} {n}\n')) for n in range(3)]


def test_several_pages_are_one_family_told_apart_by_instance(pages: list[MetricsPage]) -> None:
    found = scrape(*(page.url for page in pages))
    expected = {(page.target, f"v1{n}"): float(n) for n, page in enumerate(pages)}
    assert newest(found, "instance", "version") == expected
    assert {series.samples[0][0] for series in found.series} == {START.timestamp()}


@pytest.mark.parametrize("fault", [BROKEN, GARBAGE, DROPPED])
def test_one_page_that_fails_makes_the_family_partial(pages: list[MetricsPage], fault: Fault) -> None:
    pages[1].fail(fault)
    found = scrape(*(page.url for page in pages))
    assert not found.series
    assert pages[1].url in str(found.problem)
    assert pages[0].url not in str(found.problem)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html><body>log in</body></html>", "line 1 is no sample"),
        ('results_total{version="v1', "it is not in the exposition format"),
        ("results_total one", "it is not in the exposition format"),
        ("results_total", "it is not in the exposition format"),
        ("a 1\nb two\n", "line 2 is no sample"),
        ("results_total 1\nresults_total 2\n", "it has a series of results_total twice"),
    ],
)
def test_a_page_that_does_not_parse(metrics_page: MetricsPage, text: str, said: str) -> None:
    metrics_page.set(text)
    problem = str(scrape(metrics_page.url).problem)
    assert problem.startswith(f"{metrics_page.url} cannot be read: {said}")
    assert problem.endswith("is it the page of metrics?")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(body=b"{}", content_type="application/json"), "cannot be read: it is of type application/json"),
        (Fault(body=b"a \xff\n"), "cannot be read: it is not UTF-8"),
        (Fault(status=503), "answered 503; check the path of the page and the credentials"),
        (Fault(status=302, headers={"Location": "http://elsewhere/"}), "answered 302"),
    ],
)
def test_an_answer_that_is_no_page(metrics_page: MetricsPage, fault: Fault, said: str) -> None:
    metrics_page.fail(fault)
    assert said in str(scrape(metrics_page.url).problem)


def test_nobody_there() -> None:
    url = f"http://{LOOPBACK}:{free_port()}/metrics"
    assert f"{url} cannot be reached (Connection refused)" in str(scrape(url).problem)


def test_slow(metrics_page: MetricsPage) -> None:
    metrics_page.fail(Fault(delay=5))
    server = MetricServer("scrape", (metrics_page.url,), timeout=timedelta(seconds=0.3))
    found = Scrape(server).fetch([ASK], START).families[ASK.metric]
    assert f"{metrics_page.url} gave no whole answer within 0.3 s" in str(found.problem)


def test_too_large(metrics_page: MetricsPage) -> None:
    metrics_page.set("results_total 1\n" * 100)
    assert "the answer is larger than 1000 bytes" in str(scrape(metrics_page.url, largest=1000).problem)


def test_zipped() -> None:
    lines = "".join(f'results_total{{pod="{n}"}} 1\n' for n in range(10_000))
    with ApiStub(Reply(lines.encode(), kind=TEXT, zipped=True)) as stub:
        assert len(scrape(f"{stub.url}/metrics").series) == 10_000
    assert stub.asked[0].headers["Accept"].startswith("text/plain")


def test_an_empty_page_has_no_series_and_no_problem(metrics_page: MetricsPage) -> None:
    assert scrape(metrics_page.url) == FamilyReading()


def test_names_are_as_on_the_page(metrics_page: MetricsPage) -> None:
    """The parser would call a counter `results` `results_total`, which Prometheus does not."""
    metrics_page.set("# HELP results All.\n# TYPE results counter\nresults 3\n")
    assert newest(scrape(metrics_page.url, ask=FamilyAsk("results"))) == {(): 3.0}
    assert scrape(metrics_page.url).series == ()


def test_openmetrics(metrics_page: MetricsPage) -> None:
    lines = ("# TYPE results counter", 'results_total{v="1"} 3.0 1767614000.5 # {trace="x"} 1.0', "# EOF")
    page = "".join(f"{line}\n" for line in lines)
    metrics_page.fail(Fault(body=page.encode(), content_type=OPENMETRICS))
    (series,) = scrape(metrics_page.url).series
    assert series.samples == ((1767614000.5, 3.0),)
    metrics_page.fail(Fault(body=page.replace("# EOF\n", "").encode(), content_type=OPENMETRICS))
    assert "it is not in the exposition format" in str(scrape(metrics_page.url).problem)


def test_a_timestamp_on_the_page_may_be_old_but_not_in_the_future(metrics_page: MetricsPage) -> None:
    now = START.timestamp()
    metrics_page.set(
        f'results_total{{v="1"}} 3 {now * 1000 - 90_000:.0f}\nresults_total{{v="2"}} 4 {now * 1000 + 90_000:.0f}\n'
    )
    assert {series.samples[0][0] for series in scrape(metrics_page.url).series} == {now - 90, now}


def test_a_page_with_an_instance_label_keeps_it_as_exported(metrics_page: MetricsPage) -> None:
    metrics_page.set('results_total{instance="pod-a"} 1\n')
    assert newest(scrape(metrics_page.url), "exported_instance", "instance") == {("pod-a", metrics_page.target): 1.0}


def test_matching_sees_the_instance(pages: list[MetricsPage]) -> None:
    ask = FamilyAsk("results_total", (Matcher("instance", (pages[2].target,)),))
    assert newest(scrape(*(page.url for page in pages), ask=ask), "version") == {("v12",): 2.0}


def test_instances_are_told_apart() -> None:
    urls = ("http://u:p@a:1/metrics", "http://b:1/x/metrics", "http://b:1/y/metrics")
    assert list(instances(urls).values()) == ["a:1", "b:1/x/metrics", "b:1/y/metrics"]


def test_a_query_needs_a_server(metrics_page: MetricsPage) -> None:
    found = Scrape(MetricServer("scrape", (metrics_page.url,))).fetch([QueryAsk("up")], START).values["up"]
    assert 'use "prometheus" instead of "scrape"' in str(found.problem)
    assert metrics_page.asked == 0


def test_each_page_is_read_once_for_all_families(metrics_page: MetricsPage) -> None:
    metrics_page.set("a_total 1\nb_total 2\n")
    server = MetricServer("scrape", (metrics_page.url,))
    found = Scrape(server).fetch([FamilyAsk("a_total"), FamilyAsk("b_total")], START)
    assert [one.series[0].samples[0][1] for one in found.families.values()] == [1.0, 2.0]
    assert metrics_page.asked == 1
