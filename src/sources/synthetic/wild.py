"""Photos as varied as can be, for a model that has to do well on photos of elsewhere: any framing, shape and place,
people in any cloth with bags and coats, any camera (domain randomization, Tobin et al. 2017, arXiv 1703.06907)."""

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, noise, pick
from src.sources.synthetic.decoys import put_decoy
from src.sources.synthetic.layer import Light, draw_light
from src.sources.synthetic.scenes import SCENES, Scene, clutter
from src.sources.synthetic.standing import Place, stand_before, stand_in

NEAR = 0.08  # the height of a head, in sides of the photo, from which on others behind it are others


def wild_photo(rng: Rng, size: int) -> tuple[Array, Array]:
    """A picture (H, W, 3) uint8 and how much of each pixel (H, W) is person; the longer side is `size`."""
    wide = rng.random() < 0.35
    places, band = group(rng) if wide else (plan(rng), (0.0, 1.0))
    horizon = float(np.clip(rng.normal(0.45, 0.12), 0.2, 0.75))
    light, share = draw_light(rng), np.float32(rng.uniform(0.15, 1.25))  # stronger or flatter
    light = Light(light.direction, light.key * share, light.ambient + light.key * (1 - share) * np.float32(0.6))
    picture, alpha = background(rng, size, horizon).astype(np.float32) / 255, np.zeros((size, size), np.float32)
    if rng.random() < 0.12:  # a dark place
        picture *= np.float32(rng.uniform(0.08, 0.4))
    smallest = min(place.head for place in places)
    if smallest > NEAR and rng.random() < 0.5:
        pass_by(rng, light, horizon, smallest, picture)
    if rng.random() < (0.7 if smallest > 0.15 else 0.4):
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.001, 0.02)) * size + 0.1))
    before = rng.random(len(places)) < 0.12  # things that stand before somebody; the others stand behind all
    for place in places * (rng.random() < 0.45):
        furnish(rng, light, place, picture, np.zeros_like(alpha))
    for place, hidden in zip(places, before, strict=True):
        stand_in(rng, light, place, picture, alpha, wild=True)
        if hidden:
            furnish(rng, light, place, picture, alpha)
    picture = textured(rng, picture, float(rng.uniform(0, 0.22)))
    if rng.random() < 0.15:
        stand_before(rng, light, picture, alpha)
    if not wide:
        kept = rng.uniform(0.6, 1)  # of one side, and all of the other
        band = (rng.uniform(0, 1 - kept), kept)
    part = slice(int(size * band[0]), int(size * (band[0] + band[1])))
    view = np.s_[part, :] if wide or rng.random() < 0.5 else np.s_[:, part]
    taken = shade(rng, picture)[view]
    taken, alpha = record(rng, expose(rng, scatter(rng, taken) if rng.random() < 0.3 else taken)), alpha[view]
    turned = pick(rng, (1, 3)) if rng.random() < 0.12 else 0  # somebody lies
    return np.rot90(taken, turned).copy(), np.rot90(alpha, turned).copy()


def plan(rng: Rng) -> list[Place]:
    """Where persons stand: whole figures, parts and heads, one, two or three of them, at any place."""
    count = int(rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3)))
    if rng.random() < 0.5:  # from head to foot
        heads = np.exp(rng.uniform(np.log(0.05), np.log(0.128))) * rng.uniform(0.7, 1.1, count)
        return [Place(float(h), float(rng.uniform(0.12, 0.88)), float(rng.uniform(0.75, 1.0))) for h in np.sort(heads)]
    head = float(np.exp(rng.uniform(np.log(0.11), np.log(0.55))))
    xs = rng.normal(0.5, 0.17, 1) if count == 1 else np.linspace(0.2, 0.8, count) + rng.normal(0, 0.08, count)
    low = 0.02 + 0.25 * rng.random() * (1 - head)
    above = -3.5 * head if rng.random() < 0.12 else 0  # the head is out of the photo
    sizes = head * rng.uniform(0.85, 1.15, count)
    return [Place(float(sizes[k]), float(xs[k]), low + above + 0.03 * k, True) for k in range(count)]


def group(rng: Rng) -> tuple[list[Place], tuple[float, float]]:
    """People of like size, apart or close, whole or from the head down, and the rows of the photo (top, height)."""
    high, whole = float(rng.uniform(0.33, 0.7)), bool(rng.random() < 0.5)
    top, head = float(rng.uniform(0, 1 - high)), high / float(rng.uniform(8.4, 10) if whole else rng.uniform(2.2, 7))
    count = min(int(rng.integers(2, 7)), max(1, int(0.5 / head)))
    xs = 0.5 + ((np.arange(count) + 0.5 + rng.uniform(-0.3, 0.3, count)) / count - 0.5) * rng.uniform(0.5, 1)
    sizes, steps = head * rng.uniform(0.7, 1.1, count), rng.uniform(0.02, 0.05, count)
    ys = top + high - steps if whole else top + steps
    return [Place(float(s), float(x), float(y), not whole) for s, x, y in zip(sizes, xs, ys, strict=True)], (top, high)


def furnish(rng: Rng, light: Light, place: Place, picture: Array, alpha: Array) -> None:
    """Puts a thing that looks like a part of somebody beside who is at `place`, or before them."""
    size = len(picture)
    low = place.y + place.head * float(rng.uniform(2, 8)) if place.by_crown else place.y + 0.02
    foot = np.array([place.x + place.head * float(rng.normal(0, 2.5)), min(low, 1.05)]) * size
    put_decoy(rng, light, foot, picture, alpha, height=place.head * float(rng.uniform(1.2, 5)) * size)


def pass_by(rng: Rng, light: Light, horizon: float, head: float, picture: Array) -> None:
    """Puts people far behind the ones whose head is `head` into the picture (S, S, 3); they are in no mask.

    Who photographs a person means that person: masks of real photos leave out who walks by in the distance.
    """
    nobody = np.zeros(picture.shape[:2], np.float32)
    for share in np.sort(rng.uniform(0.12, 0.38, rng.integers(1, 6))):
        small = float(head * share)
        ground = min(horizon + 1.5 * small + 0.05 * float(rng.random()), 1.0)
        place = Place(small, float(rng.uniform(0, 1)), max(ground, 7.5 * small))
        stand_in(rng, light, place, picture, nobody, wild=True)


def background(rng: Rng, size: int, horizon: float) -> Array:
    """A place without a person: a picture (S, S, 3) uint8."""
    scene = Scene(size, horizon, rng)
    (clutter if rng.random() < 0.3 else pick(rng, SCENES))(scene)
    if rng.random() < 0.25:  # things of no kind in front of it
        over = Scene(size, horizon, rng)
        clutter(over)
        cut = int(rng.uniform(0, 1) * size)
        view = pick(rng, (np.s_[:, :cut], np.s_[:cut], np.s_[:, cut:]))
        scene.image[view] = over.image[view]
    return moved(rng, scene.image) if rng.random() < 0.7 else scene.image


def moved(rng: Rng, image: Array) -> Array:
    """A part of `image` (S, S, 3) uint8 at the size of the whole, perhaps mirrored or turned, with other colours."""
    size = len(image)
    share = rng.uniform(0.35, 1)
    side = max(2, int(size * share))
    top, left = rng.integers(0, size - side + 1, 2)
    part = image[top : top + side, left : left + side]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    part = np.rot90(part, int(rng.integers(1, 4))) if rng.random() < 0.15 else part
    part = cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:  # other colours: the channels mixed
        mix = np.eye(3) + rng.normal(0, 0.18, (3, 3))
        part = np.clip(part @ (mix / mix.sum(1, keepdims=True)).T, 0, 255).astype(np.uint8)
    return (textured(rng, part.astype(np.float32) / 255, rng.uniform(0, 0.35)) * np.float32(255)).astype(np.uint8)


def textured(rng: Rng, picture: Array, strength: float) -> Array:
    """`picture` (S, S, 3) float32 with the roughness of real surfaces: noise of several scales, grey and coloured."""
    shape = picture.shape[:2]
    rough = np.zeros(shape, np.float32)
    for octave in range(3, 8):
        *cells, weight = rng.uniform((0.4, 0.4, 0), (1, 1, 0.5))
        rough += noise(rng, shape, (cells[0] * 2**octave, cells[1] * 2**octave)) * np.float32(weight)
    return np.clip(picture * (1 + np.float32(strength) * rough[..., None]), 0, 1)


def shade(rng: Rng, picture: Array) -> Array:
    """`picture` (S, S, 3) float32 under uneven light: a slope, soft patches, or a shadow with an edge."""
    size = len(picture)
    if rng.random() < 0.5:
        slope = noise(rng, (size, size), (2, 2)) * np.float32(rng.uniform(0.1, 0.6))
        picture = picture * (1 + slope[..., None] * rng.uniform(0.5, 1.2, 3).astype(np.float32))
    if rng.random() < 0.3:
        cells = float(rng.uniform(2, 7))
        edge = np.float32(rng.uniform(2, 25))
        level = noise(rng, (size, size), (cells, cells)) - np.float32(rng.uniform(-0.3, 0.5))
        cover = 1 / (1 + np.exp(-edge * level))
        picture = picture * (1 - np.float32(rng.uniform(0.2, 0.65)) * cover[..., None])
    return picture


def scatter(rng: Rng, picture: Array) -> Array:
    """`picture` (H, W, 3) float32 with its spatial frequencies made weaker or stronger, high ones more: textures and
    grain of no renderer (PASTA, Chattopadhyay et al., ICCV 2023, arXiv 2212.00979)."""
    spectrum = np.fft.rfft2(picture, axes=(0, 1))
    radius = np.hypot(np.fft.fftfreq(len(picture))[:, None], np.fft.rfftfreq(picture.shape[1]))[..., None]
    spread = (2**0.5 * rng.uniform(1, 3) * radius) ** 2 + rng.uniform(0, 0.25)
    changed = np.fft.irfft2(spectrum * rng.normal(1, spread, spectrum.shape), picture.shape[:2], axes=(0, 1))
    return np.asarray(np.clip(changed - changed.mean() + picture.mean(), 0, 1), np.float32)


def expose(rng: Rng, picture: Array) -> Array:
    """`picture` (S, S, 3) float32 with another white balance, saturation, gamma, black and white point; in 0..1."""
    picture = picture * rng.normal(1, 0.07, 3).astype(np.float32)
    grey = picture.mean(2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(rng.uniform(0.35, 1.25))
    picture = np.clip(picture * np.float32(rng.uniform(0.7, 1.45)), 0, 1) ** np.float32(np.exp(rng.normal(0, 0.28)))
    black, white = rng.uniform((0, 0.85), (0.12, 1))
    return np.asarray(np.clip(black + (white - black) * picture, 0, 1))


def record(rng: Rng, picture: Array) -> Array:
    """`picture` (H, W, 3) float32 in 0..1 as a file has it, uint8: out of focus, moved, coarse, grainy, compressed."""
    height, width = picture.shape[:2]
    size = max(height, width)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.0007, 0.004)) * size)
    if rng.random() < 0.1:
        length = max(3, int(rng.uniform(0.005, 0.02) * size))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    if rng.random() < 0.4:
        share = rng.uniform(0.35, 0.9)
        small = (max(32, int(width * share)), max(32, int(height * share)))
        coarse = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:  # sharpened
        picture = picture + np.float32(rng.uniform(0.3, 1.2)) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.5))
    grain = np.abs(rng.normal(0, 0.012)) * rng.standard_normal((height, width, 1), np.float32)
    speckle = np.abs(rng.normal(0, 0.012)) * rng.standard_normal((height, width, 3), np.float32)
    taken = (np.clip(picture + grain + speckle, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        _, code = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        taken = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return np.asarray(taken)
