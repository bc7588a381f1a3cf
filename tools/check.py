"""check: the whole of params.yaml, before any stage runs; `make repro` runs it first.

DVC would report a missing file before our code could say which names there are, and a stage reads only its own params.
"""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from src import sources
from src.compute import ComputeParams
from src.errors import UserError, run_main
from src.formats.raw import find_layout, list_raw
from src.formats.submission import SubmissionParams
from src.images import Megapixels
from src.inference import PredictParams
from src.losses import build_loss, known_losses
from src.models import check_arguments, known_variants, model_class
from src.params import ImageSize, Name, Seed, read_params
from src.postprocess import PostprocessParams
from stages.ensemble.__main__ import Ensembles
from stages.prepare.traits import TraitParams
from stages.split.stratify import SplitParams
from stages.train.augment import AugmentParams
from stages.train.schedule import TrainParams
from stages.train.start import check_start
from tools.lock import LOCK

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = ("cpu", "gpu")
SCHEMAS: dict[str, Any] = {
    "source": Name,
    "budget": Name,
    "variants": list[Name],
    "ensembles": Ensembles,
    "release": Name,
    "start": str,
    "loss": Name,
    "seed": Seed,
    "image_size": ImageSize,
    "max_megapixels": Megapixels,
    "traits": TraitParams,
    "split": SplitParams,
    "augment": AugmentParams,
    "compute": ComputeParams,
    "predict": PredictParams,
    "postprocess": PostprocessParams,
    "submission": SubmissionParams,
}


def main() -> None:
    params = read_params("", dict)
    one_of("the top level", params, {*SCHEMAS, "losses", "models", *sources.known_sources(), *BUDGETS})
    value: dict[str, Any] = {key: read_params(key, kind) for key, kind in SCHEMAS.items()}
    one_of("source", [value["source"]], sources.known_sources())
    one_of("budget", [value["budget"]], BUDGETS)
    one_of("variants", value["variants"], known_variants())
    if not value["variants"] or len(set(value["variants"])) < len(value["variants"]):
        raise UserError("params.yaml: variants: name at least one variant, and none twice")
    one_of("release", [value["release"]], value["variants"])
    check_ensembles(value["ensembles"], value["variants"])
    if not made_elsewhere(value["start"]):
        check_start(Path(value["start"]))
    one_of("loss", [value["loss"]], known_losses())
    one_of("losses", read_params("losses", dict), known_losses())
    for name in known_losses():
        with errors_in(f"src/losses/{name}.py"):
            build_loss(name, read_params(f"losses.{name}", dict))
    for name in sources.known_sources():
        with errors_in(f"src/sources/{name}/__init__.py"):
            read_params(name, sources.find(name).Params)
    check_models()
    check_local(value["source"])
    chosen = ", ".join(f"{key} {value[key]}" for key in ("source", "budget", "loss"))
    print(f"params.yaml is valid: {chosen}, {', '.join(value['variants'])}")
    if others := [name for name in known_variants() if name not in value["variants"]]:
        print(f"not trained, since they are not in variants: {', '.join(others)}")
    if version("torch").endswith("+cpu") and Path("/proc/driver/nvidia").exists() and value["compute"].device != "cpu":
        print("the installed torch cannot use this machine's GPU; one that can: make clean && make repro TORCH=cuda")


def made_elsewhere(path: str) -> bool:
    """Whether `path` is missing here, but dvc.lock has what was made of it; then it says so."""
    if not path or Path(path).exists() or not LOCK.exists() or f"path: {path}\n" not in LOCK.read_text():
        return False
    print(f"{path} is not on this machine; dvc repro --pull --allow-missing takes what was made of it")
    return True


def check_local(source: str) -> None:
    """Raises UserError if local.path is no folder or zip of photos, or is missing and dvc.lock has nothing of it."""
    params = read_params("local", sources.find("local").Params)
    if made_elsewhere(params.path):
        return
    there = bool(params.path) and Path(params.path).exists()
    if (source == "local" or not there) and (photos := sources.find("local").fetch(params, Path())).is_dir():
        # One's own, if they are in a folder: DVC, which reads it before any stage runs, never ends at a pipe.
        list_raw(find_layout(photos))


def check_ensembles(ensembles: Ensembles, variants: list[str]) -> None:
    """Raises UserError for a name that is a variant's, or a member not in `variants`."""
    for name, members in ensembles.items():
        if name in known_variants():
            raise UserError(f"params.yaml: ensembles: {name} is a variant's name; take another one")
        one_of(f"ensembles.{name}", members, variants)


def check_models() -> None:
    """The blocks of both budgets and `models`: in each of them every file in src/models has an entry."""
    for budget in BUDGETS:
        one_of(budget, read_params(budget, dict), ("train", "models"))
        read_params(f"{budget}.train", TrainParams)
        one_of(f"{budget}.models", read_params(f"{budget}.models", dict), known_variants())
    one_of("models", read_params("models", dict), known_variants())
    for variant in known_variants():
        with errors_in(f"src/models/{variant}.py"):
            model_class(variant)
            presets = {budget: read_params(f"{budget}.models.{variant}", dict) for budget in BUDGETS}
            for budget, preset in presets.items():
                check_arguments(variant, read_params(f"models.{variant}", dict), preset, budget)


@contextmanager
def errors_in(file: str) -> Iterator[None]:
    """What Python says against `file`, which somebody may just have added, becomes a UserError that names the line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        places: list[Any] = [*traceback.extract_tb(error.__traceback__), error]  # a SyntaxError has a place of its own
        lines = [place.lineno for place in places if getattr(place, "filename", "") == str(ROOT / file)]
        where = f"{file}, line {lines[-1]}" if lines else file
        said = traceback.format_exception_only(error)[-1].strip()
        raise UserError(f"{where}: {said}") from None


def one_of(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UserError that lists the valid names if one of `names` is not `known`."""
    for name in names:
        if name not in known:
            raise UserError(f"params.yaml: {key}: there is no {name!r}; choose from {', '.join(sorted(known))}")


if __name__ == "__main__":
    run_main(main)
