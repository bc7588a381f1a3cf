"""Charts as SVG for our HTML pages: drawn by matplotlib, coloured by the page, so that they follow dark mode.

Matplotlib wants real colours, so every role is drawn in a colour of its own that stands for a variable of the page's
style sheet (`--ink`, `--grid`, `--s0` ...), and is replaced by it afterwards. Text stays text, in the page's font.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

SERIES = 8  # colours of the style sheet; more variants than that share them, dashed
BINS = 20  # of a histogram
INK, GRID = "#010101", "#020202"
COLOURS = [f"#0300{number:02x}" for number in range(SERIES)]
ROLES = {INK: "var(--ink-2)", GRID: "var(--line)"} | {c: f"var(--s{i})" for i, c in enumerate(COLOURS)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


class Line(NamedTuple):
    """One variant's curve: x and y (N,), and a spot (x, y) on it to mark."""

    number: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    mark: tuple[float, float]


def lines(name: str, curves: Sequence[Line], x_label: str, y_label: str, y_range: tuple[float, float]) -> Markup:
    """All variants' curves in one chart; the first of them is drawn last, over the others."""
    with _chart(name, 4.6, 2.9) as (figure, axes):
        for curve in reversed(curves):
            colour = COLOURS[curve.number % SERIES]
            axes.plot(curve.x, curve.y, color=colour, linestyle="--" if curve.number >= SERIES else "-")
            axes.plot(*curve.mark, "o", color=colour, markersize=5)
        axes.set(xlabel=x_label, ylabel=y_label, ylim=y_range)
        axes.margins(x=0.02)
        return _svg(name, figure)


def intervals(name: str, labels: Sequence[str], values: Sequence[tuple[float, float, float]], x_label: str) -> Markup:
    """A dot with its interval per variant, the first on top; `values` are (middle, low, high)."""
    with _chart(name, 4.6, 0.7 + 0.27 * len(labels)) as (figure, axes):
        for place, (middle, low, high) in enumerate(values):
            colour = COLOURS[place % SERIES]
            axes.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.45)
            axes.plot(middle, place, "o", color=colour, markersize=7)
        axes.set(xlabel=x_label, ylim=(len(labels) - 0.4, -0.6))
        axes.set_yticks(range(len(labels)), labels)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        return _svg(name, figure)


def points(name: str, values: Sequence[tuple[float, float, float, float]], x_label: str, y_label: str) -> Markup:
    """A dot with its interval per variant over its cost, on a log scale; `values` are (cost, middle, low, high)."""
    with _chart(name, 4.6, 2.9) as (figure, axes):
        for place, (cost, middle, low, high) in reversed(list(enumerate(values))):
            colour = COLOURS[place % SERIES]
            axes.plot([cost, cost], [low, high], color=colour, linewidth=3, alpha=0.3)
            axes.plot(cost, middle, "o", color=colour, markersize=7)
        axes.set(xlabel=x_label, ylabel=y_label, xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.1)
        return _svg(name, figure)


def bars(name: str, table: pd.DataFrame, number: int = 0, x_label: str = "", *, small: bool = False) -> Markup:
    """A histogram: `table` has a column of left edges, then one of counts; a `small` one is one of many."""
    left, counts = (table[column].to_numpy(dtype=float) for column in table.columns)
    step = float(np.diff(left).min())
    with _chart(name, *((1.75, 1.05) if small else (4.6, 1.9))) as (figure, axes):
        axes.bar(left + step / 2, counts, width=step * 0.86, color=COLOURS[number % SERIES])
        axes.set(xlabel=x_label, ylabel="" if small else table.columns[1], xlim=(0, 1))
        axes.set_xticks([0, 0.5, 1] if small else np.linspace(0, 1, 11))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        axes.grid(visible=False, axis="x")
        return _svg(name, figure)


def histogram(values: NDArray[np.float64], name: str) -> pd.DataFrame:
    """How many photos have how much of `name`, a share from 0 to 1: a row per twentieth, by its lower edge."""
    counts, edges = np.histogram(values, np.linspace(0, 1, BINS + 1))
    return pd.DataFrame({name: edges[:-1].round(2), "photos": counts})


@contextmanager
def _chart(name: str, width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    # `name` salts the ids inside the SVG: the same on every run, and different from the other charts of the page.
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def _svg(name: str, figure: Figure) -> Markup:
    buffer = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=empty)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r'\bid="(?!p[0-9a-f]{8,}|m[0-9a-f]{8,})[^"]*"', "", svg)  # what nothing refers to, and repeats
    svg = svg.replace("xlink:href", "href")
    for colour, variable in ROLES.items():
        svg = svg.replace(colour, variable)
    return Markup(re.sub(r"\s*\n\s*", "\n", svg))
