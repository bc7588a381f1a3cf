"""Training: augmentation, schedule, what is kept, what is refused."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch.nn import functional as F
from tqdm import tqdm

from src import models
from src.errors import UserError
from src.losses import build_loss
from stages.train.augment import Augment, AugmentParams, noisy
from stages.train.batches import PhotoBatches, micro_batches, seed_for, shuffled
from stages.train.checkpoint import Checkpoint
from stages.train.cuda_graphs import record_graphs
from stages.train.ema import decay_at, to_sync_batchnorm
from stages.train.schedule import TrainParams, learning_rate
from stages.train.trainer import Trainer, halved, mean_dice
from tests.conftest import PARAMS, photo_and_mask

AUGMENT = AugmentParams(**PARAMS["augment"])
PLAIN = {"flip_p": 0.0, "rotate_degrees": 0.0, "scale_min": 1.0, "scale_max": 1.0, "shift": 0.0}
PLAIN |= {"color_p": 0.0, "gamma_p": 0.0, "gray_p": 0.0, "blur_p": 0.0, "noise_p": 0.0}
TRAIN = TrainParams(**PARAMS["cpu"]["train"] | {"small_share": 0.0})
MODEL = {"width": 4, "depth": 2, "dropout": 0.0, "batch_norm": True, "color": "rgb"}
CPU = torch.device("cpu")


def photos_and_masks(count, size=32):
    photos, masks = zip(*(photo_and_mask(size, seed) for seed in range(count)), strict=True)
    return np.stack(photos), 255 * np.stack(masks)


def dataset(count, first=0, size=32):
    photos, masks = photos_and_masks(first + count, size)
    return PhotoBatches(photos, masks, np.arange(first, first + count), CPU)


def trainer(model=None, *, log=None, loss=None, train=None, val=None, **others):
    """A Trainer of a small U-Net for three epochs; `others` are its further arguments, and params of the training."""
    torch.manual_seed(0)
    plain = {
        "fabric": others.pop("fabric", None) or Fabric(accelerator="cpu", devices=1),
        "augment": lambda photos, masks: (photos, masks),
        "checkpoint": None,
        "cuda_graphs": False,
    }
    arguments = plain | {key: others.pop(key) for key in plain.keys() & others.keys()}
    return Trainer(
        arguments.pop("fabric"),
        model or models.build("unet", MODEL),
        train=train or dataset(16),
        val=val or dataset(6, first=16),
        loss=loss or build_loss("bce_dice", {"smooth": 1.0}),
        params=TRAIN.model_copy(update={"epochs": 3, "batch_size": 4} | others),
        seed=1,
        logger=SimpleNamespace(log=log, rows=(), panels={}) if log else None,
        **arguments,
    )


def half_precision(scale=2.0**16):
    """16 bits with a gradient scaler that starts at `scale`, as on a T4, but on the CPU."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler))


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def equal_weights(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def changed(photos, masks, seed=4, **changes):
    torch.manual_seed(seed)
    return Augment(AUGMENT.model_copy(update=changes))(photos, masks)


class TestAugmentation:
    def test_photo_and_mask_get_the_same_geometry(self):
        masks = torch.from_numpy(photos_and_masks(8, size=64)[1]).unsqueeze(1)
        colours = {key: value for key, value in PLAIN.items() if key.endswith("_p") and key != "flip_p"}
        photos, moved = changed(masks.expand(-1, 3, -1, -1), masks, **colours)
        assert (moved != masks).any()
        assert torch.equal(photos, moved.expand(-1, 3, -1, -1))

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            pytest.param({}, lambda photo: photo, id="as it is"),
            pytest.param({"flip_p": 1.0}, lambda photo: photo.flip(3), id="mirrored"),
            pytest.param(
                {"scale_min": 2.0, "scale_max": 2.0},
                lambda photo: F.interpolate(photo[..., 16:48, 16:48].float(), scale_factor=2, mode="bilinear").round(),
                id="twice as large",
            ),
        ],
    )
    def test_geometry_is_what_its_params_say(self, changes, expected):
        masks = torch.from_numpy(photos_and_masks(2, size=64)[1]).unsqueeze(1)
        inside = np.s_[..., 2:-2, 2:-2]  # at the border the enlarged photo sees what is beyond it
        found = changed(masks.expand(-1, 3, -1, -1), masks, **PLAIN | changes)[1]
        torch.testing.assert_close(found[inside].float(), expected(masks).float()[inside], atol=1, rtol=0)
        white = torch.full_like(masks, 255)  # and stays so: beyond the edge a photo is mirrored, not black
        assert torch.equal(changed(white.expand(-1, 3, -1, -1), white, **PLAIN | changes | {"shift": 0.2})[1], white)

    @pytest.mark.parametrize(
        ("changes", "low", "high"), [({"shift": 0.25}, 12, 17), ({"rotate_degrees": 30.0}, 7, 9)], ids=str
    )
    def test_a_place_moves_as_far_as_the_params_allow_and_no_further(self, changes, low, high):
        masks = torch.zeros(64, 1, 64, 64, dtype=torch.uint8)
        masks[..., 47:49, 31:33] = 255  # a dot 16 pixels below the centre
        found = changed(masks.expand(-1, 3, -1, -1), masks, **PLAIN | changes)[1].float().flatten(1)
        columns = (found * torch.arange(64.0).repeat(64)).sum(1) / found.sum(1) - 31.5
        assert low < columns.max() < high
        assert -high < columns.min() < -low

    @pytest.mark.parametrize("key", ["color_p", "gamma_p", "gray_p", "blur_p", "noise_p"])
    def test_each_change_is_made_to_its_share_of_the_photos(self, key):
        photos = torch.randint(1, 255, (200, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        masks = photos[:, :1]
        for share, low, high in ((0.0, 0, 0), (0.3, 30, 80), (1.0, 150, 200)):
            found, same = changed(photos, masks, **PLAIN | {key: share})
            assert low <= (found != photos).flatten(1).any(1).sum() <= high
            assert torch.equal(same, masks)

    def test_it_depends_on_the_seed_alone_and_can_be_switched_off(self):
        photos, masks = dataset(4).batch(torch.arange(4))
        first = changed(photos, masks)
        assert [(tensor.shape, tensor.dtype) for tensor in first] == [(t.shape, torch.uint8) for t in (photos, masks)]
        assert equal(first, changed(photos, masks))
        assert not torch.equal(first[0], changed(photos, masks, seed=5)[0])
        assert torch.equal(changed(photos, masks, enabled=False)[0], photos)

    def test_noise_is_normal_and_each_value_has_its_own(self):
        torch.manual_seed(0)
        noise = noisy(torch.full((4, 3, 64, 64), 0.5), std=0.03) - 0.5
        assert noise.mean().item() == pytest.approx(0, abs=0.001)
        assert noise.std().item() == pytest.approx(0.03, rel=0.02)
        assert (noise.abs() < 0.03).float().mean().item() == pytest.approx(0.683, abs=0.01)
        assert len(noise.unique()) > 10_000


class TestSchedule:
    @pytest.mark.parametrize(("epoch", "step", "share"), [(0, 4, 0.5), (0, 9, 1.0), (1, 9, 0.5), (2, 9, 0.0)])
    def test_warm_up_then_cosine_to_zero(self, epoch, step, share):
        params = TRAIN.model_copy(update={"epochs": 3, "warmup_epochs": 1.0, "learning_rate": 2.0})
        assert learning_rate(params, epoch, step, steps=10) == pytest.approx(2 * share)

    @pytest.mark.parametrize(("warmup", "ends"), [(1.0, [2, 0, 2, 1, 0]), (9.0, [2, 0, 4 / 3, 1.5, 0])])
    def test_the_epochs_on_small_photos_have_a_warm_up_and_a_cosine_of_their_own(self, warmup, ends):
        changes = {"epochs": 5, "small_share": 0.4, "warmup_epochs": warmup, "learning_rate": 2.0}
        params = TRAIN.model_copy(update=changes)
        assert [learning_rate(params, epoch, 9, steps=10) for epoch in range(5)] == pytest.approx(ends)

    @pytest.mark.parametrize(("step", "decay", "expected"), [(0, 0.99, 0.1), (10**6, 0.99, 0.99), (5, 0.0, 0.0)])
    def test_the_average_starts_short_and_ends_at_its_decay(self, step, decay, expected):
        assert decay_at(step, decay) == pytest.approx(expected)


class TestBatches:
    def test_an_order_is_a_permutation_that_depends_on_seed_and_epoch(self):
        assert sorted(shuffled(50, 1, 0).tolist()) == list(range(50))
        assert torch.equal(shuffled(50, 1, 0), shuffled(50, 1, 0))
        assert not torch.equal(shuffled(50, 1, 0), shuffled(50, 1, 1))
        assert seed_for(1, 2, 3) != seed_for(1, 3, 2)

    @pytest.mark.parametrize(
        ("rank", "expected"), [(0, [[0, 2], [4, 6], [8, 10], [12, 14]]), (1, [[1, 3], [5, 7], [9, 11], [13, 15]])]
    )
    def test_processes_share_each_step_and_what_fills_none_is_left_out(self, rank, expected):
        batches = micro_batches(torch.arange(19), step=8, accumulate=2, rank=rank, world=2)
        assert [places.tolist() for places in batches] == expected

    def test_streamed_photos_give_the_batches_of_held_ones(self):
        photos, masks = photos_and_masks(9)
        places = shuffled(6, 0).split(4)
        held, streamed = (
            list(PhotoBatches(photos, masks, np.arange(2, 8), CPU, resident).batches(places))
            for resident in (True, False)
        )
        assert [len(batch[0]) for batch in held] == [4, 2]
        assert all(equal(a, b) for a, b in zip(held, streamed, strict=True))


def test_validation_dice_by_hand():
    """Photos are their own logits, in halves above or below 10; masks count from 128 on."""

    class Logits(torch.nn.Module):
        def forward(self, photos):
            return (photos[:, :1].float() - 10) / 2

    photos, masks = np.full((3, 2, 2, 3), 9, np.uint8), np.zeros((3, 2, 2), np.uint8)
    photos[0, 0] = 11  # logits 0.5: two pixels are called person, of which one is
    masks[0] = [[128, 127], [255, 0]]
    photos[1, 0, 0] = 11  # a false alarm: 0; and the last photo is empty and called empty: 1
    val = PhotoBatches(photos, masks, np.arange(3), CPU)

    def dice(rank, world):
        fabric = SimpleNamespace(global_rank=rank, world_size=world, device=CPU)
        fabric.autocast, fabric.all_reduce = nullcontext, lambda total, reduce_op: total
        return mean_dice(fabric, Logits(), val, batch_size=2)

    assert dice(0, 1) == pytest.approx((2 * 1 / 4 + 0 + 1) / 3)
    assert (dice(0, 2), dice(1, 2)) == (pytest.approx((0.5 + 1) / 3), 0)


class TestTrainer:
    def test_the_best_smoothed_epoch_is_kept(self):
        history = []
        best = trainer(log=lambda epoch, metrics, model: history.append(metrics), epochs=6, dice_smoothing=0.5).fit()
        smoothed = [metrics["val/dice_smoothed"] for metrics in history]
        assert best.epoch == int(np.argmax(smoothed))
        assert smoothed[1] == pytest.approx((history[0]["val/dice"] + history[1]["val/dice"]) / 2)

    def test_patience_ends_a_run_that_no_longer_improves(self):
        history = []
        best = trainer(log=lambda *row: history.append(row), epochs=50, patience=2, learning_rate=1e-12).fit()
        assert len(history) == best.epoch + 1 + 2

    def test_a_halved_pixel_is_the_mean_of_four(self):
        photos = torch.tensor([[1, 2, 9, 9], [2, 0, 9, 9], [7, 7, 7, 7]], dtype=torch.uint8).expand(1, 3, 3, 4)
        masks = torch.tensor([[0, 255, 0, 0], [255, 255, 0, 0], [0, 0, 0, 0]], dtype=torch.uint8).expand(1, 1, 3, 4)
        small_photos, small_masks = halved(photos, masks)
        assert small_photos.tolist() == [[[[1, 9]]] * 3]
        assert small_masks.tolist() == [[[[191, 0]]]]

    def test_small_photos_come_first_and_their_best_weights_start_the_rest(self):
        seen, history = [], []

        def loss(logits, target):
            seen.append((run.epoch, logits.shape[-1]))
            if run.epoch == 3 and len(seen) == 13:
                before.update({name: tensor.clone() for name, tensor in run.model.module.state_dict().items()})
                assert not run.optimizer.state_dict()["state"]
            return (logits - target).square().mean()

        before, best = {}, []
        run = trainer(
            log=lambda *row: (history.append(row[1]), best.append(run.best)), loss=loss, epochs=5, small_share=0.6
        )
        update, averaged = run.average.update, []
        run.average.update = lambda step: (averaged.append(step), update(step))
        kept = run.fit()
        assert averaged == [*range(3 * 4), *range(2 * 4)]
        assert seen == [(epoch, 16 if epoch < 3 else 32) for epoch in range(5) for _ in range(4)]
        assert [row["train/image_size"] for row in history] == [16, 16, 16, 32, 32]
        assert kept.epoch >= 3
        assert history[3]["val/dice_smoothed"] == history[3]["val/dice"]
        statistics = ("running_mean", "running_var", "num_batches_tracked")  # the forward pass has moved these already
        assert all(torch.equal(before[n], best[2].weights[n]) for n in before if not n.endswith(statistics))

    @pytest.mark.parametrize(("epochs", "half"), [(1, False), (2, False), (3, False), (2, True)])
    def test_a_run_goes_on_where_it_was(self, tmp_path, epochs, half):
        """On small photos first, or in 16 bits, with the scale that it had."""

        def run(**others):
            how = {"fabric": half_precision(2.0**24)} if half else {"small_share": 0.5}
            return trainer(epochs=4, **how, **others)

        def stop(epoch, metrics, model):
            if epoch == epochs:
                raise KeyboardInterrupt

        checkpoint = Checkpoint(tmp_path, "run")
        with pytest.raises(KeyboardInterrupt):
            run(log=stop, checkpoint=checkpoint).fit()
        whole, resumed = run(), run(checkpoint=checkpoint)
        best, again = whole.fit(), resumed.fit()
        assert (again.epoch, again.dice) == (best.epoch, best.dice)
        assert equal_weights(best.weights, again.weights)
        if half:
            assert resumed.scaler.state_dict() == whole.scaler.state_dict()
            assert whole.scaler.get_scale() < 2.0**24

    def test_accumulated_batches_are_one_large_batch(self):
        results = []
        for batch_size, accumulate in ((8, 1), (4, 2)):
            run = trainer(loss=build_loss("bce", {}), batch_size=batch_size, accumulate=accumulate)
            run.model.eval()  # BatchNorm's statistics are per batch, so they would differ
            batches = run.train.batches(torch.arange(8).split(batch_size))
            results.append([value.item() for value in run.train_step(0, 0, batches)])
        assert results[0] == pytest.approx(results[1], rel=1e-4)

    def test_the_target_is_the_share_of_a_pixel_that_is_person(self):
        seen = set()

        def loss(logits, target):
            seen.update(target.unique().tolist())
            return logits.mean()

        data = dataset(8)
        data.masks[:, :2] = 51
        data.masks[:, 2:4] = 204
        trainer(train=data, loss=loss, epochs=1).fit()
        assert {round(value, 6) for value in seen} == {0.0, 0.2, 0.8, 1.0}

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
            ({"batch_size": 17}, "batch_size times train.accumulate is 17, more than the 16 training photos"),
            ({"val": "empty"}, "no val photo shows a person"),
        ],
    )
    def test_a_run_that_cannot_work_is_refused_before_the_first_step(self, change, message):
        if "val" in change:
            photos, masks = photos_and_masks(4)
            change = {"val": PhotoBatches(photos, masks // 2, np.arange(4), CPU)}  # 127 is less than half a person
        with pytest.raises(UserError, match=message):
            trainer(**change)

    @pytest.mark.parametrize(("interval", "saved"), [(0.0, 3), (3600.0, 0)])
    def test_a_checkpoint_is_written_when_its_time_has_come_and_none_after_the_last_epoch(
        self, tmp_path, interval, saved
    ):
        checkpoint, calls = Checkpoint(tmp_path, "run", interval), []
        checkpoint.save = lambda *state: calls.append(state)
        trainer(checkpoint=checkpoint, epochs=4).fit()
        assert len(calls) == saved


class TestGradientScaler:
    def test_it_learns_in_32_bits_and_as_well_in_16(self):
        learned, half = (
            trainer(fabric=fabric, epochs=25, learning_rate=0.02).fit() for fabric in (None, half_precision())
        )
        assert learned.dice > 0.8
        assert half.dice == pytest.approx(learned.dice, abs=0.05)

    def test_steps_that_overflow_are_left_out_of_the_average(self):
        run = trainer(fabric=half_precision(scale=2.0**40))
        before = [tensor.clone() for tensor in run.average.averaged]
        run.train_step(0, 0, run.train.batches([torch.arange(4)]))
        assert equal(before, run.average.averaged)

    def test_the_loss_on_record_leaves_them_out(self, monkeypatch):
        run = trainer()
        losses = [float("inf"), *[2.0] * (run.steps - 1)]
        monkeypatch.setattr(run, "train_step", lambda _, step, batches: (torch.tensor(losses[step]), torch.ones(())))
        assert run.train_epoch(0, tqdm(disable=True))["train/loss"] == 2.0


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
        assert equal_weights(before, model.state_dict())
        return model

    def test_graphs_of_another_shape_make_way(self, monkeypatch):
        def recording(plain, shape):
            def graph(photos):
                assert photos.shape == shape  # as torch's: a graph takes the shape that it was recorded with
                return plain(photos)

            return graph

        def record(model, photos, **_):
            model.forward = recording(model.forward, photos[0].shape)

        model = self.recorded(monkeypatch, recording=lambda plain: plain)
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
        for side in (16, 32):
            record_graphs(Fabric(accelerator="cpu", devices=1), model, (2, 3, side, side))
            model(torch.zeros(2, 3, side, side, dtype=torch.uint8))

    def test_the_plain_ones_are_used_if_they_do_not(self, monkeypatch, capsys):
        model = self.recorded(monkeypatch, lambda plain: lambda photos: 2 * plain(photos))
        assert "recorded as CUDA graphs give other gradients" in capsys.readouterr().out
        torch.manual_seed(0)
        other, photos = models.build("unet", MODEL), torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        assert torch.equal(model(photos), other(photos))

    @pytest.mark.parametrize(
        ("raised", "error", "message"),
        [
            (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError, "CUDA out of memory"),
            (
                RuntimeError("operation not permitted when stream is capturing\nmore"),
                UserError,
                r"compute\.cuda_graphs: this model cannot be recorded \(operation not",
            ),
        ],
    )
    def test_a_model_that_cannot_be_recorded_is_one_line_but_too_little_memory_is_no_fault_of_it(
        self, monkeypatch, raised, error, message
    ):
        def refuse(plain):
            raise raised

        with pytest.raises(error, match=message):
            self.recorded(monkeypatch, refuse)


@pytest.mark.parametrize(("batch_size", "shared"), [(16, True), (64, False)])
def test_few_photos_on_each_of_several_gpus_share_their_statistics(batch_size, shared):
    fabric = SimpleNamespace(world_size=8, device=torch.device("cuda"))  # all that is asked of it: no GPU is needed
    model = models.build("unet", MODEL)
    names = set(model.state_dict())
    made = to_sync_batchnorm(fabric, model, batch_size)
    assert any(isinstance(layer, torch.nn.SyncBatchNorm) for layer in made.modules()) == shared
    assert set(made.state_dict()) == names
