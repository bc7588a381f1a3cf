"""Paints hair, beards and hats."""

from typing import Any

import numpy as np

from src.sources.synthetic.basics import Array, Shape, noise, normalised, smooth, sweep
from src.sources.synthetic.head import Head

# Hairline: height on the head (centre 0, crown 0.5) at these degrees from the nose.
HAIRLINE_AT = (0, 30, 55, 70, 85, 100, 125, 180)
HAIRLINES = {
    "short": (0.33, 0.34, 0.26, 0.10, -0.06, 0.02, -0.26, -0.34),
    "fringe": (0.19, 0.18, 0.16, 0.02, -0.12, 0, -0.30, -0.38),
    "high": (0.45, 0.47, 0.40, 0.16, -0.04, 0.02, -0.24, -0.32),
    "tied": (0.32, 0.33, 0.28, 0.15, 0, 0.06, -0.22, -0.34),
    "long": (0.33, 0.30, 0.16, 0.06, -0.05, -0.16, -0.3, -0.36),
    "long_fringe": (0.18, 0.16, 0.08, 0.04, -0.05, -0.16, -0.3, -0.36),
}


def cap_of_hair(head: Head) -> None:
    """The hair that lies on the skull, down to the hairline."""
    name, swell, _, extra = head.look.style
    found = head.ellipsoid([0, 0.13, -0.04], np.array([0.385, 0.385, 0.465]) * swell) if name else None
    if found is None:
        return
    view, edge, local, lit = found
    x, y, z = np.moveaxis(local, -1, 0)
    curly = extra in ("curls", "afro")
    ragged = noise(head.brush.rng, edge.shape, (30, 30) if curly else (8, 34))
    line = np.interp(np.degrees(np.arctan2(np.abs(x), z)), HAIRLINE_AT, HAIRLINES[name]).astype(np.float32)
    inside = np.minimum(edge + ragged * (0.014 if curly else 0.006), y - line + ragged * (0.01 if curly else 0.02))
    if head.frame[2, 2] > 0.3:  # the face hides the nape
        inside = np.minimum(inside, np.maximum(np.abs(x) - 0.32, y + 0.05))
    strands = ragged * 0.16
    if not curly:  # they run down from the crown
        around = np.arctan2(x, 0.25 + np.abs(y - 0.5)) * 26 + z * 9
        strands = strands + 0.07 * np.sin(around * 2.1) + 0.05 * np.sin(around * 5.3 + y * 4)
    gloss = np.exp(-(((y - 0.36) / 0.07) ** 2)) * (0.05 + 0.3 * strands) * lit.mean(-1)
    head.brush.layer.blend(
        view, head.cover(inside), head.look.hair * lit * (0.95 + strands)[..., None] + gloss[..., None]
    )


def lock(head: Head, knots: Any, radii: Any, colour: Array, shadow: float = 0.3) -> None:
    """A lock of hair along knots in the head's axes, with strands on it."""
    places, unit = head.at(smooth(knots, 17)), head.unit
    radii = smooth(np.array(radii)[:, None], 17)[:, 0] * head.size
    head.brush.paint(head.brush.chain(places, radii), colour, unit * float(radii.max()) * 0.9, folds=0.6, shadow=shadow)
    for share in (-0.6, -0.2, 0.2, 0.6):
        strand = places[1:-1] + np.outer(radii[1:-1] * share, normalised(head.frame[:, 0] * [1, 1, 0]))
        tone = colour * np.float32(head.brush.rng.choice((0.6, 1.45)))
        head.brush.stroke(strand, [0.02] * 15, tone, inside=True, opacity=0.35, soft=unit * 0.008)


def side_locks(head: Head) -> None:
    """Long hair beside the face and over the shoulders."""
    _, swell, length, _ = head.look.style
    for side in (1, -1) if length else ():
        if head.frame[2, 0] * side < -0.5:  # on the far side of the head
            continue
        low = -0.25 - 0.4 * length
        knots = [(0.25, 0.34, 0.12), (0.37, 0.1, 0.06), (0.41, -0.25, 0), (0.43, low, 0.04), (0.4, -length, 0.08)]
        lock(head, np.array(knots) * [side * swell / 1.09, 1, 1], (0.03, 0.09, 0.12, 0.11, 0.03), head.look.hair)


def back_hair(head: Head, tone: float) -> None:
    """Hair behind the head: long hair, a bun or a tail."""
    _, swell, length, extra = head.look.style
    hair = head.look.hair * np.float32(tone)
    for x in (-0.3, 0.3, -0.15, 0.15, 0) if length else ():
        knots = [(x * 0.7, 0.3, -0.2), (x, 0, -0.3), (x * 1.15, -0.5 * length, -0.3), (x * swell, -length, -0.26)]
        lock(head, np.array(knots), (0.2, 0.22 * swell, 0.2, 0.06), hair, 0.12)
    if extra == "bun":
        lock(head, [(-0.08, 0.42, -0.38), (0.02, 0.44, -0.42), (0.06, 0.38, -0.38)], (0.15, 0.2, 0.14), hair)
    if extra == "tail":
        knots = [(0, 0.3, -0.46), (0, 0.22, -0.66), (0.03, -0.1, -0.72), (0.05, -0.5, -0.62), (0.04, -0.8, -0.55)]
        lock(head, knots, (0.08, 0.14, 0.16, 0.12, 0.02), hair)


def beard(head: Head, skin: Shape) -> None:
    """A beard and moustache, as far as they lie on the outline `skin` of the head."""
    found = head.ellipsoid([0, -0.03, 0.0], (0.375, 0.5, 0.43))
    if found is None:
        return
    view, _, local, lit = found
    x, y, z = np.moveaxis(local, -1, 0)
    azimuth = np.degrees(np.arctan2(np.abs(x), z))
    line = np.interp(azimuth, (0, 25, 45, 65, 80, 90), (-0.17, -0.22, -0.22, -0.12, 0.05, 0.1)).astype(np.float32)
    mouth = (np.hypot(x / 0.12, (y + 0.28) / 0.055) - 1) * 0.06
    moustache = np.where(z > 0, (1 - np.hypot(x / 0.17, (y + 0.215) / 0.03)) * 0.03, -1)
    inside = np.minimum(np.maximum(np.minimum(line - y, mouth), moustache), (92 - azimuth) * 0.006)
    cover = head.cover(0.5 * (inside + noise(head.brush.rng, y.shape, (30, 30)) * 0.012))
    cover = cover * (head.brush.layer.fill(skin, view) / 255) * 0.85
    head.brush.layer.blend(view, cover, head.look.hair * np.float32(0.9) * lit)


def hat(head: Head) -> None:
    """A cap, a beanie or a hat with a brim all round."""
    brush = head.brush
    kind, colour, frame = head.look.hat, head.look.hat_colour, head.frame * head.size
    tall = 0.45 if kind == "beanie" else 0.43
    found = head.ellipsoid([0, 0.14, -0.03], (0.42, tall, 0.5))
    if kind == "brim":
        edge = brush.disc(head.at([0, 0.17, 0]), frame[:, 0] * 0.72, frame[:, 2] * 0.78 - frame[:, 1] * 0.09)
        brush.paint([edge], colour * np.float32(0.92), brush.unit * 0.12, shadow=0.5)
    if found:
        view, edge, local, lit = found
        cut = local[..., 1] + 0.12 * local[..., 2] - (0.16 if kind == "beanie" else 0.2)
        tone = np.ones_like(cut)
        if kind == "beanie":
            tone[cut < 0.16] = 0.85 + 0.08 * np.sin(np.arctan2(local[..., 0], local[..., 2]) * 45)[cut < 0.16]
        if kind == "brim":
            tone[cut < 0.12] = 0.5
        brush.layer.blend(view, head.cover(np.minimum(edge, cut)), colour * lit * tone[..., None])
    if kind == "cap" and frame[2, 2] > -0.2:
        slabs = [(0.15 - 0.05 * t, 0.36 + 0.38 * t, 0.37 - 0.1 * t) for t in (0, 0.5, 1)]
        brim = [brush.disc(head.at([0, y, z]), frame[:, 0] * wide, frame[:, 2] * 0.1) for y, z, wide in slabs]
        brush.paint(sweep(brim), colour * np.float32(0.9), brush.unit * 0.08, shadow=0.5)
