"""Training: augmentation, schedule, what is kept, what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from src import models
from src.errors import UserError
from src.losses import build_loss
from stages.train.augment import Augment, AugmentParams, noisy
from stages.train.batches import PhotoBatches, seed_for, shuffled
from stages.train.checkpoint import Checkpoint
from stages.train.cuda_graphs import record_graphs
from stages.train.ema import decay_at, to_sync_batchnorm
from stages.train.schedule import TrainParams, warmup_cosine
from stages.train.trainer import Trainer
from tests.conftest import ROOT, photo_and_mask

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
AUGMENT = AugmentParams(**PARAMS["augment"])
TRAIN = TrainParams(**PARAMS["cpu"]["train"])
MODEL = {"width": 4, "depth": 2, "dropout": 0.0, "batch_norm": True, "color": "rgb"}


def photos_and_masks(count, size=32):
    photos, masks = zip(*(photo_and_mask(size, seed) for seed in range(count)), strict=True)
    return np.stack(photos), 255 * np.stack(masks)


def dataset(count, first=0):
    photos, masks = photos_and_masks(first + count)
    return PhotoBatches(photos, masks, np.arange(first, first + count), torch.device("cpu"))


def trainer(*, log=None, checkpoint=None, fabric=None, loss=None, final_loss=None, train=None, val=None, **params):
    torch.manual_seed(0)
    return Trainer(
        fabric or Fabric(accelerator="cpu", devices=1),
        models.build("unet", MODEL),
        train=dataset(16) if train is None else train,
        val=dataset(6, first=16) if val is None else val,
        loss=loss or build_loss("bce_dice", {"smooth": 1.0}),
        final_loss=final_loss or build_loss("bce", {}),
        augment=lambda photos, masks: (photos, masks),
        params=TRAIN.model_copy(update={"epochs": 3, "batch_size": 4} | params),
        seed=1,
        logger=Listener(log) if log else None,
        checkpoint=checkpoint,
    )


class Listener:
    """In a logger's place: tells `log` of each epoch."""

    rows, panels = (), {}

    def __init__(self, log):
        self.log = log


def half_precision(scale=2.0**16):
    """16 bits with a gradient scaler that starts at `scale`, as on a T4, but on the CPU."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler))


class TestAugmentation:
    def changed(self, photos, masks, **changes):
        torch.manual_seed(4)
        return Augment(AUGMENT.model_copy(update=changes))(photos, masks)

    def test_photo_and_mask_get_the_same_geometry(self):
        masks = torch.from_numpy(photos_and_masks(8, size=64)[1]).unsqueeze(1)
        plain = {"color_p": 0.0, "gamma_p": 0.0, "gray_p": 0.0, "blur_p": 0.0, "noise_p": 0.0}
        photos, moved = self.changed(masks.expand(-1, 3, -1, -1), masks, **plain)
        assert (moved != masks).any()
        assert torch.equal(photos, moved.expand(-1, 3, -1, -1))

    def test_kinds_and_values_stay(self):
        photos = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
        masks = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)
        new_photos, new_masks = self.changed(photos, masks)
        assert (new_photos.shape, new_photos.dtype) == (photos.shape, torch.uint8)
        assert (new_masks.shape, new_masks.dtype) == (masks.shape, torch.uint8)

    def test_it_depends_on_the_seed_alone_and_can_be_switched_off(self):
        photos, masks = dataset(4).batch(torch.arange(4))
        first, second = self.changed(photos, masks), self.changed(photos, masks)
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert torch.equal(self.changed(photos, masks, enabled=False)[0], photos)

    def test_noise_is_normal_and_each_value_has_its_own(self):
        torch.manual_seed(0)
        noise = noisy(torch.full((4, 3, 64, 64), 0.5), std=0.03) - 0.5
        assert noise.mean().item() == pytest.approx(0, abs=0.001)
        assert noise.std().item() == pytest.approx(0.03, rel=0.02)
        assert (noise.abs() < 0.03).float().mean().item() == pytest.approx(0.683, abs=0.01)
        assert len(noise.unique()) > 10_000
        torch.manual_seed(0)
        assert torch.equal(noisy(torch.full((4, 3, 64, 64), 0.5), std=0.03) - 0.5, noise)

    def test_noise_is_drawn_where_the_photos_are(self):
        before = torch.get_rng_state()
        noisy(torch.empty(4, 3, 8, 8, device="meta"), std=0.03)
        assert torch.equal(torch.get_rng_state(), before)


class TestSchedule:
    def test_warm_up_then_cosine_to_zero(self):
        factors = [warmup_cosine(step, 100, warmup=10) for step in range(100)]
        assert factors[4] == pytest.approx(0.5)
        assert max(factors) == factors[9] == pytest.approx(1)
        assert factors[54] == pytest.approx(0.5)
        assert factors[99] == pytest.approx(0)

    def test_the_average_starts_short_and_ends_at_its_decay(self):
        assert decay_at(0, 0.99) == pytest.approx(0.1)
        assert decay_at(10**6, 0.99) == 0.99
        assert decay_at(5, 0.0) == 0


class TestRandomness:
    def test_an_order_is_a_permutation_that_depends_on_seed_and_epoch(self):
        assert sorted(shuffled(50, 1, 0).tolist()) == list(range(50))
        assert torch.equal(shuffled(50, 1, 0), shuffled(50, 1, 0))
        assert not torch.equal(shuffled(50, 1, 0), shuffled(50, 1, 1))
        assert seed_for(1, 2, 3) != seed_for(1, 3, 2)

    def test_streamed_photos_give_the_batches_of_held_ones(self):
        photos, masks = photos_and_masks(9)
        parts = shuffled(6, 0).split(4)
        held, streamed = (
            list(PhotoBatches(photos, masks, np.arange(2, 8), torch.device("cpu"), resident).batches(parts))
            for resident in (True, False)
        )
        assert [len(batch[0]) for batch in held] == [4, 2]
        for a, b in zip(held, streamed, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class TestTrainer:
    def test_it_learns_and_the_same_run_gives_the_same_weights(self):
        first, second = (trainer(epochs=25, learning_rate=0.02).fit() for _ in range(2))
        assert first.dice > 0.8
        assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)

    def test_the_best_smoothed_epoch_is_kept(self):
        history = []
        best = trainer(log=lambda epoch, metrics, model: history.append(metrics), epochs=6, dice_smoothing=0.5).fit()
        smoothed = [metrics["val/dice_smoothed"] for metrics in history]
        assert best.epoch == int(np.argmax(smoothed))
        assert smoothed[1] == pytest.approx((history[0]["val/dice"] + history[1]["val/dice"]) / 2)

    def test_patience_ends_a_run_that_no_longer_improves(self):
        history = []
        trainer(log=lambda *row: history.append(row), epochs=50, patience=2, learning_rate=1e-12).fit()
        assert len(history) < 20

    def test_the_final_loss_takes_over_at_its_own_learning_rate(self):
        calls, rates = [], []

        def named(name):
            def loss(logits, target):
                calls.append(name)
                return (logits - target).square().mean()

            return loss

        trainer(
            loss=named("loss"),
            final_loss=named("final"),
            log=lambda epoch, metrics, model: rates.append(metrics["train/learning_rate"]),
            final_epochs=1,
            final_learning_rate=1e-4,
        ).fit()
        assert calls == ["loss"] * 8 + ["final"] * 4
        assert rates[2] == 1e-4

    def test_accumulated_batches_are_one_large_batch(self):
        norms = []
        for batch_size, accumulate in ((8, 1), (4, 2)):
            run = trainer(loss=build_loss("bce", {}), batch_size=batch_size, accumulate=accumulate)
            run.model.eval()  # BatchNorm's statistics are per batch, so they would differ
            batches = run.train.batches(torch.arange(8).split(batch_size))
            norms.append(run.train_step(0, 0, batches)[1].item())
        assert norms[0] == pytest.approx(norms[1], rel=1e-4)

    @pytest.mark.parametrize(("soft", "expected"), [(True, {0.0, 0.2, 0.8, 1.0}), (False, {0.0, 1.0})])
    def test_the_target_is_the_share_of_a_pixel_or_all_or_nothing(self, soft, expected):
        seen = set()

        def loss(logits, target):
            seen.update(target.unique().tolist())
            return logits.mean()

        data = dataset(8)
        data.masks[:, :2] = 51
        data.masks[:, 2:4] = 204
        trainer(train=data, loss=loss, epochs=1, soft_targets=soft).fit()
        assert {round(value, 6) for value in seen} == expected

    def test_a_loss_that_turns_nan_stops_with_one_line(self):
        steps = []

        def loss(logits, target):
            steps.append(0)
            return logits.mean() * (float("nan") if len(steps) == 6 else 1.0)

        with pytest.raises(
            UserError, match=r"the loss is nan in epoch 1, step 1, at learning rate .* gradient norm nan"
        ):
            trainer(loss=loss).fit()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"batch_size": 32}, "batch_size times train.accumulate is 32, more than the 16 training photos"),
            ({"final_epochs": 3}, "final_epochs, 3, must be below train.epochs"),
        ],
    )
    def test_a_run_that_cannot_work_is_refused_before_the_first_step(self, change, message):
        with pytest.raises(UserError, match=message):
            trainer(**change)

    def test_a_validation_part_without_a_person_is_refused(self):
        photos, masks = photos_and_masks(4)
        val = PhotoBatches(photos, 0 * masks, np.arange(4), torch.device("cpu"))
        with pytest.raises(UserError, match="no val photo shows a person"):
            trainer(val=val)


class TestGradientScaler:
    def test_16_bits_train_as_well_as_32(self):
        half, full = (trainer(fabric=f, epochs=25, learning_rate=0.02).fit() for f in (half_precision(), None))
        assert half.dice == pytest.approx(full.dice, abs=0.05)

    def test_steps_that_overflow_are_left_out_of_the_average_and_are_no_end(self):
        run = trainer(fabric=half_precision(scale=2.0**40))
        before = [tensor.clone() for tensor in run.average.averaged]
        run.train_step(0, 0, run.train.batches([torch.arange(4)]))
        assert all(torch.equal(*pair) for pair in zip(before, run.average.averaged, strict=True))
        best = trainer(fabric=half_precision(scale=2.0**40), epochs=25, learning_rate=0.02).fit()
        assert best.dice > 0.5

    def test_it_goes_on_with_the_scale_that_it_had(self, tmp_path):
        whole = trainer(fabric=half_precision(2.0**24), epochs=4)
        best = whole.fit()
        assert whole.scaler.get_scale() < 2.0**24

        def stop(epoch, metrics, model):
            if epoch == 2:
                raise KeyboardInterrupt

        checkpoint = Checkpoint(tmp_path, "run")
        with pytest.raises(KeyboardInterrupt):
            trainer(fabric=half_precision(2.0**24), epochs=4, log=stop, checkpoint=checkpoint).fit()
        resumed = trainer(fabric=half_precision(2.0**24), epochs=4, checkpoint=checkpoint)
        again = resumed.fit()
        assert resumed.scaler.state_dict() == whole.scaler.state_dict()
        assert all(torch.equal(best.weights[name], again.weights[name]) for name in best.weights)


class TestCheckpoints:
    @pytest.mark.parametrize(("interval", "saved"), [(0.0, 3), (3600.0, 0)])
    def test_one_is_written_when_its_time_has_come_and_none_after_the_last_epoch(self, tmp_path, interval, saved):
        checkpoint, calls = Checkpoint(tmp_path, "run", interval), []
        checkpoint.save = calls.append
        trainer(checkpoint=checkpoint, epochs=4).fit()
        assert len(calls) == saved


class TestGraphs:
    """CUDA graphs, where recording is played by a function: the GPU command proves the rest."""

    def recorded(self, monkeypatch, recording):
        def record(model, photos, **_):
            plain = model.forward
            plain(*photos)  # moves BatchNorm's statistics, as recording does
            model.forward = recording(plain)

        monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
        torch.manual_seed(0)
        model = models.build("unet", MODEL)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        record_graphs(Fabric(accelerator="cpu", devices=1), model, (2, 3, 32, 32))
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
        return model

    def test_recorded_passes_are_used_if_they_give_the_gradient(self, monkeypatch, capsys):
        calls = []
        model = self.recorded(monkeypatch, lambda plain: lambda photos: calls.append(0) or plain(photos))
        model(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
        assert len(calls) == 2
        assert capsys.readouterr().out == ""

    def test_dropout_is_no_difference(self, monkeypatch, capsys):
        monkeypatch.setitem(MODEL, "dropout", 0.5)
        self.recorded(monkeypatch, lambda plain: plain)
        assert capsys.readouterr().out == ""

    def test_too_little_memory_is_not_taken_for_a_fault_of_the_model(self, monkeypatch):
        def refuse(plain):
            raise torch.OutOfMemoryError("CUDA out of memory")

        with pytest.raises(torch.OutOfMemoryError):
            self.recorded(monkeypatch, refuse)

    def test_the_plain_ones_are_used_if_they_do_not(self, monkeypatch, capsys):
        model = self.recorded(monkeypatch, lambda plain: lambda photos: 2 * plain(photos))
        assert "recorded as CUDA graphs give other gradients" in capsys.readouterr().out
        torch.manual_seed(0)
        other, photos = models.build("unet", MODEL), torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        assert torch.equal(model(photos), other(photos))

    def test_a_model_that_cannot_be_recorded_is_one_line(self, monkeypatch):
        def refuse(plain):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

        with pytest.raises(UserError, match=r"compute\.cuda_graphs: this model cannot be recorded \(operation not"):
            self.recorded(monkeypatch, refuse)


@pytest.mark.parametrize(("batch_size", "shared"), [(16, True), (64, False)])
def test_few_photos_on_each_of_several_gpus_share_their_statistics(batch_size, shared):
    fabric = SimpleNamespace(world_size=8, device=torch.device("cuda"))  # what decides; eight GPUs are not at hand
    model = models.build("unet", MODEL)
    names = set(model.state_dict())
    made = to_sync_batchnorm(fabric, model, batch_size)
    assert any(isinstance(layer, torch.nn.SyncBatchNorm) for layer in made.modules()) == shared
    assert set(made.state_dict()) == names
