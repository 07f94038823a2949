"""Reads `/metrics` pages itself: no metric server is needed. Implements ports.MetricProvider."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

from controller.domain.measure import FamilyAsk, FamilyReading, Labels, QueryAsk, Series, Snapshot, ValueReading
from controller.domain.rollout import MetricServer
from controller.metrics.exposition import ACCEPT, Found, PageError, read_page
from controller.metrics.http import LARGEST, AskFailedError, HttpDoor, without_secrets

READERS = 8
NEEDS_SERVER = 'a query needs a metrics server: use "prometheus" instead of "scrape", or a ratio or latency indicator'


class Scrape:
    """Every page once per fetch; a sample's time is the fetch's, or the earlier one that the page gives it."""

    def __init__(self, server: MetricServer, largest: int = LARGEST) -> None:
        self._server, self._largest = server, largest
        self._instances = instances(server.urls)

    def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
        """Answers for all asks. Never raises for a page's faults: they are `problem`s in the snapshot."""
        families = [ask for ask in asks if isinstance(ask, FamilyAsk)]
        values = {ask.query: ValueReading(problem=NEEDS_SERVER) for ask in asks if isinstance(ask, QueryAsk)}
        pages = self._pages({ask.metric for ask in families}) if families else {}
        problem = "; ".join(page for page in pages.values() if isinstance(page, str)) or None
        read = {url: page for url, page in pages.items() if not isinstance(page, str)}
        return Snapshot(at, {ask.metric: self._family(ask, read, problem, at) for ask in families}, values)

    def _family(self, ask: FamilyAsk, pages: Mapping[str, Found], problem: str | None, at: datetime) -> FamilyReading:
        """One page that fails makes every family partial: what the others have must not look complete."""
        if problem is not None:
            return FamilyReading(problem=problem)
        conditions = [(one.label, frozenset(one.values)) for one in ask.match]
        found: list[Series] = []
        now = at.timestamp()
        for url, page in pages.items():
            for labels, (given, value) in page.get(ask.metric, {}).items():
                named = _with_instance(labels, self._instances[url])
                by_label = dict(named)
                if all(by_label.get(label, "") in values for label, values in conditions):
                    found.append(Series(named, ((now if given is None else min(now, given), value),)))
        return FamilyReading(tuple(found))

    def _pages(self, wanted: Collection[str]) -> dict[str, Found | str]:
        urls = self._server.urls
        if len(urls) == 1:
            return {urls[0]: self._page(urls[0], wanted)}
        with ThreadPoolExecutor(min(READERS, len(urls)), thread_name_prefix="scrape") as readers:
            return dict(zip(urls, readers.map(lambda url: self._page(url, wanted), urls), strict=True))

    def _page(self, url: str, wanted: Collection[str]) -> Found | str:
        where = without_secrets(url)
        try:
            with HttpDoor(self._server, self._largest) as door:
                answer = door.ask("GET", url, headers={"Accept": ACCEPT})
            if answer.status != 200:
                hint = "check the path of the page and the credentials"
                return f"{where} answered {answer.status}; {hint}"
            return read_page(answer.body.decode("utf-8"), answer.kind, wanted)
        except AskFailedError as error:
            return str(error) if where in str(error) else f"{where}: {error}"
        except UnicodeDecodeError:
            return f"{where} cannot be read: it is not UTF-8; is it the page of metrics?"
        except PageError as error:
            return f"{where} cannot be read: {error}; is it the page of metrics?"


def instances(urls: Sequence[str]) -> dict[str, str]:
    """The `instance` label per page, as a Prometheus gives it: host:port, with the path where that is not enough."""
    hosts = {url: urlsplit(url).netloc.rpartition("@")[2] for url in urls}
    shared = Counter(hosts.values())
    return {url: host if shared[host] == 1 else host + urlsplit(url).path for url, host in hosts.items()}


def _with_instance(labels: Labels, instance: str) -> Labels:
    """A page's own `instance` label becomes `exported_instance`, as a Prometheus does it."""
    own = ((f"exported_{name}" if name == "instance" else name, value) for name, value in labels)
    return tuple(sorted((*own, ("instance", instance))))
