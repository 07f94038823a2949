"""A backtest as a picture: rates with their intervals, evidence against its limit, weight, and what was decided."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from controller.cli import words
from controller.cli.reasons import sentence
from controller.cli.svg import Across, Band, Level, Line, Mark, Panel, Tone, draw
from controller.decision.replay import Step
from controller.domain.decision import Reason
from controller.domain.names import VersionName
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.state import Phase
from controller.domain.verdict import StreamVerdict

MOST = 300
"""Points of a curve; a longer history is thinned out, but for the ticks at which something happened."""
MOST_MARKS = 24
LATELY = 40
"""The recent rate is that of this part of the whole time."""
Series = list[tuple[float, StreamVerdict]]
STREAMS = 5
E_LOW, E_HIGH = 1e-3, 1e9
MARKED: dict[Reason, Tone] = {
    Reason.STAGE_ENTERED: "plain",
    Reason.BREACHED: "bad",
    Reason.WITHDRAWN: "bad",
    Reason.HELD: "bad",
    Reason.BLIND: "bad",
    Reason.SIGHT_BACK: "plain",
    Reason.ALERT_SLO: "bad",
    Reason.ROLLBACK_VERIFIED: "bad",
    Reason.PROMOTED: "good",
}
MINUTE = 60
STEPS = tuple(
    n * MINUTE for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5 * 1440, 7 * 1440, 30 * 1440)
)


class Sketch:
    """Gathers steps; `svg` draws them."""

    def __init__(self, rollout: ModelRollout, stable: VersionName) -> None:
        self._rollout, self._stable = rollout, stable
        self._steps: list[Step] = []
        self._count, self._stride = 0, 1
        self._marks: list[Mark] = []
        self._newest: Step | None = None

    def add(self, step: Step) -> None:
        """The next tick."""
        if self._count % self._stride == 0 or step.notices:
            self._steps.append(step)
        self._count += 1
        self._newest = step
        self._mark(step)
        if len(self._steps) > 2 * MOST:
            self._steps = [one for n, one in enumerate(self._steps) if n % 2 == 0 or one.notices]
            self._stride *= 2

    def _mark(self, step: Step) -> None:
        for notice in step.notices:
            if notice.reason in MARKED and len(self._marks) < MOST_MARKS:
                words_of_it = sentence({"reason": notice.reason.value, "facts": dict(notice.facts)})
                label = f"{step.at:%Y-%m-%d %H:%M:%S}  {words_of_it}"
                self._marks.append(Mark(step.at.timestamp(), label, MARKED[notice.reason]))

    def svg(self) -> str:
        """The picture as text; the same for the same steps."""
        steps = self._steps
        if self._newest is not None and self._newest is not steps[-1]:
            steps = [*steps, self._newest]
        begin, end = steps[0].at - self._rollout.interval, steps[-1].at
        across = Across(begin.timestamp(), end.timestamp(), list(_places(begin, end)), "UTC")
        judged = _until_the_end(steps)
        panels = [*_rates(judged, (end - begin) / LATELY), _evidence(judged), _weights(steps)]
        title = f"{self._rollout.key}: {self._stable} → {self._rollout.version}"
        return draw(f"{title}, {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}", across, panels, self._marks)


def _until_the_end(steps: Sequence[Step]) -> Sequence[Step]:
    """Without the ticks after the run's end, which were not judged."""
    ended = (n for n, step in enumerate(steps) if step.phase in (Phase.ROLLED_BACK, Phase.COMPLETED))
    return steps[: next(ended, len(steps)) + 1]


def _places(begin: datetime, end: datetime) -> Iterator[tuple[float, str]]:
    """Round times, about eight."""
    span = (end - begin).total_seconds()
    size = next((one for one in STEPS if span / one <= 8), STEPS[-1])
    if span < 2 * MINUTE:
        size = 15
    at = -(-begin.timestamp() // size) * size
    while at <= end.timestamp():
        moment = datetime.fromtimestamp(at, UTC)
        form = "%m-%d" if size >= 1440 * MINUTE else "%H:%M:%S" if size < MINUTE else "%H:%M"
        yield at, f"{moment:%m-%d %H:%M}" if size >= 360 * MINUTE and form == "%H:%M" else f"{moment:{form}}"
        at += size


def _pooled(step: Step) -> dict[str, StreamVerdict]:
    return {
        one.slo: one
        for one in step.judgement.streams
        if one.scenario is None and one.against == "objective" and one.objective is not None and one.value is None
    }


def _rates(steps: Sequence[Step], window: timedelta) -> Iterator[Panel]:
    """One panel per SLO with a rate."""
    series: dict[str, Series] = {}
    for step in steps:
        for name, one in _pooled(step).items():
            if one.rate is not None:
                series.setdefault(name, []).append((step.at.timestamp(), one))
    for colour, (name, found) in enumerate(series.items()):
        limit = found[-1][1].objective or 0.0
        recent = _recent(found, window.total_seconds())
        so_far = Line("so far", [(at, one.rate) for at, one in found], colour, wide=True)
        lately = Line(f"last {words.span(window.total_seconds())}", recent, colour, dashed=True)
        band = Band("where it may be (95 %)", [(at, one.lower, one.upper) for at, one in found], colour)
        level = Level(limit, f"objective {words.percent(limit)}")
        top = _top(found, recent, limit)
        yield Panel(f"{name}: rate of bad answers", 0.0, top, [so_far, lately], [band], [level], write=words.percent)


def _recent(found: Series, window: float) -> list[tuple[float, float | None]]:
    """The rate in the window before each point; None without answers in it."""
    lately: list[tuple[float, float | None]] = []
    first = 0
    for at, one in found:
        while found[first][0] < at - window:
            first += 1
        before = found[first][1] if first else None
        bad, total = (one.bad - before.bad, one.total - before.total) if before else (one.bad, one.total)
        lately.append((at, bad / total if total > 0 else None))
    return lately


def _top(found: Series, recent: Sequence[tuple[float, float | None]], limit: float) -> float:
    """Room for the limit and for the rates once they are more than noise; a wide young interval may be cut."""
    whole = found[-1][1].total
    settled = [n for n, (_, one) in enumerate(found) if one.total >= whole / 10]
    rates = [found[n][1].rate or 0.0 for n in settled] + [recent[n][1] or 0.0 for n in settled]
    return min(1.0, max(2.5 * limit, 1.2 * max(rates, default=0.0), 1.1 * min(found[-1][1].upper, 5 * limit)))


def _evidence(steps: Sequence[Step]) -> Panel:
    """All of the rollback ledger, and the streams that came highest."""
    from controller.cli.backtest_told import evidence

    times = [step.at.timestamp() for step in steps]
    whole = [evidence(step.ledger.log_e) if step.ledger else None for step in steps]
    limit = next((evidence(step.ledger.log_limit) for step in steps if step.ledger), 20.0)
    streams = _highest(steps)
    lines = [
        Line(label, list(zip(times, values, strict=True)), colour)
        for colour, (label, values) in enumerate(streams.items(), 1)
    ]
    lines.insert(0, Line("all, to roll back", list(zip(times, whole, strict=True)), 0, wide=True))
    seen = [value for line in lines for _, value in line.points if value is not None]
    high = min(E_HIGH, max([10 * limit, *(2 * value for value in seen)]))
    low = max(E_LOW, min([0.1, *(value for value in seen if value > 0)]))
    return Panel(
        "evidence that it is bad (E, log scale)",
        low,
        high,
        lines,
        levels=[Level(limit, f"rolls back at {limit:.4g}")],
        log=True,
        height=170,
    )


def _highest(steps: Sequence[Step]) -> dict[str, list[float | None]]:
    from controller.cli.backtest_told import evidence

    table: dict[str, list[float | None]] = {}
    for number, step in enumerate(steps):
        for one in step.judgement.streams:
            if one.value is None and one.against != "change":
                row = table.setdefault(_label(one), [None] * len(steps))
                row[number] = evidence(one.log_e)
    peaks = sorted(table, key=lambda label: -max(value for value in table[label] if value is not None))
    return {label: table[label] for label in peaks[:STREAMS]}


def _label(one: StreamVerdict) -> str:
    name = f"{one.slo}/{one.scenario}" if one.scenario else one.slo
    return name if one.against == "objective" else f"{name} (against {one.against})"


def _weights(steps: Sequence[Step]) -> Panel:
    times = [steps[0].at.timestamp() - 1e-3, *(step.at.timestamp() for step in steps)]
    live = [0.0, *(float(step.weight) for step in steps)]
    copies = [0.0, *(float(_mirrored(step)) for step in steps)]
    lines = [Line("live", list(zip(times, live, strict=True)), 0, wide=True, step=True)]
    if any(copies):
        lines.append(Line("copies (shadow)", list(zip(times, copies, strict=True)), 1, dashed=True, step=True))
    title = "requests that the candidate gets (%)"
    return Panel(title, 0.0, 100.0, lines, height=90)


def _mirrored(step: Step) -> int:
    split, run = step.place.split(), step.place.run
    shadow = run is not None and run.current.kind is StageKind.SHADOW
    return split.mirror if split and shadow else 0
