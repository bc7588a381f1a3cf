"""A model that leaves the project: onnxruntime alone gives the pipeline's masks, and the card has the Hub's form."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from huggingface_hub import ModelCard
from torch import nn

from src import models
from src.compute import Runtime
from src.errors import UserError
from src.formats.metrics import TraitScore, write_metrics
from src.formats.model import load_model, save_model
from src.images import resize_photo
from src.inference import PredictParams, predict
from src.postprocess import threshold_mask, upsample
from src.predictor import load
from tests.conftest import set_params
from tests.test_models import SMALL, make, settle
from tests.workspace import some_metrics
from tools.export import __main__ as export
from tools.find_model import find_model

SIZE = 64
QUICK = ("unet", "efficientnet_unet")  # several models in one file; an encoder
SHAPES = [(64, 64), (150, 97), (41, 200), (30, 30)]  # as large as the model's photos, larger, in between, smaller
# Largest difference of a probability, share of pixels that agree, Dice of the two masks. OpenCV rounds a photo's pixels
# its own way where it enlarges, and the models here, random ones that were made to decide, exaggerate that.
LARGEST, AGREEMENT, DICE = 0.04, 0.99, 0.99
COMMON = {"dropout": 0.0, "batch_norm": True, "color": "rgb"}


def photo(height: int, width: int) -> np.ndarray:
    """Blobs of colour and some noise, uint8 RGB."""
    rng = np.random.default_rng(height)
    blobs = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(blobs + rng.normal(0, 8, blobs.shape), 0, 255).astype(np.uint8)


@torch.no_grad()
def decided(model: nn.Module) -> nn.Module:
    """`model` with a last layer that makes half of a photo person, and leaves little in doubt."""
    last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.out_channels == 1][-1]
    logits = model.eval()(torch.from_numpy(photo(SIZE, SIZE)).permute(2, 0, 1)[None])
    factor = 3 / logits.std()
    last.weight.mul_(factor)
    last.bias.sub_(logits.median()).mul_(factor)
    return model


def save(variant: str, members: int = 1, about: dict | None = None, **changes) -> Path:
    """Makes models/VARIANT.safetensors of `members` random models."""
    weights = [decided(settle(make(variant, seed, **changes))).state_dict() for seed in range(members)]
    path = Path(f"models/{variant}.safetensors")
    known = {"variant": variant, "arguments": COMMON | SMALL[variant] | changes, "image_size": SIZE}
    save_model(path, weights, known | (about or {}))
    return path


def by_pipeline(path: Path, image: np.ndarray, **changes) -> np.ndarray:
    """The map, uint8 (H, W), that predict and evaluate make of `image`, uint8 RGB (H, W, 3)."""
    params = PredictParams(**{"mirror": True, "scale": 1.0, "batch_size": 1} | changes)
    small = resize_photo(image, SIZE)[None]
    return upsample(predict(Runtime(torch.device("cpu")), load_model(path)[0], small, params, "")[0], *image.shape[:2])


def by_onnx(path: Path, image: np.ndarray) -> np.ndarray:
    (found,) = onnxruntime.InferenceSession(path).run(None, {"photo": image})
    assert (found.shape, found.dtype) == (image.shape[:2], np.float32)
    return found


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """That probabilities, and what is person from 0.5 on, are those of the pipeline."""
    assert np.abs(found - wanted / 255).max() <= LARGEST
    ours, theirs = found >= 0.5, threshold_mask(wanted, 0.5) > 0
    assert 0.1 < theirs.mean() < 0.9  # or there would be nothing to compare
    assert (ours == theirs).mean() >= AGREEMENT
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) >= DICE


@pytest.mark.parametrize(
    "variant", [pytest.param(v, marks=[] if v in QUICK else pytest.mark.slow) for v in models.known_variants()]
)
def test_onnxruntime_gives_the_pipelines_mask_at_any_size(bare, variant):
    members = 2 if variant == "unet" else 1  # as many as folds were trained
    path = save(variant, members, **({"color": "gray"} if variant == "unet_paper" else {}))
    export.main(variant)
    for shape in SHAPES:
        assert_same(by_onnx(Path(f"exports/{variant}/model.onnx"), photo(*shape)), by_pipeline(path, photo(*shape)))


def test_scale_is_in_the_graph_and_the_mirror_image_may_be_left_out(bare):
    set_params(bare, {"predict.scale": 1.25})
    path, image = save("residual_unet", depth=1), photo(150, 97)
    export.main("residual_unet", "--no-mirror")
    found = by_onnx(Path("exports/residual_unet/model.onnx"), image)
    assert_same(found, by_pipeline(path, image, scale=1.25, mirror=False))
    assert np.abs(found - by_pipeline(path, image, scale=1.25, mirror=True) / 255).max() > 2 * LARGEST
    said = onnxruntime.InferenceSession("exports/residual_unet/model.onnx").get_modelmeta().custom_metadata_map
    assert (said["mirror"], said["scale"]) == ("false", "1.25")


def test_an_ensemble_counts_each_variant_by_its_share(bare):
    set_params(bare, {"ensembles": {"team": ["unet", "residual_unet", "unet"]}})
    maps = [by_pipeline(save(name, depth=1), photo(150, 97)) for name in ("unet", "residual_unet")]
    write_metrics("unet", some_metrics(0.4843, 0.8765))
    export.main("team")
    assert_same(by_onnx(Path("exports/team/model.onnx"), photo(150, 97)), (2.0 * maps[0] + maps[1]) / 3)
    card = Path("exports/team/README.md").read_text()
    assert "unet (counts 2/3), residual_unet (counts 1/3)" in card and "0.4843" not in card and "0.8765" not in card


def test_what_is_known_of_a_model_is_written_beside_and_into_it(bare):
    write_metrics("unet", some_metrics(0.4843, 0.9, small=TraitScore(dice=0.4321, photos=3)))
    about = {
        "loss": {"combined_edge": {}},
        "params_hash": "abc123",
        "start": {"file": "models/starters/one.safetensors", "sha256": "1", "origin": "an encoder"},
    }
    save("unet", about=about, depth=1)
    export.main("unet")
    image = photo(150, 97)
    folder = Path("exports/unet")

    graph = onnx.load(folder / "model.onnx")
    said = {entry.key: entry.value for entry in graph.metadata_props}
    opset = str(next(entry.version for entry in graph.opset_import if not entry.domain))
    known = {"threshold": "0.4843", "image_size": str(SIZE), "variant": "unet", "params_hash": "abc123", "opset": opset}
    assert said.items() >= known.items()
    assert json.loads(said["classes"]) == {"0": "person"}
    assert "MIT" in said["photos_license"]

    assert np.array_equal(load(folder / "model.safetensors").mask(image), find_model("unet").mask(image))
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["UNet"]
    again = models.build(config["models"][0]["variant"], config["models"][0]["arguments"])
    again.load_state_dict(load_model(folder / "model.safetensors")[0].members[0].state_dict())

    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.pipeline_tag) == ("other", "image-segmentation")
    assert {result.metric_type: result.metric_value for result in card.data.eval_results}["dice"] == 0.9
    row = " | 17 | 0.9000 | 0.9000 to 0.9000 | 0.9000 | 0.9000 | 0.9000 | 0.9000 |\n"
    words = (
        "0.4843",
        "combined_edge",
        "abc123",
        "starters/one.safetensors, and before them an encoder",
        "\n| small person | 0.4321 | 3 |\n",
    )
    assert all(word in card.text for word in (row, *words))


def test_the_cards_own_lines_of_code_work(bare):
    path = save("unet", depth=1)
    export.main("unet")
    cv2.imwrite("exports/unet/me.jpg", photo(120, 80))
    code = Path("exports/unet/README.md").read_text().split("```python")[1].split("```")[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("exports/unet")
        names: dict = {}
        exec(code, names)
    assert_same(names["probability"], by_pipeline(path, names["photo"]))
    assert names["person"].shape == (120, 80)


def test_a_file_can_be_named_and_no_export_takes_the_place_of_another_or_leaves_its_folder(bare):
    own, starter = save("unet", depth=1), Path("models/starters/unet.safetensors")
    starter.parent.mkdir()
    save("unet", members=2, depth=1).rename(starter)
    save("unet", depth=1)
    Path("README.md").write_text("the project's own")
    shutil.copy(own, "models/...safetensors")
    for which, folder in (("unet", "unet"), (str(starter), "starters-unet"), ("models/...safetensors", "models-..")):
        export.main(which)
        path = own if which == "unet" else Path(which)
        assert_same(by_onnx(Path("exports", folder, "model.onnx"), photo(60, 50)), by_pipeline(path, photo(60, 50)))
    assert Path("README.md").read_text() == "the project's own"


@pytest.mark.parametrize("name", ["mine", "other.safetensors", "unet"])
def test_a_model_that_is_not_there_is_one_line(bare, name):
    with pytest.raises(UserError, match=r"there is no model \S+; name a variant that was trained here or pulled, or a"):
        export.main(name)
