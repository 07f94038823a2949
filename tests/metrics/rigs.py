"""Rigs for the conformance suite: one per provider. A provider without one fails by its own name."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from controller.domain.measure import FamilyAsk
from controller.domain.rollout import MetricServer
from controller.metrics.prometheus import Prometheus
from controller.metrics.scrape import Scrape
from controller.runtime.clock import SystemClock
from controller.testing.clock import ManualClock
from controller.testing.conformance.metrics import MetricRig, newest
from controller.testing.metrics import MemoryMetrics, MetricFault
from tests.parts.metrics_page import BROKEN, MetricsPage
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job

SECOND = timedelta(seconds=1)
MARK = "page_number"


@contextmanager
def memory_rig() -> Iterator[MetricRig]:
    clock, metrics = ManualClock(), MemoryMetrics()

    def publish(page: str) -> None:
        clock.advance(1)
        metrics.load(page)

    def set_fault(fault: MetricFault | None) -> None:
        metrics.fault = fault

    metrics.values["vector(1)"] = 1.0
    broken = lambda: set_fault(MetricFault.DOWN)  # noqa: E731 - two of a kind, side by side
    mended = lambda: set_fault(None)  # noqa: E731
    yield MetricRig(metrics, "memory", clock.now, publish, broken, mended)


@contextmanager
def scrape_rig() -> Iterator[MetricRig]:
    clock = ManualClock()
    with MetricsPage() as page:
        provider = Scrape(MetricServer("scrape", (page.url,)))

        def publish(text: str) -> None:
            clock.advance(1)
            page.set(text)

        yield MetricRig(provider, "scrape", clock.now, publish, lambda: page.fail(BROKEN), page.heal, queries=False)


@contextmanager
def prometheus_rig() -> Iterator[MetricRig]:
    """A real server that scrapes a page every second."""
    with MetricsPage() as page, a_prometheus([scrape_job("page", [page.target])]) as server:
        yield rig_of(server, page)


def rig_of(server: Server, page: MetricsPage) -> MetricRig:
    """A rig over a server that scrapes the page; broken means stopped."""
    provider = Prometheus(MetricServer("prometheus", (server.url,), scrape_interval=SECOND, timeout=5 * SECOND))
    clock = SystemClock()
    pages = 0

    def seen() -> bool:
        reading = provider.fetch([FamilyAsk(MARK)], clock.now()).families[MARK]
        return newest(reading) == {(): float(pages)}

    def publish(text: str) -> None:
        nonlocal pages
        pages += 1
        page.set(f"{text}{MARK} {pages}\n")
        wait_until(seen, 20, f"page {pages} in Prometheus")

    prefix = f"t{uuid.uuid4().hex[:8]}"
    return MetricRig(provider, prefix, clock.now, publish, server.stop, server.start, scrape_interval=SECOND)


RIGS: Mapping[str, Callable[[], AbstractContextManager[MetricRig]]] = {
    "memory": memory_rig,
    "scrape": scrape_rig,
    "prometheus": prometheus_rig,
}
