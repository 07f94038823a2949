"""A line chart as SVG text: two axes, a few curves, a legend. The same text for the same figure."""

import math
from xml.sax.saxutils import escape

from benchmarks.decisions.results import Curve, Figure

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 420, 70, 50, 250, 60
COLOURS = ("#0b6e4f", "#c1121f", "#e07a1f", "#7b2cbf", "#1d4ed8", "#6b7280", "#111827", "#0e7490")
DASHES = ("", "", "6 3", "2 3", "8 3 2 3", "4 4", "1 4", "10 4")
FONT = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"'


def svg(figure: Figure) -> str:
    """The picture, readable on light and on dark pages."""
    across = _ticks([x for curve in figure.curves for x, _ in curve.points], log=False)
    heights = [y for curve in figure.curves for _, y in curve.points if y is not None]
    up = _ticks(heights, figure.log_up)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(figure.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" {FONT} font-weight="bold">{escape(figure.title)}</text>',
        *_axes(figure, across, up),
        *(line for n, curve in enumerate(figure.curves) for line in _curve(n, curve, across, up, figure.log_up)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(values: list[float], log: bool) -> list[float]:
    if log:
        least, most = math.floor(math.log10(max(min(values), 0.1))), math.ceil(math.log10(max(values)))
        return [10.0**power for power in range(least, max(most, least + 1) + 1)]
    low, high = min(0.0, *values), max(values)
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 8)
    return [step * n for n in range(math.floor(low / step), math.ceil(high / step - 1e-9) + 1)]


def _x(value: float, ticks: list[float]) -> float:
    return LEFT + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, ticks: list[float], log: bool) -> float:
    low, high, at = (math.log10(max(v, ticks[0])) if log else v for v in (ticks[0], ticks[-1], value))
    return HEIGHT - BOTTOM - (at - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _axes(figure: Figure, across: list[float], up: list[float]) -> list[str]:
    right, foot = WIDTH - RIGHT, HEIGHT - BOTTOM
    lines = []
    for value in up:
        y = _y(value, up, figure.log_up)
        lines.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {FONT}>{value:g}</text>')
    for value in across:
        x = _x(value, across)
        lines.append(f'<line x1="{x:.1f}" y1="{foot}" x2="{x:.1f}" y2="{foot + 5}" stroke="#6b7280"/>')
        lines.append(f'<text x="{x:.1f}" y="{foot + 20}" text-anchor="middle" {FONT}>{value:g}</text>')
    lines.append(f'<line x1="{LEFT}" y1="{foot}" x2="{right}" y2="{foot}" stroke="#6b7280"/>')
    middle = (LEFT + right) / 2
    lines.append(f'<text x="{middle:.0f}" y="{HEIGHT - 16}" text-anchor="middle" {FONT}>{escape(figure.across)}</text>')
    turned = f'transform="translate(18 {(TOP + foot) / 2:.0f}) rotate(-90)"'
    lines.append(f'<text {turned} text-anchor="middle" {FONT}>{escape(figure.up)}</text>')
    return lines


def _curve(n: int, curve: Curve, across: list[float], up: list[float], log: bool) -> list[str]:
    colour, dash = COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]
    style = f'stroke="{colour}" stroke-width="{3 if n == 0 else 2}" fill="none" stroke-dasharray="{dash}"'
    runs: list[list[str]] = [[]]
    dots = []
    for x, y in curve.points:
        if y is None:
            runs.append([])
            continue
        at = f"{_x(x, across):.1f},{_y(y, up, log):.1f}"
        runs[-1].append(at)
        dots.append('<circle cx="{}" cy="{}" r="2.5" fill="{}"/>'.format(*at.split(","), colour))
    lines = [f'<polyline points="{" ".join(run)}" {style}/>' for run in runs if len(run) > 1]
    right, y = WIDTH - RIGHT + 16, TOP + 8 + 22 * n
    key = f'<line x1="{right}" y1="{y}" x2="{right + 26}" y2="{y}" {style}/>'
    label = escape(curve.label if dots else f"{curve.label}: never")
    return [*lines, *dots, key, f'<text x="{right + 34}" y="{y + 4}" {FONT}>{label}</text>']
