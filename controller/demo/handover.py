"""Hands answers to the judge in the background; they are dropped and counted when it is slow or away."""

import http.client
import json
import queue
import threading
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from controller.demo.exposition import ModelMetrics

BATCH_SIZE = 64
BATCH_SECONDS = 0.1
BACK_OFF_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What the judge gets to read; `mirrored` is None when the request does not tell."""

    version: str
    question: str = field(repr=False)
    answer: str = field(repr=False)
    answered_at: float
    mirrored: bool | None = None


class JudgeHandover:
    """A bounded queue and one thread that posts it to the judge's `/judge`. Never blocks who offers."""

    def __init__(self, url: str, metrics: ModelMetrics, capacity: int = 1000) -> None:
        self._netloc = urlsplit(url).netloc
        self._metrics = metrics
        self._queue: queue.Queue[GivenAnswer] = queue.Queue(capacity)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judge-handover", daemon=True)
        self._connection: http.client.HTTPConnection | None = None

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def stop(self) -> None:
        """Stop posting within about a second; what is still queued is dropped."""
        self._over.set()
        self._thread.join(1.0)

    def offer(self, answer: GivenAnswer) -> None:
        """Queue one answer, or drop and count it when the queue is full."""
        try:
            self._queue.put_nowait(answer)
        except queue.Full:
            self._metrics.count_dropped(1)

    def _run(self) -> None:
        while not self._over.is_set():
            batch = self._next_batch()
            if batch and not self._post(batch):
                self._metrics.count_dropped(len(batch))
                self._over.wait(BACK_OFF_SECONDS)
        self._hang_up()

    def _next_batch(self) -> list[GivenAnswer]:
        try:
            first = self._queue.get(timeout=BACK_OFF_SECONDS)
        except queue.Empty:
            return []
        time.sleep(BATCH_SECONDS)
        batch = [first]
        while len(batch) < BATCH_SIZE and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _post(self, batch: list[GivenAnswer]) -> bool:
        body = json.dumps({"answers": [asdict(answer) for answer in batch]})
        try:
            connection = self._connect()
            connection.request("POST", "/judge", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return False
        self._metrics.count_handed(len(batch) if response.status == 200 else 0)
        return response.status == 200

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._netloc, timeout=5)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
