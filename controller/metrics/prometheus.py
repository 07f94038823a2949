"""Asks a Prometheus server. The only door to `prometheus_api_client`."""

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from controller.domain.measure import FamilyAsk, FamilyReading, QueryAsk, Series, Snapshot, ValueReading
from controller.domain.rollout import MetricServer
from controller.metrics.answers import AnswerError, series_of, value_of
from controller.metrics.http import LARGEST, Answer, AskFailedError, HttpDoor, without_secrets
from controller.metrics.promql import LONGEST, chunks, selector

SHORTEST_WINDOW = timedelta(seconds=60)
LONGEST_WINDOW = timedelta(minutes=15)
UNBROKEN = 256 * 1024
"""Bytes of label values that are tried in one query: Prometheus sets no limit, some that speak its API do."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a server kept of some time: series by family, and by query."""

    families: Mapping[str, FamilyReading]
    values: Mapping[str, FamilyReading]


class Prometheus:
    """Implements ports.MetricProvider: one query per family, raw samples with their own timestamps."""

    def __init__(self, server: MetricServer, largest: int = LARGEST) -> None:
        self._server, self._largest = server, largest
        self._url = server.urls[0].rstrip("/")
        self._answered: dict[str, datetime] = {}
        self._longest = UNBROKEN
        self._lock = threading.Lock()

    def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
        """Answers for all asks. Never raises for the server's faults: they are `problem`s in the snapshot."""
        families: dict[str, FamilyReading] = {}
        values: dict[str, ValueReading] = {}
        with self._lock, HttpDoor(self._server, self._largest) as door:
            tick = _Tick(self._url, door, at)
            for ask in asks:
                if isinstance(ask, FamilyAsk):
                    families[ask.metric] = self._family(tick, ask)
                else:
                    values[ask.query] = _value(tick, ask)
        return Snapshot(at, families, values)

    def stretch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime, span: timedelta, step: timedelta) -> Stretch:
        """All raw samples of the `span` that ends at `at`, and the queries' values at every multiple of `step` in it.

        Never raises for the server's faults: they are `problem`s. Rare and large, so it has a connection of its own.
        """
        window = math.ceil(span.total_seconds())
        with HttpDoor(self._server, self._largest) as door:
            tick = _Tick(self._url, door, at)
            families = {ask.metric: self._samples(tick, ask, window) for ask in asks if isinstance(ask, FamilyAsk)}
            queries = (ask for ask in asks if isinstance(ask, QueryAsk))
            values = {ask.query: _values(tick, ask, window, step) for ask in queries}
        return Stretch(families, values)

    def _family(self, tick: "_Tick", ask: FamilyAsk) -> FamilyReading:
        reading = self._samples(tick, ask, math.ceil(self._window(ask.metric, tick.at).total_seconds()))
        if reading.problem is None:
            self._answered[ask.metric] = tick.at
        return reading

    def _samples(self, tick: "_Tick", ask: FamilyAsk, window: int) -> FamilyReading:
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        try:
            for envelope in self._answers(tick, ask, window):
                for one in series_of(envelope):
                    found[one.labels] = one
        except (AskFailedError, AnswerError) as error:
            return FamilyReading(problem=str(error))
        return FamilyReading(tuple(found.values()))

    def _answers(self, tick: "_Tick", ask: FamilyAsk, window: int) -> Sequence[Mapping[str, Any]]:
        """One query, whatever its length; in parts, from then on, for a server that refuses a long one."""
        parts = list(chunks(ask, self._longest))
        try:
            return [tick.query(f"{selector(part)}[{window}s]") for part in parts]
        except AnswerError:
            if len(shorter := list(chunks(ask, LONGEST))) <= len(parts):
                raise
            answers = [tick.query(f"{selector(part)}[{window}s]") for part in shorter]
            self._longest = LONGEST
            return answers

    def _window(self, metric: str, at: datetime) -> timedelta:
        """Back to the last answer and a little more: a reset between two ticks must be seen, also after a silence."""
        step = self._server.scrape_interval
        usual = max(4 * step, SHORTEST_WINDOW)
        last = self._answered.get(metric)
        since_last = at - last + 2 * step if last is not None else usual
        return max(usual, min(since_last, LONGEST_WINDOW))


class _Tick:
    """The queries of one tick at one evaluation time. A server that does not answer is not asked again in it."""

    def __init__(self, url: str, door: HttpDoor, at: datetime) -> None:
        self.at = at
        self._name = without_secrets(url)
        self._wire = _Wire(door)
        self._client = PrometheusConnect(url=url, session=self._wire, method="POST")
        self._down: AskFailedError | None = None

    def query(self, text: str) -> Mapping[str, Any]:
        """The whole envelope of an answer. Raises AskFailedError, AnswerError."""
        if self._down is not None:
            raise self._down
        try:
            self._client.custom_query(text, params={"time": f"{self.at.timestamp():.3f}"})
        except AskFailedError as error:
            self._down = error if error.unreachable else None
            raise
        except PrometheusApiClientException as error:
            raise AnswerError(_refusal(self._name, self._wire.answer)) from error
        except (ValueError, KeyError, TypeError) as error:
            # The library takes ["data"]["result"] of whatever came.
            hint = "is this the address of a Prometheus server's API?"
            raise AnswerError(f"{self._name} answered something that is not a query result; {hint}") from error
        return self._wire.envelope


class _Wire:
    """The session the library talks through.

    Its 0.7.2 puts the query into the URL even for POST, where proxies cut it, drops `warnings`, retries with seconds
    of sleep, and parses the body anew for each look. So the form goes into the body here, and the envelope is kept.
    """

    verify = None
    cert = None

    def __init__(self, door: HttpDoor) -> None:
        self._door = door
        self.answer = Answer(0, "", b"")
        self.envelope: Mapping[str, Any] = {}

    def mount(self, *_: object) -> None:
        """No retries: the next tick is the retry."""

    def request(self, method: str, url: str, params: Mapping[str, str], **_: object) -> "_Response":
        self.envelope = {}
        self.answer = self._door.ask(method, url, form=params)
        return _Response(self)


class _Response:
    """What the library wants of a response."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self.status_code = wire.answer.status
        self.content = b""

    def json(self) -> object:
        found = json.loads(self._wire.answer.body)
        if isinstance(found, dict):
            self._wire.envelope = found
        return found


def _values(tick: _Tick, ask: QueryAsk, window: int, step: timedelta) -> FamilyReading:
    """An expression over a time is a subquery: its series have one sample per step."""
    text = f"({ask.query})[{window}s:{round(step.total_seconds() * 1000)}ms]"
    try:
        return FamilyReading(series_of(tick.query(text)))
    except (AskFailedError, AnswerError) as error:
        return FamilyReading(problem=str(error))


def _value(tick: _Tick, ask: QueryAsk) -> ValueReading:
    try:
        return ValueReading(value_of(tick.query(ask.query)))
    except (AskFailedError, AnswerError) as error:
        return ValueReading(problem=str(error))


def _refusal(name: str, answer: Answer) -> str:
    """What an error answer says, and what to do about the usual ones."""
    hints = {
        400: "the query is not valid there; see `tidegate lint`",
        401: "check the bearer token or the password file",
        403: "these credentials may not read metrics",
        404: "is this the address of a Prometheus server's API?",
        422: "the query is too large or cannot be executed; ask for less",
    }
    said = _error_text(answer.body)
    redirect = "it redirects: give the address that it redirects to" if 300 <= answer.status < 400 else None
    hint = redirect or hints.get(answer.status, "see the log of the metrics server")
    return f"{name} answered {answer.status}{': ' + said if said else ''}; {hint}"


def _error_text(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    text = found.get("error", "") if isinstance(found, dict) else ""
    return str(text)[:300]
