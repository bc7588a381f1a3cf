"""One photo: what is in it, and what the camera makes of it."""

from pathlib import Path

import cv2
import numpy as np

from src.pictures import write_picture
from src.sources.synthetic.basics import Array, Rng, pick
from src.sources.synthetic.layer import draw_light
from src.sources.synthetic.scenes import SCENES, Scene
from src.sources.synthetic.standing import Place, stand_before, stand_in
from src.sources.synthetic.wild import wild_photo

CYCLE = 12  # of every so many photos one is each of CASES, in an order of its own
CASES = ("small", "cut", "grey", "glare")
CLOSE = {  # framings that are placed by the crown: ranges of the height of a head and of the crown's y
    "knee": (0.13, 0.165, 0.04, 0.14),
    "waist": (0.19, 0.26, 0.04, 0.14),
    "bust": (0.33, 0.46, 0.05, 0.16),
    "pair_close": (0.19, 0.24, 0.06, 0.16),
}
FRAMINGS = ("full", "full", "full", "full", "pair", "pair", "knee", "waist", "bust", "pair_close")


def case_of(seed: int, index: int) -> str:
    """Which hard case a photo is, or ''."""
    order = np.random.default_rng([seed, index // CYCLE, 7]).permutation(CYCLE)
    return (*CASES, *[""] * CYCLE)[int(order[index % CYCLE])]


def plan(rng: Rng, case: str, cycle: int) -> tuple[str, list[Place]]:
    """The framing: its name and the place of each person."""
    middle = rng.uniform(0.4, 0.6)
    if case == "small":
        return case, [Place(rng.uniform(0.03, 0.052), rng.uniform(0.15, 0.85), rng.uniform(0.62, 0.92))]
    if case == "cut":
        kind, head = ("left", "top", "right", "low")[cycle % 4], rng.uniform(0.14, 0.24)
        x = {"left": rng.uniform(-0.04, 0.06), "right": rng.uniform(0.94, 1.04)}.get(kind, middle)
        y = {"top": -head * rng.uniform(1.2, 3.2), "low": rng.uniform(0.5, 0.7)}.get(kind, rng.uniform(0.05, 0.25))
        return case, [Place(head, x, y, True)]
    kind = pick(rng, FRAMINGS)
    if kind == "full":
        return kind, [Place(rng.uniform(0.105, 0.126), rng.uniform(0.3, 0.7), rng.uniform(0.9, 0.97))]
    if kind == "pair":
        head, gap, low = rng.uniform(0.098, 0.118), rng.uniform(0.15, 0.22), rng.uniform(0.01, 0.04)
        return kind, [Place(head * (1 + 0.03 * s), middle + s * gap, 0.93 + s * low) for s in (-1, 1)]
    small, large, high, low = CLOSE[kind]
    head, y, gap = rng.uniform(small, large), rng.uniform(high, low), rng.uniform(0.22, 0.28)
    if kind == "pair_close":
        return kind, [Place(head, middle + s * gap, y + 0.02 * s, True) for s in (-1, 1)]
    return kind, [Place(head, middle, y, True)]


def develop(rng: Rng, picture: Array, case: str, person: float) -> Array:
    """What a camera does to a picture (S, S, 3) float32, in place: exposure, contrast, glare, grey, grain; as uint8.

    Glare comes from the side where the person, at x `person`, is not, so that it hides a part of them at most.
    """
    size = len(picture)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    exposure, vignette, contrast = rng.uniform((0.95, 0, -0.1), (1.15, 0.5, 0.3)).astype(np.float32)
    picture *= (exposure * (1 - vignette * (x * x + y * y)))[..., None]
    np.clip(picture, 0, 1, out=picture)
    picture *= (3 - 2 * picture) * (contrast * picture) + (1 - contrast)
    if case == "glare":
        picture *= 0.88  # what is white by itself is not glare
        cx, cy, wide, share = rng.uniform((0.15, -0.45, 0.15, 0.28), (0.45, 0, 0.3, 0.38))
        cx *= -1 if person > 0.5 else 1
        bloom = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / wide) + 0.03
        # The gain that blows out just this share of the pixels.
        picture += np.float32(np.quantile((1 - picture.min(-1)) / bloom, share)) * bloom[..., None]
    if case == "grey":
        picture[:] = picture @ np.array([[0.299], [0.587], [0.114]], np.float32)
    picture += rng.standard_normal((size, size, 1), np.float32) * np.float32(0.003)
    picture *= 255
    return np.asarray(np.clip(np.rint(picture, out=picture), 0, 255, out=picture).astype(np.uint8))


def photo(seed: int, index: int, size: int, wild: float = 0.0) -> tuple[Array, Array]:
    """Photo `index`: its picture (S, S, 3) uint8 and how much of each pixel (S, S) is person, from 0 to 1.

    `wild` is the probability of one as varied as can be, whose shorter side is shorter.
    """
    chance = np.random.default_rng([seed, index, 11])
    if chance.random() < wild:
        return wild_photo(chance, size)
    rng, case = np.random.default_rng([seed, index]), case_of(seed, index)
    framing, places = plan(rng, case, index // CYCLE)
    first = places[0]
    ground = first.y + 7.4 * first.head if first.by_crown else first.y
    # The camera is about as high as the eyes of who stands there, or higher for somebody far away.
    horizon = float(np.clip(ground - first.head * rng.uniform(6.2, 11 if case == "small" else 7.6), 0.22, 0.72))
    light, scene = draw_light(rng), Scene(size, horizon, rng)
    pick(rng, SCENES)(scene)
    if any(place.head > 0.17 for place in places):
        scene.blur(0.002, 0.014)
    picture, alpha = scene.image.astype(np.float32) / 255, np.zeros((size, size), np.float32)
    for place in places:
        stand_in(rng, light, place, picture, alpha)
    if not case and framing != "bust" and rng.random() < 0.2:
        stand_before(rng, light, picture, alpha)
    return develop(rng, picture, case, first.x), alpha


def write(raw: Path, seed: int, index: int, *, labelled: int, size: int, wild: float) -> None:
    """Draws photo `index` into the folder `raw` and, if it is one of the first `labelled` photos, its mask."""
    cv2.setNumThreads(0)  # the photos are what runs in parallel
    picture, alpha = photo(seed, index, size, wild)
    part, name = ("train" if index < labelled else "test"), f"{index + 1:04d}.png"
    write_picture(picture, raw / part / "images" / name)
    if part == "train":
        write_picture(np.repeat((alpha >= 0.5).astype(np.uint8)[..., None], 3, 2), raw / part / "masks" / name)
