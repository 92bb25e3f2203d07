"""Pictures of a dashboard's data: the answers of a Prometheus as lines, in one SVG without scripts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

PANEL_WIDTH: Final = 380
PANEL_HEIGHT: Final = 190
COLUMNS: Final = 3
#: Room for the title above the lines and the legend below them.
TOP: Final = 24
BOTTOM: Final = 62
LEFT: Final = 48
LEGENDS: Final = 4
COLOURS: Final = ("#3274d9", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#b7950b", "#0b9ba3", "#5c5c5c")


@dataclass(frozen=True, slots=True)
class Line:
    """One series: seconds since 1970 and values."""

    legend: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Picture:
    """The lines of one panel."""

    title: str
    unit: str
    lines: Sequence[Line]


def svg(title: str, panels: Sequence[Picture], *, begin: float, end: float) -> str:
    """Return the picture of a dashboard."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * PANEL_WIDTH, rows * PANEL_HEIGHT + 30
    drawn = "".join(
        f'<g transform="translate({number % COLUMNS * PANEL_WIDTH},{number // COLUMNS * PANEL_HEIGHT + 30})">'
        f"{_panel(panel, begin, end)}</g>"
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        ' font-family="sans-serif" font-size="10">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="20" font-size="14">{escape(title)}'
        f" ({end - begin:.0f} s, plotted from Prometheus' answers; not Grafana)</text>{drawn}</svg>\n"
    )


def _panel(panel: Picture, begin: float, end: float) -> str:
    values = [value for line in panel.lines for _, value in line.points if math.isfinite(value)]
    highest = max(values, default=0) * 1.1 or 1.0
    right, lowest = PANEL_WIDTH - 12, PANEL_HEIGHT - BOTTOM

    def place(moment: float, value: float) -> str:
        x = LEFT + (moment - begin) / (end - begin) * (right - LEFT)
        return f"{x:.1f},{lowest - value / highest * (lowest - TOP):.1f}"

    drawn = [
        f'<text x="8" y="14" font-size="11" font-weight="bold">{escape(panel.title)}</text>',
        f'<path d="M{LEFT},{TOP}V{lowest}H{right}" fill="none" stroke="#999"/>',
        f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{_number(highest, panel.unit)}</text>',
        f'<text x="{LEFT - 4}" y="{lowest}" text-anchor="end">0</text>',
    ]
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(moment, value) for moment, value in line.points if math.isfinite(value))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
        if number < LEGENDS:
            legend = line.legend if number < LEGENDS - 1 or len(panel.lines) <= LEGENDS else "and others"
            y = lowest + 14 + 11 * number
            drawn.append(f'<text x="{LEFT}" y="{y}" fill="{colour}">{escape(legend[:52])}</text>')
    return "".join(drawn)


def _number(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:.0f} MB"
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    digits = ".0f" if value >= 100 else ".2g"
    return f"{value:{digits}} {'/s' if unit == 'ops' else 's' if unit == 's' else ''}".strip()
