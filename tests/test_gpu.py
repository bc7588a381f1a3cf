"""What only a GPU can show, at full width: python -m pytest -m gpu"""

import signal

import pytest
import torch
from tqdm import tqdm

from benchmarks.network import FULL, make_trainer, setting
from src.models import known_variants
from stages.train.checkpoint import Checkpoint, optimizer_tensors
from tests.test_resume import hashes, interrupt

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]
WARM, WATCHED = 3, 8  # steps


def trainer(variant, steps, precision="auto", **changes):
    return make_trainer(setting(variant, FULL, precision=precision), steps, **changes)


class Stop(Exception):  # noqa: N818
    """Ends a training as a kill would."""


class StopBefore:
    """In a logger's place: ends the training when `epoch` is trained but not yet saved."""

    rows, panels = (), {}

    def __init__(self, epoch):
        self.epoch = epoch

    def log(self, epoch, metrics, model):
        if epoch == self.epoch:
            raise Stop

    def replay(self, rows, panels):
        pass


def bits(trainer):
    """All that training has changed, as bytes."""
    scaler = trainer.scaler.state_dict() if trainer.scaler else {}
    groups = (
        trainer.model.module.state_dict(),
        trainer.average.model.state_dict(),
        optimizer_tensors(trainer.optimizer),
        {name: torch.tensor(value) for name, value in scaler.items()},
    )
    tensors = [(number, name, tensor) for number, group in enumerate(groups) for name, tensor in group.items()]
    assert all(tensor.isfinite().all() for _, _, tensor in tensors)
    return {(number, name): tensor.cpu().contiguous().view(-1).view(torch.uint8) for number, name, tensor in tensors}


@pytest.mark.parametrize("variant", known_variants())
@pytest.mark.parametrize(
    ("precision", "graphs"), [("auto", True), ("16-mixed", True), ("32-true", True), ("auto", False)]
)
def test_equal_trainings_and_resumed_ones_end_in_equal_bits(variant, precision, graphs, tmp_path):
    def trained(stop=None):
        kept = Checkpoint(tmp_path, "run") if stop else None
        made = trainer(variant, 2, precision, graphs=graphs, checkpoint=kept, epochs=2, warmup_epochs=1.0)
        made.logger = stop
        made.fit()
        return bits(made)

    once, twice = trained(), trained()
    with pytest.raises(Stop):
        trained(StopBefore(1))
    assert list(tmp_path.glob("*.safetensors"))
    for other in (twice, trained(StopBefore(2))):
        assert once.keys() == other.keys()
        assert [name for name in once if not torch.equal(once[name], other[name])] == []


class Watch(tqdm):
    """Between the first steps and the last, what makes the CPU wait for the GPU raises an error: when an epoch ends, it
    may look at its losses."""

    steps = 0

    def update(self, n=1):
        self.steps += 1
        torch.cuda.set_sync_debug_mode("error" if WARM <= self.steps < WARM + WATCHED else "default")


@pytest.mark.parametrize("variant", known_variants())
def test_no_step_waits_for_the_gpu(variant):
    bar = Watch(disable=True)
    try:
        trainer(variant, WARM + WATCHED).train_epoch(0, bar)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert bar.steps == WARM + WATCHED


def test_a_killed_pipeline_of_full_width_ends_in_the_same_bytes(new_project):
    projects = [new_project(name, ("residual_unet",)) for name in ("killed", "whole")]
    for project in projects:
        project.set(budget="gpu", image_size=256, synthetic__labelled=120, synthetic__size=256)
        project.set(gpu__models__residual_unet__width=64, gpu__train__epochs=30, gpu__train__warmup_epochs=1.0)
        project.repro("split")
    assert interrupt(projects[0], signal.SIGKILL, 1, "dvc", "repro", "evaluate@residual_unet")
    assert "going on from epoch" in projects[0].run("dvc", "repro", "evaluate@residual_unet").stdout
    projects[1].repro("evaluate@residual_unet")
    assert hashes(projects[0]) == hashes(projects[1]) != {}
