"""check: the whole of params.yaml, before any stage runs; `make repro` runs it first.

DVC would report a missing file before our code could say which names there are, and a stage reads only its own params.
"""

from collections.abc import Iterable
from typing import Any

from src import sources, stage
from src.compute import ComputeParams
from src.images import ImageSize, Megapixels
from src.losses import build_loss, known_losses
from src.models import check_arguments, known_variants
from src.postprocess import PostprocessParams
from stages.ensemble.mean import Ensembles
from stages.predict.maps import PredictParams
from stages.prepare.traits import TraitParams
from stages.split.stratify import SplitParams
from stages.train.augment import AugmentParams
from stages.train.schedule import TrainParams

BUDGETS = ("cpu", "gpu")
SCALARS: dict[str, Any] = {
    "source": stage.Name,
    "budget": stage.Name,
    "variants": list[stage.Name],
    "ensembles": Ensembles,
    "release": stage.Name,
    "loss": stage.Name,
    "final_loss": stage.Name,
    "seed": stage.Seed,
    "image_size": ImageSize,
    "max_megapixels": Megapixels,
}
SECTIONS: dict[str, type] = {
    "traits": TraitParams,
    "split": SplitParams,
    "augment": AugmentParams,
    "compute": ComputeParams,
    "predict": PredictParams,
    "postprocess": PostprocessParams,
}
RENAMED = {  # keys of older versions, and what takes their place
    "profile": "source (synthetic, local or kaggle: where photos come from) and budget (cpu or gpu: how much training)",
    "synthetic.data": "the block synthetic itself, such as synthetic.labelled",
    "synthetic.train": "cpu.train",
    "synthetic.models": "cpu.models",
    "local.data": "the block local itself: local.path",
    "local.train": "gpu.train",
    "local.models": "gpu.models",
    "kaggle.data": "the block kaggle itself, such as kaggle.kind",
    "kaggle.train": "gpu.train",
    "kaggle.models": "gpu.models",
}


def main() -> None:
    params = stage.read_params("", dict)
    check_renamed(params)
    one_of("the top level", params, {*SCALARS, *SECTIONS, "losses", "models", *sources.known_sources(), *BUDGETS})
    value: dict[str, Any] = {key: stage.read_params(key, kind) for key, kind in (SCALARS | SECTIONS).items()}
    one_of("source", [value["source"]], sources.known_sources())
    one_of("budget", [value["budget"]], BUDGETS)
    one_of("variants", value["variants"], known_variants())
    if not value["variants"] or len(set(value["variants"])) < len(value["variants"]):
        raise stage.UserError("params.yaml: variants: name at least one variant, and none twice")
    one_of("release", [value["release"]], known_variants())
    check_ensembles(value["ensembles"], value["variants"])
    check_losses(value["loss"], value["final_loss"])
    for name in sources.known_sources():
        stage.read_params(name, sources.find(name).Params)
    one_of("models", stage.read_params("models", dict), known_variants())
    for budget in BUDGETS:
        check_budget(budget, value["variants"])
    chosen = ", ".join(f"{key} {value[key]}" for key in ("source", "budget", "loss"))
    print(f"params.yaml is valid: {chosen}, {', '.join(value['variants'])}")


def check_renamed(params: dict[str, Any]) -> None:
    """Raises UserError that names what takes the place of the first key that is called otherwise now."""
    for old, new in RENAMED.items():
        block, _, key = old.partition(".")
        if block in params and (not key or (isinstance(params[block], dict) and key in params[block])):
            raise stage.UserError(f"params.yaml: {old} is now {new}; docs/how-it-works.md has all keys")


def check_ensembles(ensembles: Ensembles, variants: list[str]) -> None:
    """Raises UserError for an ensemble whose name is a variant's, or with a member that is neither in `variants` nor an
    ensemble listed before it.
    """
    known = list(variants)
    for name, members in ensembles.items():
        if name in known_variants():
            raise stage.UserError(f"params.yaml: ensembles: {name} is a variant's name; take another one")
        one_of(f"ensembles.{name}", members, known)
        known.append(name)


def check_losses(loss: str, final_loss: str) -> None:
    """Both names, and the block of every loss."""
    for key, name in {"loss": loss, "final_loss": final_loss}.items():
        one_of(key, [name], known_losses())
    losses = stage.read_params("losses", dict)
    one_of("losses", losses, known_losses())
    for name in {*losses, loss, final_loss}:
        build_loss(name, stage.read_params(f"losses.{name}", dict))


def check_budget(budget: str, variants: list[str]) -> None:
    """The block of `budget`; each of `variants` must be in it, others that are must be right too."""
    one_of(budget, stage.read_params(budget, dict), ("train", "models"))
    stage.read_params(f"{budget}.train", TrainParams)
    sizes = stage.read_params(f"{budget}.models", dict)
    one_of(f"{budget}.models", sizes, known_variants())
    for variant in [*sizes, *variants]:
        structure = stage.read_params(f"models.{variant}", dict)
        check_arguments(variant, structure, stage.read_params(f"{budget}.models.{variant}", dict), budget)


def one_of(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UserError that lists the valid names if one of `names` is not `known`."""
    for name in names:
        if name not in known:
            raise stage.UserError(f"params.yaml: {key}: there is no {name!r}; choose from {', '.join(sorted(known))}")


if __name__ == "__main__":
    stage.run(main)
