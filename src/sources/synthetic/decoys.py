"""Paints what stands beside people, or before them, and looks like a part of them. It is no person."""

from typing import Any

import numpy as np

from src.sources.synthetic.basics import Array, Rng, ellipse, pick, rect, turn
from src.sources.synthetic.layer import Grid, Layer, Light, ground_shadow
from src.sources.synthetic.look import fabric

# Parts of a thing: which of its cloths, how round (0..1), and polygons with y up and the thing's height as the unit.
BAR = 0.025
WHEELS = [(0, 0.3, [ellipse(x, 0.1, 0.1, 0.1)]) for x in (-0.28, 0.28)]
HOOD = np.concatenate([ellipse(-0.1, 0.55, 0.38, 0.4)[5:16], [(-0.1, 0.55)]])
PRAM = [[(0.2, 0.4), (0.55, 1), (0.6, 1), (0.25, 0.4)], [(-0.3, 0.1), (0.2, 0.5), (0.24, 0.47), (-0.26, 0.1)]]
RAIL = [rect(-1.6, y, 1.6, y + 2 * BAR) for y in (0.1, 0.95)]
DECOYS: dict[str, list[tuple[int, float, Any]]] = {
    "suitcase": [
        (0, 0.1, [rect(x, 0.6, x + BAR, 1) for x in (-0.15, 0.125)] + [rect(-0.15, 0.97, 0.15, 1.02)]),
        (1, 0.6, [rect(-0.3, 0.03, 0.3, 0.72)]),
        (2, 0.3, [rect(-0.22, 0.12, 0.22, 0.34)]),
    ],
    "pram": [
        (0, 0.1, PRAM),
        *WHEELS,
        (1, 0.8, [[(-0.48, 0.6), (0.34, 0.6), (0.26, 0.28), (-0.36, 0.28)]]),
        (2, 0.6, [HOOD]),
    ],
    "trolley": [
        *WHEELS,
        (3, 0.1, [[(-0.45, 0.85), (0.4, 0.85), (0.3, 0.4), (-0.36, 0.4)]]),
        (0, 0.1, [rect(-0.36, 0.2, 0.34, 0.24), rect(0.3, 0.2, 0.34, 1), rect(0.28, 0.96, 0.5, 1)]),
    ],
    "chair": [
        (0, 0.2, [rect(x, 0, x + 2 * BAR, 0.5) for x in (-0.3, -0.12, 0.08, 0.26)]),
        (1, 0.5, [rect(-0.28, 0.52, 0.28, 1)]),
        (2, 0.5, [rect(-0.33, 0.4, 0.33, 0.53)]),
    ],
    "armchair": [
        (1, 0.9, [rect(-0.5, 0.3, 0.5, 1)]),
        (1, 0.8, [rect(-0.65, 0, -0.42, 0.62)]),
        (1, 0.8, [rect(0.42, 0, 0.65, 0.62)]),
        (2, 0.9, [rect(-0.44, 0.02, 0.44, 0.46)]),
    ],
    "cushion": [
        (1, 1.5, [[(-0.5, 0), (0, 0.06), (0.5, 0), (0.45, 0.5), (0.5, 1), (0, 0.95), (-0.5, 1), (-0.45, 0.5)]])
    ],
    "rail": [(0, 0.3, RAIL + [rect(x, 0, x + BAR, 1) for x in np.linspace(-1.6, 1.6, 17)])],
    "machine": [
        (0, 0.3, [rect(-0.4, 0, -0.34, 1), rect(-0.4, 0, 0.5, 0.06), rect(-0.6, 0.9, 0.3, 0.95)]),
        (0, 0.3, [[(-0.37, 0.4), (0.45, 0.05), (0.45, 0.12), (-0.37, 0.48)]]),
        (1, 0.7, [rect(0.05, 0.3, 0.5, 0.42), [(0.4, 0.35), (0.55, 0.8), (0.65, 0.78), (0.5, 0.32)]]),
        *[(2, 0.4, [ellipse(x, 0.92, 0.05, 0.16)]) for x in (-0.62, -0.55, 0.3)],
    ],
    "rack": [
        (0, 0.2, [rect(-0.72, 0, -0.69, 1), rect(0.69, 0, 0.72, 1), rect(-0.72, 0.97, 0.72, 1)]),
        *[
            (k % 6, 0.7, [[(x, 0.95), (x + 0.09, 0.88), (x + 0.1, 0.3), (x - 0.1, 0.32), (x - 0.09, 0.88)]])
            for k, x in enumerate(np.linspace(-0.58, 0.58, 9))
        ],
    ],
    "drape": [(1, 0.4, [[(-0.35, 1), (0.3, 0.97), (0.42, 0.5), (0.36, 0), (-0.4, 0.03), (-0.3, 0.5)]])],
}


def put_decoy(rng: Rng, light: Light, foot: Array, picture: Array, alpha: Array, *, height: float) -> None:
    """Puts one of DECOYS, `height` pixels high, at `foot` (2,) into the picture (S, S, 3), before the alpha (S, S)."""
    layer, lean = Layer(len(picture), light), turn(2, float(rng.normal(0, 6)))[:2, :2]
    squeeze = np.array([pick(rng, (-1, 1)) * rng.uniform(0.6, 1.3), -1]) * height
    cloths = [fabric(rng) for _ in range(6)]
    grid = Grid(foot, np.array([0.0, 1.0]), height * float(rng.uniform(0.3, 1)))
    for cloth, relief, polygons in DECOYS[pick(rng, list(DECOYS))]:
        shape = [np.asarray(polygon, float) * squeeze @ lean + foot for polygon in polygons]
        layer.paint(shape, cloths[cloth], relief * height * 0.1, shadow=0.3, folds=0.5 * relief, grid=grid)
    ground_shadow(picture, layer.alpha, foot[1], light)
    layer.onto(picture)
    alpha *= 1 - layer.alpha
