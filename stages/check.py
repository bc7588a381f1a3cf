"""check: the whole of params.yaml, before any stage runs; not a stage itself, `make repro` runs it first.

DVC reports a missing file before our code could say which names there are, and a stage reads only its own params.
"""

import re
from collections.abc import Iterable
from typing import Any

from src import stage
from src.compute import ComputeParams
from src.ensemble import Ensembles
from src.losses import build_loss, known_losses
from src.models import check_arguments, known_variants
from src.postprocess import PostprocessParams
from src.predict import PredictParams
from src.sources import known_sources, source
from src.split import SplitParams
from src.training.augment import AugmentParams
from src.training.schedule import TrainParams
from src.traits import TraitParams

SCALARS: dict[str, Any] = {
    "profile": str,
    "variants": list[str],
    "ensembles": Ensembles,
    "release": str,
    "loss": str,
    "final_loss": str,
    "seed": int,
    "image_size": int,
}
SECTIONS: dict[str, type] = {
    "traits": TraitParams,
    "split": SplitParams,
    "augment": AugmentParams,
    "compute": ComputeParams,
    "predict": PredictParams,
    "postprocess": PostprocessParams,
}


def main() -> None:
    params = stage.read_params("", dict)
    known_keys = {*SCALARS, *SECTIONS, "losses", "models", *known_sources()}
    one_of("the top level", params, known_keys)
    value: dict[str, Any] = {key: stage.read_params(key, kind) for key, kind in (SCALARS | SECTIONS).items()}
    one_of("profile", [value["profile"]], known_sources())
    one_of("variants", value["variants"], known_variants())
    if not value["variants"] or len(set(value["variants"])) < len(value["variants"]):
        raise stage.UserError("params.yaml: variants: name at least one variant, and none twice")
    one_of("release", [value["release"]], known_variants())
    check_ensembles(value["ensembles"], value["variants"])
    for key in ("loss", "final_loss"):
        one_of(key, [value[key]], known_losses())
    losses = stage.read_params("losses", dict)
    one_of("losses", losses, known_losses())
    for name in {*losses, value["loss"], value["final_loss"]}:
        build_loss(name, stage.read_params(f"losses.{name}", dict))
    one_of("models", stage.read_params("models", dict), known_variants())
    for profile in known_sources():
        check_profile(profile, value["variants"] if profile == value["profile"] else [])
    print(f"params.yaml is valid: profile {value['profile']}, loss {value['loss']}, {', '.join(value['variants'])}")


def check_ensembles(ensembles: Ensembles, variants: list[str]) -> None:
    """Names that are not a variant's and can be a file's, and members that are among `variants` or ensembles before."""
    known = list(variants)
    for name, members in ensembles.items():
        if name in known_variants() or not re.fullmatch(r"\w+", name):
            raise stage.UserError(
                f"params.yaml: ensembles: {name!r} must be letters, digits and _, and no variant's name"
            )
        one_of(f"ensembles.{name}", members, known)
        known.append(name)


def check_profile(profile: str, variants: list[str]) -> None:
    """The block of `profile`; each of `variants` must be in it, others that are must be right too."""
    one_of(profile, stage.read_params(profile, dict), ("data", "train", "models"))
    stage.read_params(f"{profile}.data", source(profile).Data)
    stage.read_params(f"{profile}.train", TrainParams)
    sizes = stage.read_params(f"{profile}.models", dict)
    one_of(f"{profile}.models", sizes, known_variants())
    for variant in [*sizes, *variants]:
        structure = stage.read_params(f"models.{variant}", dict)
        check_arguments(variant, structure, stage.read_params(f"{profile}.models.{variant}", dict), profile)


def one_of(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UserError that lists the valid names if one of `names` is not `known`."""
    for name in names:
        if name not in known:
            raise stage.UserError(f"params.yaml: {key}: there is no {name!r}; choose from {', '.join(sorted(known))}")


if __name__ == "__main__":
    stage.run(main)
