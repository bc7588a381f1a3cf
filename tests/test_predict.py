"""What a model is shown when it predicts, and how its answer becomes a clean mask."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from src.compute import Runtime
from src.inference import PredictParams, predict
from src.postprocess import PostprocessParams, clean, threshold_mask, upsample
from stages.predict.__main__ import measure
from stages.prepare.traits import TraitParams, mask_traits, photo_traits


class RedIsPerson(nn.Module):
    """Sees a person wherever red is strong, and notes what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[torch.Tensor] = []

    def forward(self, photos):
        assert photos.dtype == torch.uint8
        self.shown.append(photos)
        return (photos[:, :1].float() - 127.5) / 10


def left_half_red(count=3, height=32, width=40):
    photos = np.zeros((count, height, width, 3), np.uint8)
    photos[:, :, : width // 2, 0] = 255
    return photos


def test_a_cost_by_hand():
    class OneLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)

        def forward(self, photos):
            return self.layer(photos.float())

    cost = measure(OneLayer(), 100)
    assert cost.parameters == 3 * 8 * 9
    assert cost.gflop == pytest.approx(2 * cost.parameters * 100**2 / 1e9, abs=1e-3)


@pytest.mark.parametrize(("scale", "shown"), [(1.0, (32, 40)), (1.25, (40, 50)), (0.5, (16, 20))])
def test_photos_are_shown_at_scale_and_maps_keep_the_photos_size(scale, shown):
    model, photos = RedIsPerson(), left_half_red()
    maps = predict(
        Runtime(torch.device("cpu")), model, photos, PredictParams(mirror=True, scale=scale, batch_size=2), ""
    )
    assert {tuple(photo.shape[-2:]) for photo in model.shown} == {shown}
    assert maps.shape == (3, 32, 40)
    assert maps.dtype == np.uint8
    assert (maps[:, :, :17] == 255).all()  # away from the outline, where enlarging blurs nothing
    assert (maps[:, :, 23:] == 0).all()


def test_the_mirror_image_is_turned_back_and_averaged():
    class LeftIsPerson(nn.Module):
        def forward(self, photos):
            logits = torch.full((len(photos), 1, *photos.shape[-2:]), -50.0)
            logits[..., : photos.shape[-1] // 2] = 50
            return logits

    photos = left_half_red()
    for mirror, right in ((False, 0), (True, 128)):
        params = PredictParams(mirror=mirror, scale=1.0, batch_size=3)
        maps = predict(Runtime(torch.device("cpu")), LeftIsPerson(), photos, params, "")
        assert (maps[:, :, 20:] == right).all()


OFF = PostprocessParams(threshold=0.5, smooth_px=0, min_component_share=0.0, max_hole_share=0.0)


def with_islands(*sizes):
    """A mask (40, 400) with one square island of each of `sizes` pixels, side by side."""
    mask = np.zeros((40, 400), np.uint8)
    for place, size in enumerate(sizes):
        side = int(size**0.5)
        mask[10 : 10 + side, 40 * place + 5 : 40 * place + 5 + side] = 1
    return mask


def test_components_under_a_share_of_the_largest_go_and_the_others_stay_as_they_are():
    params = OFF.model_copy(update={"min_component_share": 0.64})
    assert (clean(with_islands(49, 64, 36, 100), params) == with_islands(0, 64, 0, 100)).all()
    # The first of them is found first, whatever its size; background, the largest of all, is none of them.
    assert (clean(with_islands(36, 64), params) == with_islands(0, 64)).all()
    assert (clean(with_islands(36, 0), params) == with_islands(36, 0)).all()
    assert (clean(with_islands(0), params) == 0).all()
    corners = np.zeros((20, 20), np.uint8)
    corners[2:7, 2:7] = corners[7:12, 7:12] = 1  # they touch, and are one
    assert (clean(corners, params) == corners).all()


def test_holes_under_a_share_of_the_person_are_filled_and_bays_are_not():
    mask = np.ones((20, 20), np.uint8)
    mask[5:8, 5:8] = mask[5:9, 12:17] = mask[15, 15] = mask[0, 3] = 0  # three holes, and a bay of one pixel
    filled = clean(mask, OFF.model_copy(update={"max_hole_share": 0.05}))  # of 369 pixels: the hole of 20 stays
    mask[5:8, 5:8] = mask[15, 15] = 1
    assert (filled == mask).all()


def test_smoothing_removes_specks_and_pinholes_and_keeps_the_person():
    mask = np.zeros((60, 60), np.uint8)
    cv2.circle(mask, (30, 30), 18, 1, -1)
    noisy = mask.copy()
    noisy[30, 30], noisy[3, 3] = 0, 1
    smoothed = clean(noisy, OFF.model_copy(update={"smooth_px": 5}))
    assert smoothed[30, 30] == 1
    assert smoothed[3, 3] == 0
    assert (smoothed != mask).mean() < 0.01


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 0, 1, 1]), (0.2, [0, 1, 1, 1]), (0.999, [0, 0, 0, 1])])
def test_a_pixel_is_person_from_the_threshold_on(threshold, expected):
    assert threshold_mask(np.array([[0, 51, 128, 255]], np.uint8), threshold).tolist() == [expected]


def test_probabilities_are_enlarged_before_they_are_cut():
    probability = np.zeros((16, 16), np.uint8)
    probability[:, 8:] = 200  # a soft edge: half way to 200 is below 128, so the outline moves by less than a pixel
    mask = threshold_mask(upsample(probability, 160, 160), 0.5)
    assert mask.shape == (160, 160)
    assert 80 < np.argmax(mask[80]) < 85


class TestTraits:
    params = TraitParams(small_coverage=0.05, cut_border=0.02, grey_spread=3.0, glare_level=250, glare_share=0.2)

    @pytest.mark.parametrize(
        ("rows", "columns", "expected"),
        [
            (slice(40, 60), slice(40, 60), {"coverage": 0.04, "small": True, "cut": False}),
            (slice(40, 100), slice(40, 60), {"coverage": 0.12, "small": False, "cut": True}),
            (slice(0), slice(0), {"coverage": 0.0, "small": False, "cut": False}),
        ],
    )
    def test_a_small_person_one_whom_the_frame_cuts_and_nobody(self, rows, columns, expected):
        mask = np.zeros((100, 100), np.uint8)
        mask[rows, columns] = 1
        assert mask_traits(mask, self.params) == expected

    def test_each_pixel_of_the_border_counts_once(self):
        for y, x in np.argwhere(np.pad(np.zeros((6, 6), bool), 1, constant_values=True)):
            mask = np.zeros((8, 8), np.uint8)
            mask[y, x] = 1
            for share, cut in ((1 / 28, True), (1 / 27.9, False)):
                assert mask_traits(mask, self.params.model_copy(update={"cut_border": share}))["cut"] is cut, (y, x)

    def test_grey_and_glare(self):
        photo = np.random.default_rng(0).integers(0, 200, (50, 50, 3), dtype=np.uint8)
        assert photo_traits(photo, self.params) == {"grey": False, "glare": False}
        grey = np.repeat(photo[..., :1], 3, axis=2)
        assert photo_traits(grey, self.params) == {"grey": True, "glare": False}
        photo[:15] = 255
        assert photo_traits(photo, self.params) == {"grey": False, "glare": True}
