"""What a model is shown when it predicts, and what becomes of its answer."""

import numpy as np
import pytest
import torch
from torch import nn

from src.compute import Runtime
from src.inference import PredictParams, predict
from stages.predict.__main__ import measure


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
