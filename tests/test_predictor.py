"""One way to use a model: what `load` gives is what the demo cuts out and what the release holds; its card."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from src.errors import UserError
from src.formats.metadata import CLEANED, model_path
from src.formats.metrics import TraitScore, write_metrics
from src.formats.model import load_model, save_model
from src.images import read_photo
from src.postprocess import PostprocessParams, final_mask
from src.predictor import load
from src.release.facts import CARD, RELEASED
from stages.release import __main__ as release
from stages.train.start import described
from tests.conftest import ROOT, set_params
from tests.test_export import SIZE, by_pipeline, photo, save
from tests.workspace import some_metrics
from tools import demo
from tools.find_model import find_model
from tools.lock import md5_of

SHAPES = [(150, 97), (41, 200), (64, 64)]


@pytest.fixture
def project(bare) -> Path:
    """A folder with params.yaml and one scored unet, as the current one."""
    set_params(bare, {"release": "unet", "compute.device": "cpu"})
    save("unet", depth=1)
    write_metrics("unet", some_metrics(0.3, 0.9, small=TraitScore(dice=0.4321, photos=3)))
    return bare


def test_the_demo_cuts_out_what_load_finds_and_needs_no_photo_to_show_it(bare, capsys):
    (bare / "models").symlink_to(ROOT / "models")
    demo.main("--model", "models/starters/efficientnet_unet.safetensors")
    assert "see demo/astronaut-mask.png" in capsys.readouterr().out
    mask = load(ROOT / demo.STARTER).mask(read_photo(demo.EXAMPLE))
    assert (mask.dtype, mask.shape) == (bool, (512, 512))
    assert 0.5 < mask.mean() < 0.6  # she fills a little more than half of her portrait
    assert np.array_equal(cv2.imread("demo/astronaut-mask.png", cv2.IMREAD_GRAYSCALE) > 0, mask)


def test_a_variant_is_the_same_model_however_its_file_is_named(project):
    path = "models/unet.safetensors"
    for name in ("unet", path, project / path, f"models/../{path}"):
        assert find_model(name).threshold == 0.3
    save("unet", about={"source": "kaggle", "license": "theirs"}, depth=1).rename("models/theirs.safetensors")
    assert find_model("models/theirs.safetensors").metadata["license"] == "theirs"


def test_what_a_model_was_trained_and_scored_with_is_that_of_its_run_and_not_todays_params(project):
    def write_lock(trained: str, predicted: str) -> None:
        """dvc.lock of a run on Kaggle's photos, with the MD5 of the model that each stage knew."""
        path, predict = "models/unet.safetensors", {"mirror": False, "scale": 1.0}
        stages = {
            "download": {"params": {"params.yaml": {"source": "kaggle"}}},
            "train@unet": {"deps": [], "outs": [{"path": path, "md5": trained}]},
            "predict@unet": {
                "deps": [{"path": path, "md5": predicted}], "outs": [], "params": {"params.yaml": {"predict": predict}}
            },
        }  # fmt: skip
        Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}))

    now = md5_of(Path("models/unet.safetensors"))
    write_lock(trained=now, predicted=now)
    known = find_model("unet").metadata
    assert (known["source"], known["mirror"], known["scores"][0]["dice"]) == ("kaggle", False, 0.9)
    assert "not for commercial use" in known["license"]
    write_lock(trained=now, predicted="earlier")
    assert find_model("unet").metadata.get("scores") is None, "those of an earlier model"
    write_lock(trained="other", predicted="other")
    known = find_model("unet").metadata
    assert known["source"] == "unknown" and "does not know" in known["license"]


def test_photos_of_any_sizes_are_a_batch(project):
    predictor = find_model("unet")
    photos = [photo(*shape) for shape in SHAPES]
    masks, probabilities = predictor.mask(photos), predictor.probabilities(photos)
    for image, mask, probability in zip(photos, masks, probabilities, strict=True):
        assert (mask.dtype, mask.shape) == (bool, image.shape[:2])
        assert (probability.dtype, probability.shape) == (np.float32, image.shape[:2])
        assert (mask == predictor.mask(image)).mean() > 0.999
        assert np.abs(probability - predictor.probabilities(image)).max() < 0.01
    assert predictor.mask([]) == []
    assert np.array_equal(predictor.mask(photos[0][:, ::-1]), predictor.mask(photos[0][:, ::-1].copy()))


def test_the_file_says_how_its_masks_are_made(project):
    image = photo(150, 97)
    cleaned = {"threshold": 0.7, "smooth_px": 9, "min_component_share": 0.5, "max_hole_share": 0.1}
    for told in ({}, {"mirror": False}, {"scale": 1.25}, cleaned):
        path = save("unet", about=told, depth=1)
        probability = by_pipeline(path, image, **{key: told[key] for key in ("mirror", "scale") if key in told})
        params = PostprocessParams(threshold=0.5, **CLEANED).model_copy(update=told)
        wanted = final_mask(probability, image.shape[:2], params.threshold, params)
        assert 0 < wanted.mean() < 1
        assert np.array_equal(load(path).mask(image), wanted > 0)
        assert np.array_equal(load(path).probabilities(image), probability / np.float32(255))
        assert np.array_equal(load(save("unet", depth=1), **told).mask(image), wanted > 0)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 5), "u1"), np.zeros((4, 5, 4), "u1"), np.zeros((4, 5, 3)), np.zeros((0, 5, 3), "u1"), ""]
)
def test_what_is_no_photo_is_refused(project, image):
    with pytest.raises(ValueError, match="a photo must be uint8 RGB"):
        find_model("unet").mask(image)
    for wrong, said in (({"device": "tpu"}, "must be auto, cpu or cuda"), ({"treshold": 0.9}, "there is no treshold")):
        with pytest.raises(ValueError, match=said):
            load(model_path("unet"), **wrong)


@pytest.mark.parametrize(
    ("key", "values"),
    {
        "threshold": [9, 0, -1.0, float("nan"), "x", None],
        "image_size": [100_000, 1e5, "256", -3, [], None],
        "scale": [float("inf"), 0, "1"],
        "smooth_px": [4, -1, 1e9],
        "members": [3, [3], {"fold": 0}],
        "arguments": [3, {"width": 10**9}, {"wide": 1}],
        "variant": ["../unet", "vnet", 3],
        "loss": [3, "bce"],
        "source": [3, "a b", "<script>"],
        "params_hash": [3, ["a"]],
        "scores": [3, [{"dice": 0.5}], [{"on": "a", "dice": float("nan")}]],
        "mirror": ["yes", 1],
    }.items(),
)
def test_hostile_metadata_is_one_line_that_names_the_file(project, key, values):
    for value in values:
        path = save("unet", about={key: value}, depth=1)
        with pytest.raises(UserError) as refused:
            load(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert "get it again" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert "params.yaml" not in str(refused.value)


def test_a_release_needs_nothing_of_the_project(project, monkeypatch):
    set_params(project, {"predict.mirror": False, "predict.scale": 1.25, "postprocess.smooth_px": 9})
    release.main()
    images = [photo(*shape) for shape in SHAPES]
    wanted = find_model("unet").mask(images)
    monkeypatch.chdir(project / "release")
    found = load("model.safetensors").mask(images)
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))
    known = load("model.safetensors").metadata
    said = {"threshold": 0.3, "mirror": False, "scale": 1.25, "smooth_px": 9, "max_hole_share": 0.005}
    assert known.items() >= said.items()
    assert ModelCard.load("README.md").data.license == "mit"  # its weights began at random
    assert known["scores"][0]["dice"] == 0.9
    assert (known["source"], "MIT" in known["license"], known["image_size"]) == ("synthetic", True, SIZE)


def test_the_card_shows_what_the_file_holds_and_nothing_in_it_as_a_mark(project):
    hostile = "<script>alert(1)</script>\n# Title\n| a | [b](c) ![d](e) `f` &lt;"
    about = {"device": hostile, "weaknesses": hostile, "origin": "an encoder, Apache-2.0", "loss": {hostile: 1}}
    save("unet", about=about, depth=1)
    assert described(model_path("unet"))["origin"] == "an encoder, Apache-2.0"  # what begins with it says so
    release.main()
    card = ModelCard.load(CARD)
    assert (card.data.license, card.data.library_name) == ("other", "pytorch")
    assert card.data.eval_results[0].metric_value == 0.9
    for words in ("The threshold 0.3000", "an encoder, Apache-2.0", "| small person | 0.4321 | 3 |"):
        assert words in card.text
    assert card.text.count("&lt;script&gt;alert(1)&lt;/script&gt; \\# Title \\| a \\| \\[b\\](c) \\!\\[d\\]") == 3
    assert "<script>" not in CARD.read_text()
    assert "\n# Title" not in CARD.read_text()


def test_a_release_that_was_not_trained_is_one_line(project):
    for name in ("residual_unet", "team"):
        set_params(project, {"release": name, "ensembles": {"team": ["unet"] * 3}})
        with pytest.raises(UserError, match=rf"^params\.yaml: release: {name} was not trained; name a variant"):
            release.main()
    assert not RELEASED.exists()


def test_a_file_that_does_not_say_its_size_is_refused(project):
    model, known = load_model(model_path("unet"))
    del known["image_size"]
    save_model(Path("bare.safetensors"), [model.members[0].state_dict()], known)
    with pytest.raises(UserError, match=r"^bare\.safetensors: metadata: image_size is missing; get it again$"):
        load("bare.safetensors")


class TestDemo:
    def test_all_three_pictures_are_upright_and_of_the_photos_size(self, project):
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was held upright: 90 x 60 pixels to be turned by a quarter
        names = {"a/me.jpg": {"exif": exif}, "b/me.png": {}, "c.webp": {}}
        for name, options in names.items():
            (project / name).parent.mkdir(exist_ok=True)
            Image.fromarray(photo(60, 90)).save(name, **options)
        demo.main(*names)
        for stem, size in (("me", (60, 90)), ("me-2", (90, 60)), ("c", (90, 60))):
            pictures = {kind: Image.open(project / f"demo/{stem}-{kind}.png") for kind in ("mask", "overlay", "cutout")}
            assert [picture.mode for picture in pictures.values()] == ["L", "RGB", "RGBA"]
            assert {picture.size for picture in pictures.values()} == {size}
            assert set(np.unique(np.asarray(pictures["mask"]))) <= {0, 255}
            assert ((np.asarray(pictures["cutout"])[..., 3] > 0) >= (np.asarray(pictures["mask"]) > 0)).all()

    def test_the_best_that_was_scored_here_is_used(self, project):
        set_params(project, {"variants": ["unet", "residual_unet"]})
        for variant, score in (("residual_unet", 0.95), ("leaky_unet", 0.99)):  # the second is left from other photos
            save(variant, depth=1)
            write_metrics(variant, some_metrics(0.3, score))
        assert demo.choose("cpu")[1].startswith("residual_unet is used; it cannot be compared with")

    def test_mistakes_are_one_line(self, project):
        (project / "broken.jpg").write_bytes(b"no photo")
        for name, said in (("nowhere.jpg", r"nowhere\.jpg is missing"), ("broken.jpg", r"broken\.jpg: not a readable")):
            with pytest.raises(UserError, match=said):
                demo.main(name)

    def test_names_do_not_collide(self):
        photos = [Path(name) for name in ("a/x.png", "b/x.jpg", "y.png", "x-2.png", "c/x.png")]
        assert demo.stems(photos) == ["x", "x-2", "y", "x-2-2", "x-3"]
