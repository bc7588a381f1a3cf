"""The colours that people, clothes and backgrounds come in, and how one of them is drawn."""

from collections.abc import Sequence

import numpy as np

from src.sources.synthetic.basics import Array, Rng, pick

# fmt: off
SKINS = ("#f6d7c3", "#eec1a2", "#e0ac87", "#d09a70", "#b97f56", "#9a6440", "#7a4b2e", "#62402a", "#4e3222")
HAIRS = ("#17120f", "#2b1c14", "#3f2a1b", "#5c3b22", "#7e5530", "#b08a52", "#d8bd84", "#8f3f1f", "#8d8a86", "#d2d0cc")
CLOTHS = (
    "#20242c", "#3b4250", "#6d7684", "#b9bec6", "#eceae4", "#d8cbb0", "#9c8461", "#6a4c35", "#7c1f26", "#b3392f",
    "#d9763c", "#e3b23c", "#7d8b3c", "#3c6b45", "#1f4d46", "#2d7f86", "#4f8fc0", "#2c5aa0", "#222f5c", "#5b3f7d",
    "#a1548a", "#d88aa0", "#c9a3b8", "#e8d5c4",
)
TROUSERS = (
    "#1f2733", "#2d3f5e", "#4a6284", "#7690ad", "#23211f", "#4b4a48", "#8a7a5f", "#b7a688", "#5a4433", "#39422f",
)
SHOES = ("#1b1918", "#3b2a20", "#6e4a2d", "#e9e7e2", "#8c8f94", "#a63a34", "#2a3b66")
SOLES = ("#f2f0ea", "#26221f", "#b08a5c")
SURFACES = (
    "#b9a58c", "#a5533f", "#c7b9a4", "#8c8b88", "#d6c7a1", "#7b6a5c", "#9fb0ba", "#c98f6a", "#8a9a83", "#e0d8cc",
)
VIVID = (
    "#c2362f", "#e0a526", "#2f74b5", "#3a8f57", "#8a4fa0", "#e27a2e", "#e8e4da", "#2a2d33", "#d9a07e", "#8b5a3c",
    "#e9c3a6", "#27a0a8",
)
LEAVES = ("#4e7a3a", "#6b8f3f", "#3c6339", "#8a9a3e", "#3f6a48", "#b0793a")
STONES = ("#8b8b8b", "#a39b90", "#77797d", "#b5ac9e")
WOODS = ("#9c7b56", "#b58d62", "#7a5a3f", "#5a4636", "#c8b08e")
SKIES = (
    ("#5d93cf", "#cfe2f0"), ("#9fb4c6", "#dfe5e8"), ("#7fb0dc", "#f3e6d2"), ("#5c6f93", "#eab98f"),
    ("#c3ccd4", "#eceff0"),
)
# fmt: on
GOODS = VIVID + CLOTHS + SKINS[1:6]  # what is on shelves has the colours of people too


def rgb(code: str) -> Array:
    """'#rrggbb' as (3,) float32 in 0..1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def tint(rng: Rng, codes: Sequence[str], spread: float = 0.05) -> Array:
    """One of the colours, a little changed: (3,) float32."""
    return np.clip(rgb(pick(rng, codes)) * rng.uniform(1 - spread, 1 + spread, 3), 0.02, 1).astype(np.float32)
