"""Charts as SVG for our HTML pages: drawn by matplotlib in colours that stand out on a light and on a dark page.

Black text gets no colour in matplotlib's SVG, so that it is the page's style sheet that gives it one, and a font.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

# By a variant's place; where there are more variants, they share them, dashed. The contrast of each with the panels of
# light and of dark pages is 3.6 or more.
COLOURS = ("#1a958c", "#d4652a", "#4a84cc", "#c2559a", "#9c8010", "#8570d6", "#5f942c", "#85817a")
GRID = "#80808050"
BINS = 20  # of a histogram
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}
NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])
SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class Line(NamedTuple):
    """One variant's curve: x and y (N,), and the place of the point to mark."""

    number: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    mark: int


def lines(name: str, curves: Sequence[Line], x_label: str, y_label: str, y_range: tuple[float, float]) -> Markup:
    """All variants' curves in one chart; the first of them is drawn last, over the others."""
    with _chart(name, 4.6, 2.9) as (figure, axes):
        for curve in reversed(curves):
            style = "-" if curve.number < len(COLOURS) else "--"
            axes.plot(curve.x, curve.y, style, color=colour(curve.number))
            axes.plot(curve.x[curve.mark], curve.y[curve.mark], "o", color=colour(curve.number), markersize=5)
        axes.set(xlabel=x_label, ylabel=y_label, ylim=y_range)
        axes.margins(x=0.02)
        return _svg(figure)


def intervals(name: str, labels: Sequence[str], values: Sequence[tuple[float, float, float]], x_label: str) -> Markup:
    """A dot with its interval per variant, the first on top; `values` are (middle, low, high)."""
    with _chart(name, 4.6, 0.7 + 0.27 * len(labels)) as (figure, axes):
        for place, (middle, low, high) in enumerate(values):
            axes.plot([low, high], [place, place], color=colour(place), linewidth=3, alpha=0.45)
            axes.plot(middle, place, "o", color=colour(place), markersize=7)
        axes.set(xlabel=x_label, ylim=(len(labels) - 0.4, -0.6))
        axes.set_yticks(range(len(labels)), labels)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        return _svg(figure)


def points(name: str, values: Sequence[tuple[float, float, float, float]], x_label: str, y_label: str) -> Markup:
    """A dot with its interval per variant over its cost, on a log scale; `values` are (cost, middle, low, high)."""
    with _chart(name, 4.6, 2.9) as (figure, axes):
        for place, (cost, middle, low, high) in reversed(list(enumerate(values))):
            axes.plot([cost, cost], [low, high], color=colour(place), linewidth=3, alpha=0.3)
            axes.plot(cost, middle, "o", color=colour(place), markersize=7)
        axes.set(xlabel=x_label, ylabel=y_label, xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.1)
        return _svg(figure)


def bars(name: str, table: pd.DataFrame, number: int = 0, x_label: str = "", *, small: bool = False) -> Markup:
    """A histogram: `table` has a column of left edges, then one of counts; a `small` one is one of many."""
    left, counts = (table[column].to_numpy(dtype=float) for column in table.columns)
    step = float(np.diff(left).min())
    with _chart(name, *((1.75, 1.05) if small else (4.6, 1.9))) as (figure, axes):
        axes.bar(left + step / 2, counts, width=step * 0.86, color=colour(number))
        axes.set(xlabel=x_label, ylabel="" if small else table.columns[1], xlim=(0, 1))
        axes.set_xticks([0, 0.5, 1] if small else np.linspace(0, 1, 11))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        axes.grid(visible=False, axis="x")
        return _svg(figure)


def histogram(values: NDArray[np.float64] | Sequence[float], name: str) -> pd.DataFrame:
    """How many photos have how much of `name`, a share from 0 to 1: a row per twentieth, by its lower edge."""
    counts, edges = np.histogram(values, np.linspace(0, 1, BINS + 1))
    return pd.DataFrame({name: edges[:-1].round(2), "photos": counts})


def colour(place: int) -> str:
    """That of the variant at `place`, from 0."""
    return COLOURS[place % len(COLOURS)]


@contextmanager
def _chart(name: str, width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    # `name` salts the ids inside the SVG: the same on every run, and different from the other charts of the page.
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> Markup:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    root = ElementTree.fromstring(buffer.getvalue())
    root.set("aria-hidden", "true")
    for group in root.iter(f"{{{SVG}}}g"):
        group.attrib.pop("id", None)  # nothing refers to it, and every chart of the page has the same
    return Markup(ElementTree.tostring(root, encoding="unicode"))
