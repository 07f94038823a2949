"""Metric families of rollouts and sources, made from what is kept when the page is asked for.

Nothing is left of a rollout, run or stream that is no more, and a pass costs one dictionary entry.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.domain.names import RolloutKey
from controller.domain.state import LIVE, Phase, Position
from controller.domain.traffic import Split
from controller.domain.verdict import Judgement, StreamVerdict
from controller.ports import Clock

OF_ROLLOUT = ["namespace", "rollout"]
OF_STREAM = [*OF_ROLLOUT, "slo", "scenario"]

Kept = tuple[RolloutKey, Position, Judgement]


class RolloutCollector(Collector):
    """The last position and judgement of every rollout."""

    def __init__(self) -> None:
        self._kept: dict[RolloutKey, Kept] = {}
        self._lock = threading.Lock()

    def keep(self, key: RolloutKey, position: Position, judgement: Judgement) -> None:
        """Replace what is known of a rollout."""
        with self._lock:
            self._kept[key] = (key, position, judgement)

    def forget(self, key: RolloutKey) -> None:
        """The rollout is gone."""
        with self._lock:
            self._kept.pop(key, None)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry then does not collect when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families."""
        with self._lock:
            kept = list(self._kept.values())
        yield _phases(kept)
        yield _info(kept)
        yield from _weights(kept)
        yield from _streams(kept)
        yield _ledgers(kept)


class SourceCollector(Collector):
    """How old what each source gave is, at the moment of asking."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._as_of = clock, dict[str, datetime]()
        self._lock = threading.Lock()

    def keep(self, source: str, as_of: datetime) -> None:
        """The source was read; what it gave is as of then."""
        with self._lock:
            self._as_of[source] = as_of

    def describe(self) -> Iterable[Metric]:
        """Nothing, as above."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One family."""
        family = GaugeMetricFamily("tidegate_source_age_seconds", "Age of what a source gave.", labels=["source"])
        with self._lock:
            known = sorted(self._as_of.items())
        for source, as_of in known:
            family.add_metric([source], max(0.0, (self._clock.now() - as_of).total_seconds()))
        yield family


def _phases(kept: list[Kept]) -> Metric:
    family = GaugeMetricFamily("tidegate_rollouts", "Rollouts, by phase.", labels=["phase"])
    found = Counter(position.phase for _, position, _ in kept)
    for phase in Phase:
        family.add_metric([phase.value], found[phase])
    return family


def _info(kept: list[Kept]) -> Metric:
    labels = [*OF_ROLLOUT, "phase", "held", "stable", "candidate", "stage"]
    family = GaugeMetricFamily("tidegate_rollout_info", "Where a rollout stands.", labels=labels)
    for key, position, _ in kept:
        run = position.run
        stage = run.current.name if run and 0 <= run.stage < len(run.spec.stages) else ""
        held = position.held.value if position.held else ""
        candidate = str(run.candidate) if run else ""
        place = [position.phase.value, held, str(position.stable or ""), candidate, stage]
        family.add_metric([key.namespace, key.name, *place], 1)
    return family


def _weights(kept: list[Kept]) -> Iterator[Metric]:
    desired = GaugeMetricFamily(
        "tidegate_candidate_weight_percent", "The candidate's share as it should be.", labels=[*OF_ROLLOUT, "kind"]
    )
    verified = GaugeMetricFamily(
        "tidegate_candidate_weight_verified", "1 when the data plane was seen to hold that share.", labels=OF_ROLLOUT
    )
    for key, position, _ in kept:
        split = position.split() or Split(position.stable) if position.stable else position.split()
        if split is None:
            continue
        for kind, value in (("live", split.weight), ("mirror", split.mirror), ("cohort", 100 * bool(split.cohort))):
            desired.add_metric([key.namespace, key.name, kind], value)
        seen = position.traffic is not None and position.traffic.verified_at is not None
        verified.add_metric([key.namespace, key.name], int(seen))
    yield desired
    yield verified


def _streams(kept: list[Kept]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily("tidegate_slo_verdict", "1 for the verdict of now.", labels=[*OF_STREAM, "verdict"])
    families = {
        "log_e": GaugeMetricFamily(
            "tidegate_slo_log_e", "Natural log of the e-value against the SLO.", labels=OF_STREAM
        ),
        "total": GaugeMetricFamily("tidegate_slo_judged", "Judged answers of the candidate.", labels=OF_STREAM),
        "bad": GaugeMetricFamily("tidegate_slo_bad", "Bad ones among them.", labels=OF_STREAM),
        "upper": GaugeMetricFamily("tidegate_slo_rate_upper", "Upper end of the rate's interval.", labels=OF_STREAM),
        "lower": GaugeMetricFamily("tidegate_slo_rate_lower", "Lower end of the rate's interval.", labels=OF_STREAM),
    }
    for key, stream in _live(kept):
        labels = [key.namespace, key.name, stream.slo, stream.scenario or ""]
        verdict.add_metric([*labels, stream.verdict.value], 1)
        for name, family in families.items() if stream.value is None else ():
            family.add_metric(labels, getattr(stream, name))
    yield verdict
    yield from families.values()


def _live(kept: list[Kept]) -> Iterator[tuple[RolloutKey, StreamVerdict]]:
    for key, position, judgement in kept:
        if position.phase in LIVE or position.phase is Phase.COMPLETED:
            yield from ((key, stream) for stream in judgement.streams)


def _ledgers(kept: list[Kept]) -> Metric:
    family = GaugeMetricFamily(
        "tidegate_ledger_fill",
        "Merged log e-value over its limit: acts at 1.",
        labels=[*OF_ROLLOUT, "action"],
    )
    for key, _, judgement in kept:
        for ledger in judgement.ledgers:
            fill = ledger.log_e / ledger.log_limit if ledger.log_limit > 0 else float(ledger.breached)
            family.add_metric([key.namespace, key.name, ledger.action.value], max(0.0, fill))
    return family
