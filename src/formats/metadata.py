"""The metadata of a model file: what made its weights, and in a released file what it takes to get a mask from them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NotRequired, Required

from pydantic import ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from src.errors import UserError
from src.formats.tensors import Groups, read_tensors
from src.params import FilterSize, ImageSize, Name, Share, check_value

MODELS = Path("models")
STARTERS = MODELS / "starters"  # the models that git holds

Scale = Annotated[float, Field(ge=0.5, le=4)]
Text = Annotated[str, Field(max_length=20_000)]
Settings = dict[str, JsonValue]


class TraitScore(TypedDict):
    """Mean Dice on the photos with a trait."""

    dice: Share
    photos: int


class Score(TypedDict, total=False):
    """Mean scores per photo on the photos that `on` describes, after the clean-up; `dice_low` and `dice_high` bound the
    95 % interval of `dice`."""

    on: Required[Text]
    dice: Required[Share]
    photos: int
    dice_low: Share
    dice_high: Share
    iou: Share
    boundary_iou: Share
    precision: Share
    recall: Share
    miou_dataset: Share
    traits: dict[str, TraitScore]


class Member(TypedDict, total=False):
    """How the training on one fold ended."""

    fold: int
    best_epoch: int
    val_dice: float


class Start(TypedDict):
    """The file whose weights a training began with."""

    file: Text
    sha256: Text
    origin: NotRequired[Text]  # of its own weights


@with_config(ConfigDict(extra="allow"))
class Metadata(TypedDict, total=False):
    """What a model file says of its model: `variant` and `arguments` rebuild it; unknown keys are kept and not used."""

    variant: Required[Name]
    arguments: Required[Settings]
    image_size: ImageSize  # pixels of the squared photos that it was trained on
    members: list[Member]
    start: Start | None
    seed: int
    loss: Settings
    train: Settings
    augment: Settings
    compute: Settings
    device: Text
    precision: Text
    versions: dict[str, Text]
    params_hash: Text
    data_hash: Text  # of the photos, soft masks and split
    # What is known once a model was scored, of a released file:
    threshold: Annotated[float, Field(gt=0, lt=1)]  # a pixel is person from this probability on
    mirror: bool  # whether the mirror image is predicted too
    scale: Scale  # photos are shown this much larger than `image_size`
    smooth_px: FilterSize
    min_component_share: Share
    max_hole_share: Share
    scores: list[Score]
    source: Name  # of the photos, as in params.yaml
    license: Text
    origin: Text  # of weights that training began with, and their licence
    weaknesses: Text


# What is used where a file does not say it: only released files and starters hold all of these.
CLEANED = {"smooth_px": 5, "min_component_share": 0.1, "max_hole_share": 0.005}
DEFAULTS: dict[str, Any] = {"threshold": 0.5, "mirror": True, "scale": 1.0, **CLEANED}


def model_path(variant: str) -> Path:
    """Where the model of `variant` is."""
    return MODELS / f"{variant}.safetensors"


def check_metadata(content: Mapping[str, Any]) -> Metadata:
    """`content` as Metadata; raises UserError that names the key and what was expected."""
    return check_value("", content, Metadata, "metadata")


def read_model(path: Path) -> tuple[Groups, Metadata]:
    """The tensors of each member in the model file `path`, as they are, and its checked metadata.

    Raises UserError if it is damaged or no model file; FileNotFoundError if there is none.
    """
    with blaming(path):
        groups, content = read_tensors(path)
        return groups, check_metadata(content)


def origin(metadata: Metadata) -> str:
    """Whose weights training began with, and those before them; empty for random ones."""
    if known := metadata.get("origin"):
        return known
    if start := metadata.get("start"):
        return f"the weights in {start['file']}" + (f", and before them {start['origin']}" if "origin" in start else "")
    arguments = metadata["arguments"]
    return f"ImageNet weights of {arguments['encoder']}" if arguments.get("encoder_weights") == "imagenet" else ""


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Within it, what is wrong with the model file `path` becomes one line that says how to get it again."""
    again = "get it again"
    if path.parent == MODELS:
        again += f": dvc pull train@{path.stem}, or dvc repro -f -s train@{path.stem}"
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}; {again}") from None
