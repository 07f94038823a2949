"""What Tidegate exports about itself: read off a page that one of everything was told to."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from controller.domain.decision import Reason
from controller.domain.names import RolloutKey, SloName, VersionName
from controller.domain.slo import OnBreach
from controller.domain.state import Phase, Position, TrafficMark
from controller.domain.traffic import Split
from controller.domain.verdict import Judgement, LedgerVerdict, StreamVerdict, Verdict
from controller.telemetry.exposition import Telemetry
from controller.testing.clock import ManualClock
from docs.blocks.markdown import code, table

HIDDEN = frozenset({"le"})


def families() -> Iterator[Metric]:
    """Every family, as a scraper reads it."""
    page = _full_page()
    found = (one for one in text_string_to_metric_families(page) if not one.name.endswith("_created"))
    yield from sorted(found, key=lambda one: one.name)


def table_rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, type, labels, meaning."""
    for family in families():
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label not in HIDDEN)
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield code(name), family.type, ", ".join(code(label) for label in labels), family.documentation


def all_metrics() -> str:
    """One row per family."""
    return table(("metric", "type", "labels", "meaning"), table_rows())


def _full_page() -> str:
    clock = ManualClock()
    told = Telemetry(clock, "0", "engine")
    told.passed(RolloutKey("default", "a"), _position(clock), _judgement(), 0.01)
    told.late(0.0)
    told.decided(Reason.PROMOTED.value)
    told.sampled("http://prometheus", 1, 0.1, 0)
    told.alert_tried("slack", "delivered")
    told.sourced("folder", clock.now() - timedelta(seconds=1))
    return told.render().decode()


def _position(clock: ManualClock) -> Position:
    split = Split(VersionName("v1"), VersionName("v2"), weight=10)
    mark = TrafficMark(split, None, clock.now())
    return Position(Phase.PROGRESSING, clock.now(), stable=VersionName("v1"), traffic=mark)


def _judgement() -> Judgement:
    stream = StreamVerdict(SloName("harm"), None, Verdict.PASS, OnBreach.ROLLBACK, 0.01)
    return Judgement((stream,), (LedgerVerdict(OnBreach.ROLLBACK, 0.0, 3.0, breached=False),))
