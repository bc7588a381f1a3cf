"""Where training runs: compiled or not, in one process or several, with too little memory, on a GPU."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml

from src import gpus, models
from src.compute import ComputeParams, best_precision, configure_torch, find_device, free_gpu
from src.errors import UserError
from src.formats.model import load_model
from tests.conftest import PARAMS, ROOT, copy_project
from tests.kaggle_server import the_error
from tests.test_models import heads, make, photos

COMPUTE = ComputeParams(**PARAMS["compute"])
compiler = pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with its data prepared and one model trained on the CPU; every test leaves it so."""
    project = copy_project(tmp_path_factory.mktemp("compute") / "project", ["unet_plus_plus"])
    shallow = {"models__unet_plus_plus__depth": 2, "models__unet_plus_plus__dropout": 0.0}
    project.set(compute__device="cpu", **shallow)  # without dropout, which draws otherwise when compiled
    project.repro("split")
    project.commit("data")
    project.stage("train", "unet_plus_plus")
    return project


@pytest.fixture(autouse=True)
def restored(request):
    """What a test changes in the project's files is undone after it."""
    yield
    if "project" in request.fixturenames:
        request.getfixturevalue("project").run("git", "checkout", "--quiet", ".")


def model_file(project):
    return project.root / "models/unet_plus_plus.safetensors"


def losses(project):
    path = project.root / "plots/training/unet_plus_plus/plots/metrics/train/loss.tsv"
    return pd.read_csv(path, sep="\t")["loss"].to_numpy()


@pytest.fixture
def kept(project):
    """The trained model and its curve, put back after a test that trains again."""
    folders = (model_file(project).parent, project.root / "plots")
    for folder in folders:
        shutil.copytree(folder, project.root.parent / "kept" / folder.name)
    yield {"loss": losses(project), "model": load_model(model_file(project))}
    for folder in folders:
        shutil.rmtree(folder)
        shutil.move(project.root.parent / "kept" / folder.name, folder)


def test_the_model_file_says_what_made_it(project):
    _, about = load_model(model_file(project))
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    variant = "unet_plus_plus"
    expected = {
        "variant": variant,
        "arguments": params["models"][variant] | params["cpu"]["models"][variant],
        "train": {key: value for key, value in params["cpu"]["train"].items() if key != "panel_every"},
        "loss": {"bce_dice": params["losses"]["bce_dice"]},
        "augment": params["augment"],
        "precision": best_precision("cpu"),
        **{"seed": 42, "start": None, "device": "cpu, threads: 1"},
    }
    assert {key: about[key] for key in expected} == expected
    assert about["versions"]["torch"] == importlib.metadata.version("torch")
    curve = project.root / f"plots/training/{variant}/plots/metrics/val/dice.tsv"
    (member,) = about["members"]
    assert member["fold"] == params["split"]["fold"]
    assert member["val_dice"] == pytest.approx(pd.read_csv(curve, sep="\t")["dice"][member["best_epoch"]])
    assert len(about["params_hash"]) == len(about["data_hash"]) == 64
    assert not {"source", "license", "run_hash"} & about.keys(), "these did not make the weights"


def test_what_cannot_change_a_weight_leaves_the_model_file_as_it_is(project, kept):
    before = model_file(project).read_bytes()
    add_code(project, "stages/train/trainer.py", "# a comment\n")
    project.set(source="local", cpu__train__panel_every=0)
    project.set(compute__checkpoint_seconds=9.0, compute__device="auto", compute__threads=1)
    project.stage("train", "unet_plus_plus")
    assert model_file(project).read_bytes() == before


@compiler
@pytest.mark.slow
def test_a_compiled_model_trains_alike_and_is_saved_under_the_same_names(project, kept):
    project.set(compute__compile=True)
    project.stage("train", "unet_plus_plus")
    assert losses(project) == pytest.approx(kept["loss"], rel=1e-3)
    (plain, before), (compiled, about) = kept["model"], load_model(model_file(project))
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    assert about["params_hash"] != before["params_hash"]


@pytest.mark.slow
def test_compiling_without_a_compiler_is_refused_in_the_error(project, tmp_path):
    project.set(compute__compile=True)
    environment = ["CXX=/nowhere/g++", f"TORCHINDUCTOR_CACHE_DIR={tmp_path}"]
    result = project.run("env", *environment, "python", "-m", "stages.train", "unet_plus_plus", check=False)
    error = the_error(result)
    assert error.startswith("error: params.yaml: compute.compile: torch.compile does not work on this machine")
    assert "install a C++ compiler" in error


OUT_OF_MEMORY = 'raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")'
LOSS = f"""
import itertools
import torch
calls, working = itertools.count(), bce_dice
def bce_dice(logits, target, *, smooth: Smooth):
    if next(calls) >= 8:  # in the second epoch: one has four steps of two outputs
        {OUT_OF_MEMORY}
    return working(logits, target, smooth=smooth)
"""
MODEL = f"""
def forward_normalised(self, image):
    {OUT_OF_MEMORY}
UNetPlusPlus.forward_normalised = forward_normalised
"""


def add_code(project, file, code):
    path = project.root / file
    path.write_text(path.read_text() + code)


def test_training_that_runs_out_of_memory_names_what_to_lower_and_keeps_its_checkpoint(project, kept):
    model_file(project).unlink()
    add_code(project, "src/losses/bce_dice.py", LOSS)
    error = the_error(project.stage("train", "unet_plus_plus", check=False))
    assert error.startswith("error: params.yaml: the device has too little memory for this run; lower the budget's")
    assert all(key in error for key in ("train.batch_size", "train.accumulate", "width", "image_size"))
    assert not model_file(project).exists()
    (checkpoint,) = (project.root / ".dvc/cache/checkpoints").glob("*.safetensors")
    checkpoint.unlink()


def test_prediction_that_runs_out_of_memory_names_what_to_lower(project):
    add_code(project, "src/models/unet_plus_plus.py", MODEL)
    error = the_error(project.stage("predict", "unet_plus_plus", check=False))
    assert error.endswith("too little memory for this run; lower predict.batch_size or predict.scale")


@pytest.mark.parametrize(
    ("variant", "small_share", "way_out"),
    [("u2net", 0.0, "the model less deep where it has a depth"), ("unet", 0.5, "the budget's train.small_share 0")],
)
def test_an_image_too_small_for_the_model_is_refused_before_the_first_step(project, variant, small_share, way_out):
    project.set(cpu__train__small_share=small_share)  # of the epochs are on halved photos
    error = the_error(project.stage("train", variant, check=False))
    assert error.endswith(f"image_size: 32 is too small for {variant}; it must be at least 64, or {way_out}")


@pytest.mark.parametrize("variant", models.known_variants())
def test_every_variant_trains_on_a_single_photo_of_the_smallest_size(variant):
    model = make(variant).train()
    size = model.min_size
    sum(output.sum() for output in heads(model, photos(1, 3, size, size))).backward()


@pytest.mark.slow
def test_two_processes_train_alike_and_save_under_the_same_names(project, kept):
    project.set(compute__devices=2)
    project.stage("train", "unet_plus_plus")
    assert losses(project) == pytest.approx(kept["loss"], abs=0.2)  # each normalises its own half of a batch
    assert load_model(model_file(project))[0].state_dict().keys() == kept["model"][0].state_dict().keys()


@pytest.fixture
def card(monkeypatch):
    """Puts what a GPU says of itself in its place; what follows from it is ours."""

    def plug_in(name="Tesla T4", capability=(7, 5), archs=("sm_75", "sm_80", "sm_90", "compute_90"), works=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: works)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: capability)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: list(archs))

    return plug_in


class TestWhichDevice:
    @pytest.mark.parametrize(
        ("flags", "precision"),
        [("avx512f avx512_bf16", "bf16-mixed"), ("amx_tile amx_bf16", "bf16-mixed"), ("avx2 avx512f", "32-true")],
    )
    def test_a_cpu_that_has_bf16_in_hardware_uses_it(self, monkeypatch, flags, precision):
        monkeypatch.setattr(Path, "read_text", lambda path: f"processor\t: 0\nflags\t\t: fpu {flags}\n")
        assert best_precision("cpu") == precision

    @pytest.mark.parametrize(
        ("capability", "precision"),
        [((7, 5), "16-mixed"), ((8, 0), "bf16-mixed"), ((8, 6), "bf16-mixed"), ((12, 0), "bf16-mixed")],
    )
    def test_a_card_with_kernels_or_a_later_one_computes_in_what_it_has_in_hardware(self, card, capability, precision):
        card(capability=capability)
        assert (find_device(COMPUTE), best_precision("cuda")) == ("cuda", precision)
        card(capability=(6, 0))
        assert best_precision("cuda") == "32-true"

    @pytest.mark.parametrize(
        ("plugged", "changes", "message"),
        [
            ({"capability": (6, 0)}, {}, r"no kernels for this GPU, Tesla T4 \(sm_60; it has sm_75, .*T4 x2"),
            ({"capability": (7, 0)}, {}, r"no kernels for this GPU, Tesla T4 \(sm_70; it has sm_75, .*T4 x2"),
            ({"works": False}, {}, "its driver is too old for this torch"),
            ({}, {"devices": 2}, "compute.devices: 2 asked for, 1 here"),
            ({}, {"device": "cpu", "precision": "16-mixed"}, r"compute\.precision: 16-mixed needs a GPU"),
        ],
    )
    def test_what_cannot_work_is_one_line_and_not_a_day_on_the_cpu(self, card, plugged, changes, message):
        card(**plugged)
        with pytest.raises(UserError, match=message):
            configure_torch(COMPUTE.model_copy(update=changes))
        assert find_device(COMPUTE.model_copy(update={"device": "cpu"})) == "cpu"


HOLD = """
import time
from src import gpus
from src.errors import run_main
def main(*names):
    print(gpus.take_gpu(names), gpus.take_gpu(names), flush=True)
    time.sleep(300)
run_main(main)
"""


class TestWhoHasWhichGpu:
    """By the names of the GPUs that a process sees: no GPU is needed to hold one."""

    @pytest.fixture
    def hold(self, tmp_path):
        """Starts a process that takes one of the GPUs named, and keeps it until it is killed."""
        held = []

        def start(*gpus):
            environment = os.environ | {"TMPDIR": str(tmp_path)}
            command = [sys.executable, "-c", HOLD, *gpus]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE, text=True)
            held.append(process)
            return process

        yield start
        for process in held:
            process.kill()
            process.communicate()

    def test_each_process_has_one_to_itself_and_keeps_it(self, hold):
        assert hold("a", "b").stdout.readline() == "0 0\n"
        assert hold("a", "b").stdout.readline() == "1 1\n"
        assert hold("c").stdout.readline() == "0 0\n"  # it sees another one, as CUDA_VISIBLE_DEVICES would have it

    def test_one_too_many_says_for_whom_it_waits_and_gets_what_is_let_go_first(self, hold):
        first, second = hold("a", "b"), hold("b")
        for process in (first, second):
            assert process.stdout.readline() == "0 0\n"
        third = hold("a", "b")
        waiting = third.stderr.readline()
        assert waiting.startswith("waiting for a GPU: 0 is in use by ")
        assert all(f"(process {process.pid})" in waiting for process in (first, second))
        second.kill()
        assert third.stdout.readline() == "1 1\n"

    def test_of_two_cards_training_takes_the_free_one_whatever_their_numbers_are(
        self, hold, card, monkeypatch, tmp_path
    ):
        assert hold("b").stdout.readline() == "0 0\n"
        card()
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="ba"[number]))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(gpus, "TAKEN", {})
        assert free_gpu() == 1


FAULT = """
import time
def mean_dice(fabric, *_):
    if fabric.global_rank:
        time.sleep(300)  # as one waits on a GPU for a process that will not come
    raise RuntimeError("the disk is full")
"""


@pytest.mark.slow
def test_if_the_first_process_fails_the_others_end_too(project):
    project.set(compute__devices=2)
    add_code(project, "stages/train/trainer.py", FAULT)
    start = time.monotonic()
    result = project.stage("train", "unet_plus_plus", check=False)
    assert result.returncode != 0
    assert "the disk is full" in result.stderr
    assert time.monotonic() - start < 120
    time.sleep(1)
    assert not project.processes()
