"""Who a person is: build, skin, hair and clothes."""

from typing import NamedTuple

import numpy as np

from src.sources.synthetic.basics import Array, Rng, pick
from src.sources.synthetic.layer import PRINTS, Cloth
from src.sources.synthetic.palette import CLOTHS, HAIRS, SHOES, SKINS, SOLES, TROUSERS, VIVID, tint

# Style: hairline, swell of the hair over the skull, how far it hangs below the head's centre, what else.
MEN = (
    ("short", 1.05, 0, ""),
    ("short", 1.12, 0, ""),
    ("high", 1.03, 0, ""),
    ("short", 1.02, 0, ""),
    ("fringe", 1.09, 0, ""),
    ("short", 1.30, 0, "curls"),
    ("short", 1.52, 0, "afro"),
    ("tied", 1.05, 0, "bun"),
    ("", 1, 0, "bald"),
)
WOMEN = (
    ("long", 1.09, 0.75, ""),
    ("long", 1.10, 1.5, ""),
    ("long_fringe", 1.09, 0.7, ""),
    ("long_fringe", 1.09, 1.2, ""),
    ("tied", 1.05, 0, "bun"),
    ("tied", 1.05, 0, "tail"),
    ("fringe", 1.09, 0, ""),
    ("long", 1.22, 0.55, "curls"),
    ("short", 1.52, 0, "afro"),
    ("short", 1.05, 0, ""),
)
HATS = ("",) * 6 + ("cap", "beanie", "brim")
DARK = ("#101114", "#17181c", "#1c1e24", "#22201f", "#2a2b30", "#15161d")
PALE = ("#f4f3ef", "#e9e6df", "#dcdad4", "#f7efe2")
FABRICS = (*CLOTHS, *TROUSERS, *VIVID, *SKINS, *DARK * 4, *PALE * 3)


class Look(NamedTuple):
    """How a person is built, groomed and dressed; colours are (3,) float32 in 0..1."""

    child: bool
    female: float  # 0..1
    weight: float  # about -1..1
    limb: float  # factor of the limbs' radii
    leg: float  # factor of the legs' length
    head: float  # the head's height in heads
    shoulder: float  # heads from the spine to the shoulder joint
    skin: Array
    hair: Array
    style: tuple[str, float, float, str]  # one of MEN or WOMEN
    hat: str  # one of HATS
    hat_colour: Array
    beard: bool
    glasses: bool
    top: str
    bottom: str
    shirt: Cloth
    outer: Cloth
    legs: Cloth
    shoes: Array
    sole: Array
    ease: float  # heads by which clothes are wider than the body
    hem: float  # heads from the hip joints up to the end of the top
    sleeve: float  # where a short sleeve ends, from 0 at the shoulder to 1 at the elbow

    @property
    def thick(self) -> bool:
        """Whether the top is one that is worn over a shirt."""
        return self.top in ("jacket", "hoodie")

    @property
    def skirted(self) -> bool:
        """Whether a skirt, dress or coat hangs around the legs."""
        return self.bottom in ("skirt", "dress", "coat")


def draw_look(rng: Rng) -> Look:
    """A random person."""
    child, feminine = bool(rng.random() < 0.14), bool(rng.random() < 0.5)
    female = 0.5 if child else float(np.clip(feminine + rng.uniform(-0.15, 0.15), 0, 1))
    weight = float(np.clip(rng.normal(0, 0.45), -0.7, 1.3))
    bottom = pick(rng, ("trousers",) * 3 + ("shorts",) + ("skirt", "dress") * feminine)
    wide_tops = ("tee", "tee", "long", "jacket", "hoodie", "shirt", "polo")
    top = pick(rng, ("dress", "dress", "tee", "long") if bottom == "dress" else wide_tops)
    ink, kinds = tint(rng, CLOTHS), ("plain", "plain", "plain", "stripes", "checks", "plaid", "dots", "pins")
    shirt = Cloth(tint(rng, CLOTHS), pick(rng, kinds), ink, float(rng.uniform(0.16, 0.4)))
    jacket = Cloth(tint(rng, CLOTHS + TROUSERS), "plain", ink, 1)
    leg_kind = pick(rng, ("plain",) * 6 + ("plaid",))
    legs = Cloth(tint(rng, CLOTHS if bottom == "skirt" else TROUSERS), leg_kind, ink, 0.3)
    tone = int(rng.integers(len(SKINS)))
    return Look(
        child=child,
        female=female,
        weight=weight,
        limb=float(1.0 - 0.12 * female + 0.14 * weight),
        leg=float(rng.uniform(0.95, 1.04) * (0.9 if child else 1)),
        head=float(rng.uniform(1.2, 1.45) if child else rng.uniform(0.97, 1.06)),
        shoulder=float((0.81 - 0.12 * female) * rng.uniform(0.96, 1.05) * (0.95 if child else 1)),
        skin=tint(rng, SKINS[tone : tone + 1], 0.03),
        hair=tint(rng, HAIRS if tone < 4 else HAIRS[:3]),
        style=pick(rng, WOMEN if feminine else MEN[:-1] if child else MEN),
        hat=pick(rng, HATS),
        hat_colour=tint(rng, CLOTHS),
        beard=bool(rng.random() < 0.4) and not feminine and not child,
        glasses=bool(rng.random() < 0.2),
        top=top,
        bottom=bottom,
        shirt=shirt,
        outer=jacket if top in ("jacket", "hoodie") else shirt,
        legs=shirt if bottom == "dress" else legs,
        shoes=tint(rng, SHOES),
        sole=tint(rng, SOLES),
        ease=float(rng.uniform(0.03, 0.10)),
        hem=0.2 if bottom == "dress" else float(rng.uniform(-0.3, 0.25)),
        sleeve=float(rng.uniform(0.55, 0.8)),
    )


def wild_look(rng: Rng) -> Look:
    """A person whose clothes may have any colour and any pattern, a coat among them."""
    look = draw_look(rng)
    shirt, outer, legs = (fabric(rng) for _ in range(3))
    coat = look.bottom == "trousers" and look.thick and rng.random() < 0.4
    return look._replace(
        shirt=shirt,
        outer=outer if look.thick else shirt,
        legs=shirt if look.bottom == "dress" else legs,
        bottom="coat" if coat else look.bottom,
        ease=float(rng.uniform(0.02, 0.2)),
    )


def fabric(rng: Rng) -> Cloth:
    """Any cloth: plain half of the time."""
    kinds = ("plain",) * len(PRINTS) + PRINTS
    return Cloth(tint(rng, FABRICS, 0.15), pick(rng, kinds), tint(rng, FABRICS, 0.15), float(rng.uniform(0.12, 0.7)))
