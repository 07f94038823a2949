"""Charts as SVG text, readable on light and on dark pages. The same text for the same chart. Pure."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, HEAD, GAP, FOOT, ROW = 980, 76, 236, 56, 40, 44, 18
FONT = 'font-family="system-ui, sans-serif" font-size="12"'
LIGHT = ("#1d4ed8", "#b45309", "#0f766e", "#7e22ce", "#be123c", "#4d7c0f", "#0369a1", "#57534e")
DARK = ("#7aa2ff", "#f0a868", "#4fd1c5", "#c99cff", "#ff8aa0", "#a3d65c", "#62c6ff", "#c4bfb8")
TONES = {"plain": ("#6b7280", "#9ca3af"), "good": ("#15803d", "#6ee7a0"), "bad": ("#b91c1c", "#ff8f8f")}
Tone = Literal["plain", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve; a None breaks it. `step`: a value holds until the next one. `colour` counts through the palette."""

    label: str
    points: Sequence[tuple[float, float | None]]
    colour: int = 0
    wide: bool = False
    dashed: bool = False
    step: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between a lower and an upper value."""

    label: str
    points: Sequence[tuple[float, float, float]]
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """A limit, as a dashed line with its words."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of several that share the axis across. `low` and `high` are the ends of its own axis."""

    title: str
    low: float
    high: float
    lines: Sequence[Line] = ()
    bands: Sequence[Band] = ()
    levels: Sequence[Level] = ()
    log: bool = False
    height: int = 120
    write: Callable[[float], str] = "{:g}".format

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the foot, 1 at the top; what is beyond the ends is drawn at the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a place across: a line through all panels with a number, and words below."""

    at: float
    label: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Across:
    """The axis that all panels share: its ends, and the places that are written."""

    low: float
    high: float
    places: Sequence[tuple[float, str]]
    title: str = ""

    def x(self, value: float) -> float:
        """Pixels."""
        at = min(max(value, self.low), self.high)
        return LEFT + (at - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)


def draw(title: str, across: Across, panels: Sequence[Panel], marks: Sequence[Mark] = ()) -> str:
    """The whole picture."""
    tops = [HEAD + GAP * (n + 1) + sum(one.height for one in panels[:n]) for n in range(len(panels))]
    foot = tops[-1] + panels[-1].height
    height = foot + FOOT + ROW * len(marks) + (24 if marks else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(LEFT, 30, title, "ink", 'font-size="15" font-weight="bold"'),
        *_places(across, tops[0], foot),
        *(line for top, panel in zip(tops, panels, strict=True) for line in _panel(panel, across, top)),
        *_marks(marks, across, tops[0], foot),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _style() -> str:
    def rules(page: str, ink: str, soft: str, grid: str, palette: Sequence[str], dark: int) -> str:
        found = [f".page{{fill:{page}}}.ink{{fill:{ink}}}.soft{{fill:{soft}}}.grid{{stroke:{grid}}}"]
        found.append(f".axis{{stroke:{soft}}}.halo{{fill:{page}}}")
        found += [
            f".l{n}{{stroke:{one};fill:none}}.b{n}{{fill:{one};fill-opacity:.16}}" for n, one in enumerate(palette)
        ]
        found += [f".{name}{{stroke:{both[dark]}}}.{name}-ink{{fill:{both[dark]}}}" for name, both in TONES.items()]
        return "".join(found)

    light = rules("#ffffff", "#1f2937", "#6b7280", "#e5e7eb", LIGHT, 0)
    dark = rules("#0d1117", "#e6edf3", "#9aa4b0", "#2a313b", DARK, 1)
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"


def _text(x: float, y: float, text: str, kind: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" {more}>{escape(text)}</text>'


def _places(across: Across, top: float, foot: float) -> Iterator[str]:
    for value, label in across.places:
        x = across.x(value)
        yield f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{foot}" class="grid"/>'
        yield _text(x, foot + 18, label, "soft", 'text-anchor="middle"')
    yield _text(WIDTH - RIGHT + 16, foot + 18, across.title, "soft")


def _panel(panel: Panel, across: Across, top: float) -> Iterator[str]:
    right, foot = WIDTH - RIGHT, top + panel.height

    def y(value: float) -> float:
        return foot - panel.share(value) * panel.height

    yield _text(LEFT, top - 10, panel.title, "ink", 'font-weight="bold"')
    for value in ticks(panel.low, panel.high, panel.log):
        yield f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{right}" y2="{y(value):.1f}" class="grid"/>'
        yield _text(LEFT - 8, y(value) + 4, panel.write(value), "soft", 'text-anchor="end"')
    yield f'<line x1="{LEFT}" y1="{foot}" x2="{right}" y2="{foot}" class="axis"/>'
    for band in panel.bands:
        ends = [f"{across.x(x):.1f},{y(high):.1f}" for x, _, high in band.points]
        ends += [f"{across.x(x):.1f},{y(low):.1f}" for x, low, _ in reversed(band.points)]
        yield f'<polygon points="{" ".join(ends)}" class="b{band.colour % len(LIGHT)}"/>'
    for level in panel.levels:
        yield (
            f'<line x1="{LEFT}" y1="{y(level.value):.1f}" x2="{right}" y2="{y(level.value):.1f}" class="bad" '
            'stroke-width="1.4" stroke-dasharray="6 4"/>'
        )
    for line in panel.lines:
        yield from _curve(line, across, y)
    yield from _legend(panel, top)


def _curve(line: Line, across: Across, y: Callable[[float], float]) -> Iterator[str]:
    runs: list[list[str]] = [[]]
    last: float | None = None
    for at, value in line.points:
        if value is None:
            runs.append([])
        else:
            x = f"{across.x(at):.1f}"
            if line.step and runs[-1] and last is not None:
                runs[-1].append(f"{x},{y(last):.1f}")
            runs[-1].append(f"{x},{y(value):.1f}")
        last = value
    for run in runs:
        if run:
            yield f'<polyline points="{" ".join(run)}" {_stroke(line)}/>'


def _stroke(line: Line) -> str:
    dash = ' stroke-dasharray="5 3"' if line.dashed else ""
    return f'class="l{line.colour % len(LIGHT)}" stroke-width="{2.6 if line.wide else 1.6}"{dash}'


def _legend(panel: Panel, top: float) -> Iterator[str]:
    right, y = WIDTH - RIGHT + 16, top + 8.0
    for line in panel.lines:
        yield f'<line x1="{right}" y1="{y:.1f}" x2="{right + 24}" y2="{y:.1f}" {_stroke(line)}/>'
        yield _text(right + 32, y + 4, line.label, "ink")
        y += ROW
    for band in panel.bands:
        yield f'<rect x="{right}" y="{y - 6:.1f}" width="24" height="12" class="b{band.colour % len(LIGHT)}"/>'
        yield _text(right + 32, y + 4, band.label, "ink")
        y += ROW
    for level in panel.levels:
        x2 = right + 24
        yield f'<line x1="{right}" y1="{y:.1f}" x2="{x2}" y2="{y:.1f}" class="bad" stroke-dasharray="6 4"/>'
        yield _text(right + 32, y + 4, level.label, "bad-ink")
        y += ROW


def _marks(marks: Sequence[Mark], across: Across, top: float, foot: float) -> Iterator[str]:
    """Numbers of marks that lie close together stand side by side."""
    free = 0.0
    for number, mark in enumerate(marks, 1):
        x = across.x(mark.at)
        at = max(x, free)
        free = at + 17
        ends = f'x1="{x:.1f}" y1="{top - 28}" x2="{x:.1f}" y2="{foot}"'
        yield f'<line {ends} class="{mark.tone}" stroke-dasharray="2 3"/>'
        yield f'<circle cx="{at:.1f}" cy="{top - 36}" r="8" class="{mark.tone}-ink"/>'
        yield _text(at, top - 32, str(number), "halo", 'text-anchor="middle" font-size="11" font-weight="bold"')
        y = foot + FOOT + ROW * number
        yield _text(LEFT + 18, y, str(number), f"{mark.tone}-ink", 'text-anchor="end" font-weight="bold"')
        yield _text(LEFT + 28, y, mark.label, "ink")


def ticks(low: float, high: float, log: bool, most: int = 5) -> list[float]:
    """Round values from `low` to `high`."""
    if log:
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        return [10.0**power for power in powers if power % max(1, math.ceil(len(powers) / most)) == 0]
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    size *= next(times for times in (1, 2, 5, 10) if (high - low) / (size * times) <= most)
    return [size * n for n in range(math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9) + 1)]
