"""Trainings that start from weights instead of chance, and the starter that comes with a clone."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from src.errors import UserError
from src.formats.model import load_model, save_model
from src.formats.raw import RAW
from src.formats.tensors import read_tensors, write_tensors
from stages.train import __main__ as train
from tests.conftest import Project, write_raw

STARTER = "models/starters/unet.safetensors"


def weights_in(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path)[0].members[0].state_dict()


def about(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["about"])


@pytest.fixture(scope="module")
def project(project) -> Project:
    """A finished project, and a starter that was made of its unet."""
    project.tool("starter", "unet")
    project.commit("starter")
    return project


def test_a_starter_is_half_as_large_and_says_what_its_user_needs(project):
    own, starter = project.root / "models/unet.safetensors", project.root / STARTER
    assert starter.stat().st_size < 0.7 * own.stat().st_size
    assert STARTER in project.run("git", "ls-files", "models").stdout
    known, metrics = about(starter), json.loads((project.root / "metrics/unet.json").read_text())
    assert known["threshold"] == metrics["threshold"]
    assert known["scores"][0]["dice"] == metrics["holdout"]["dice"]
    assert known["image_size"] == 32
    for name, tensor in weights_in(own).items():
        torch.testing.assert_close(weights_in(starter)[name], tensor, rtol=1e-3, atol=1e-6)
    assert starter.stat().st_mode == (project.root / "report/index.html").stat().st_mode  # whoever can read the rest


def test_a_starter_can_be_the_mean_of_several_models(project, tmp_path):
    whole, metadata = read_tensors(project.root / STARTER)
    zeros = {group: {name: tensor * 0 for name, tensor in member.items()} for group, member in whole.items()}
    write_tensors(tmp_path / "zeros.safetensors", zeros, metadata)
    project.tool("starter", "unet", str(tmp_path / "zeros.safetensors"))
    mean, metadata = read_tensors(project.root / STARTER)
    for name, tensor in whole["0"].items():
        torch.testing.assert_close(mean["0"][name], tensor / 2 if tensor.is_floating_point() else tensor)
    assert "scores" not in metadata  # those of one of them
    project.run("git", "checkout", STARTER)
    write_tensors(tmp_path / "leaky.safetensors", zeros, metadata | {"variant": "leaky_unet"})  # of the same shapes
    for other in ("models/starters/u2net.safetensors", str(tmp_path / "leaky.safetensors")):
        refused = project.tool("starter", "unet", other, check=False).stderr
        assert refused.startswith(f"error: {other}: its weights are not those of the same variant, width and folds")


def test_a_training_begins_with_the_weights_of_the_file_and_says_so(project):
    project.set(start=STARTER, cpu__train__learning_rate=1e-7, cpu__train__ema_decay=0.0)
    project.run("dvc", "repro", "train@unet")
    trained, started = weights_in(project.root / "models/unet.safetensors"), weights_in(project.root / STARTER)
    for name, tensor in trained.items():
        if "running" not in name and tensor.is_floating_point():  # BatchNorm's statistics follow the photos
            torch.testing.assert_close(tensor, started[name], rtol=1e-3, atol=1e-5)
    said = about(project.root / "models/unet.safetensors")["start"]
    assert said["file"] == STARTER
    assert len(said["sha256"]) == 64


def test_another_file_under_the_same_name_trains_again(project):
    project.set(start=STARTER)
    project.run("dvc", "repro", "train@unet")
    assert "Running stage 'train@unet'" not in project.run("dvc", "repro", "--dry", "train@unet").stdout
    model, known = load_model(project.root / STARTER)
    changed = {name: tensor * 1.01 for name, tensor in model.members[0].state_dict().items()}
    save_model(project.root / STARTER, [changed], known)
    assert "Running stage 'train@unet'" in project.run("dvc", "repro", "--dry", "train@unet").stdout
    project.run("git", "checkout", "--", STARTER)


def test_what_does_not_fit_is_one_line(project, monkeypatch):
    monkeypatch.chdir(project.root)

    def error(variant: str, start: str, **changes: object) -> str:
        project.set(start=start, **changes)
        with pytest.raises(UserError, match=r"^params\.yaml: start|is not a whole") as refused:
            train.main(variant)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert "is a unet, not a residual_unet; train unet alone: train@unet" in error("residual_unet", STARTER)
    assert "has width 2, and params.yaml says 3 for unet" in error("unet", STARTER, cpu__models__unet__width=3)
    project.set(cpu__models__unet__width=2)
    assert "there is no file nowhere.safetensors; name a model file" in error("unet", "nowhere.safetensors")
    assert "start: models is a folder; name a model file" in error("unet", "models")
    (project.root / "cut.safetensors").write_bytes((project.root / STARTER).read_bytes()[:3000])
    assert "cut.safetensors is not a whole safetensors file" in error("unet", "cut.safetensors")
    project.set(start="nowhere.safetensors")
    assert "params.yaml: start: there is no file nowhere" in project.tool("check", check=False).stderr


class TestDemo:
    """Which model cuts people out."""

    @pytest.fixture
    def clone(self, project, tmp_path) -> Project:
        """A clone with a starter and a photo, and nothing trained."""
        project.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
        clone = Project(tmp_path / "clone")
        shutil.copy(clone.root / STARTER, clone.root / "models/starters/efficientnet_unet.safetensors")
        with zipfile.ZipFile(project.root / RAW) as photos:
            (clone.root / "me.png").write_bytes(photos.read("test/images/0025.png"))
        return clone

    def demo(self, project: Project, *arguments: str) -> str:
        return project.tool("demo", *arguments, "me.png").stdout

    def test_the_starter_right_after_the_clone(self, clone):
        assert "efficientnet_unet.safetensors is used; no model was trained here yet" in self.demo(clone)
        assert (clone.root / "demo/me-cutout.png").exists()

    @pytest.mark.slow
    def test_an_own_model_takes_its_place_when_it_is_better_on_holdout(self, clone):
        model, known = load_model(clone.root / STARTER)
        path = clone.root / "models/starters/efficientnet_unet.safetensors"

        def said(starter: float, own: float) -> str:
            """What the demo says first, with the thresholds of two models that call some of each pixel a person."""
            save_model(path, [model.members[0].state_dict()], known | {"threshold": starter})
            clone.set(release="residual_unet", postprocess__threshold=own)
            clone.run("dvc", "repro", "evaluate@residual_unet")
            clone.set(postprocess__threshold="auto")
            return self.demo(clone).splitlines()[0]

        everything, nothing = 0.0001, 0.9999
        ours = said(starter=nothing, own=everything)
        assert ours.startswith("residual_unet is used; on 2 holdout photos residual_unet has Dice 0.")
        assert ours.endswith("efficientnet_unet.safetensors 0.000")
        theirs = said(starter=everything, own=nothing)
        assert theirs.startswith(
            f"{path.relative_to(clone.root)} is used; on 2 holdout photos residual_unet has Dice 0.000"
        )


@pytest.mark.slow
def test_one_command_makes_each_of_the_best_models_whatever_was_made_before(new_project, tmp_path):
    project, photos = new_project().with_environment(), write_raw(tmp_path / "my photos", labelled=24)
    small = "-S image_size=128 -S gpu.train.epochs=1 -S synthetic.labelled=40 -S synthetic.size=64"
    for target, variant, folds in (("best", "efficientnet_unet", 2), ("best-from-scratch", "u2net", 1)):
        project.run("make", target, f"PHOTOS={photos}", f"SET={small}{' -S gpu.train.folds=2' * (folds - 1)}")
        assert len(load_model(project.root / "release/model.safetensors")[0].members) == folds
        known = about(project.root / "release/model.safetensors")
        assert (known["variant"], known["image_size"], known["source"]) == (variant, 128, "local")
        assert (project.root / f"submissions/{variant}.csv").exists()
