"""The metrics that the demo's servers export; the demo's only door to prometheus-client."""

import itertools
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

LATENCY_BOUNDS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0)
PAGE_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EVALUATIONS = ("groundedness", "harm")
VERDICTS = ("ok", "bad", "error")
EVALUATOR, EVALUATOR_VERSION = "demo-rules", "1"


class _Page:
    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
        self._registry = CollectorRegistry()

    def page(self) -> bytes:
        """The `/metrics` page, in the text format."""
        return generate_latest(self._registry)


class ModelMetrics(_Page):
    """What a model server counts, under the names of vLLM; every series exists from the start."""

    def __init__(self, model_name: str, version: str) -> None:
        super().__init__()
        own = {"model_name": model_name, "version": version}
        names, registry = tuple(own), self._registry
        finished = Counter("vllm:request_success", "Requests done", (*names, "finished_reason"), registry=registry)
        latency = Histogram(
            "vllm:e2e_request_latency_seconds",
            "Whole request",
            names,
            registry=registry,
            buckets=LATENCY_BOUNDS,
        )
        tokens = Counter("vllm:generation_tokens", "Tokens sent", names, registry=registry)
        handed = Counter("demo_judge_handed", "Answers that the judge took", names, registry=registry)
        dropped = Counter("demo_judge_dropped", "Answers lost before the judge", names, registry=registry)
        self._finished = {why: finished.labels(**own, finished_reason=why) for why in ("stop", "abort")}
        self._latency, self._tokens = latency.labels(**own), tokens.labels(**own)
        self._handed, self._dropped = handed.labels(**own), dropped.labels(**own)

    def count_request(self, seconds: float, tokens: int, *, aborted: bool = False) -> None:
        """One request is over, after `seconds`; `aborted` when its reader went away."""
        self._finished["abort" if aborted else "stop"].inc()
        self._latency.observe(seconds)
        self._tokens.inc(tokens)

    def count_handed(self, answers: int) -> None:
        """The judge took so many answers."""
        self._handed.inc(answers)

    def count_dropped(self, answers: int) -> None:
        """So many answers did not get to the judge: the queue was full or the judge away."""
        self._dropped.inc(answers)


class JudgeMetrics(_Page):
    """The metric contract of the judge; every label combination of the known versions exists at zero."""

    def __init__(self, deployment: str, versions: Iterable[str], hazards: Iterable[str]) -> None:
        super().__init__()
        registry, known = self._registry, tuple(versions)
        labels = ("deployment", "version", "stage", "evaluation", "hazard", "verdict")
        results = Counter(
            "llm_eval_results",
            "Judged answers",
            (*labels, "evaluator", "evaluator_version", "source"),
            registry=registry,
        )
        sampled = Counter("llm_eval_sampled", "Answers eligible to be judged", ("version",), registry=registry)
        lag = Gauge(
            "llm_eval_lag_seconds",
            "Age of the newest judged answer; of the judge itself while there is none",
            ("version", "evaluation"),
            registry=registry,
        )
        self._sampled = {version: sampled.labels(version) for version in known}
        self._lag = {key: lag.labels(*key) for key in itertools.product(known, EVALUATIONS)}
        self._results = {
            key: results.labels(deployment, key[0], "online", *key[1:], EVALUATOR, EVALUATOR_VERSION, "online")
            for key in itertools.product(known, EVALUATIONS, tuple(hazards), VERDICTS)
        }

    def count_sampled(self, version: str) -> None:
        """One answer came in."""
        self._sampled[version].inc()

    def count_result(self, version: str, evaluation: str, hazard: str, verdict: str) -> None:
        """One verdict on one answer."""
        self._results[version, evaluation, hazard, verdict].inc()

    def show_lag(self, version: str, evaluation: str, seconds: float) -> None:
        """How old the newest judged answer is at this moment."""
        self._lag[version, evaluation].set(seconds)
