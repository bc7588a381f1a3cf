"""Every loss, by values worked out by hand and by what any segmentation loss must do."""

import math

import pytest
import torch

from src.errors import UserError
from src.losses import build_loss, known_losses
from tests.conftest import PARAMS

BLOCKS = PARAMS["losses"]
# Soft counts: TP 0.5 + 0.8, FN 0.5 + 0.2, FP 0.2 + 0.4.
PROBABILITY = torch.tensor([0.5, 0.8, 0.2, 0.4]).view(1, 1, 2, 2)
LOGITS = PROBABILITY.logit()
TARGET = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
ENTROPY = [math.log(1 / p) for p in (0.5, 0.8, 0.8, 0.6)]
BCE = sum(ENTROPY) / 4
DICE = 1 - (2 * 1.3 + 1) / (1.9 + 2 + 1)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("bce", {}, BCE),
        ("bce_dice", {"smooth": 1.0}, BCE + DICE),
        (
            "combined",
            {"bce_weight": 0.3, "dice_weight": 0.7, "person_weight": 3.0, "smooth": 1.0},
            0.3 * (3 * ENTROPY[0] + 3 * ENTROPY[1] + ENTROPY[2] + ENTROPY[3]) / 4 + 0.7 * DICE,
        ),
        (
            "focal_tversky",
            {"alpha": 0.7, "beta": 0.3, "gamma": 4 / 3, "smooth": 1.0},
            (1 - 2.3 / (1.3 + 0.7 * 0.7 + 0.3 * 0.6 + 1)) ** 0.75,
        ),
        # with alpha = beta = 1/2 and gamma 1 it is the Dice loss with half the smoothing
        ("focal_tversky", {"alpha": 0.5, "beta": 0.5, "gamma": 1.0, "smooth": 0.5}, DICE),
    ],
)
def test_hand_worked(name, arguments, expected):
    loss = build_loss(name, arguments)
    assert loss(LOGITS, TARGET).item() == pytest.approx(expected, rel=1e-5)
    # A batch's loss is the mean over its photos.
    other = loss(-LOGITS, TARGET).item()
    both = loss(torch.cat([LOGITS, -LOGITS]), torch.cat([TARGET, TARGET])).item()
    assert both == pytest.approx((expected + other) / 2, rel=1e-5)


def test_the_edge_term_is_the_cross_entropy_on_the_band_along_the_outline():
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:6] = 1  # columns 2 to 5: with a reach of 1, the band is columns 1, 2, 5 and 6
    logits = torch.tensor([5.0, 0, 2, -5, 0, 0, 0, 0]).expand(1, 1, 8, 8)
    right, wrong, unsure = (math.log(1 + math.exp(x)) for x in (-2, 5, 0))
    entropy = [wrong, unsure, 3 * right, 3 * wrong, 3 * unsure, 3 * unsure, unsure, unsure]
    probability = logits[0, 0, 0].sigmoid()
    dice = 1 - (2 * 8 * probability[2:6].sum().item() + 1) / (8 * probability.sum().item() + 8 * 4 + 1)
    weights = {"bce_weight": 0.5, "dice_weight": 0.25, "edge_weight": 2.0, "person_weight": 3.0, "smooth": 1.0}
    loss = build_loss("combined_edge", weights | {"edge_px": 1})
    edge = sum(entropy[column] for column in (1, 2, 5, 6)) / 4
    for value in (loss(logits, target), loss(logits.mT, target.mT)):  # and with rows for columns
        assert value.item() == pytest.approx(0.5 * sum(entropy) / 8 + 0.25 * dice + 2 * edge, rel=1e-5)


@pytest.mark.parametrize("name", known_losses())
class TestEveryLoss:
    @pytest.mark.parametrize("share", [0.2, 0.4, 0.7, 0.9])
    def test_a_pixel_that_is_partly_person_asks_for_its_share(self, name, share):
        loss = build_loss(name, BLOCKS[name])
        target = torch.full((1, 1, 4, 4), share)
        right, less, more = (loss(torch.full((1, 1, 4, 4), p).logit(), target) for p in (share, 0.01, 0.99))
        assert right < min(less, more)

    def test_perfect_is_best_and_inverted_is_worst(self, name):
        loss = build_loss(name, BLOCKS[name])
        target = (torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.6).float()
        perfect, unsure, inverted = (loss(scale * (2 * target - 1), target).item() for scale in (20.0, 0.0, -20.0))
        assert 0 <= perfect < unsure < inverted
        assert perfect < 1e-4

    @pytest.mark.parametrize("fill", [0.0, 1.0])
    @pytest.mark.parametrize("scale", [-30.0, 0.0, 30.0])
    def test_gradients_are_finite_even_for_empty_and_full_masks(self, name, fill, scale):
        logits = torch.full((2, 1, 8, 8), scale, requires_grad=True)
        build_loss(name, BLOCKS[name])(logits, torch.full((2, 1, 8, 8), fill)).backward()
        assert logits.grad.isfinite().all()

    def test_it_is_computed_in_float32(self, name):
        loss = build_loss(name, BLOCKS[name])
        assert loss(LOGITS.bfloat16(), TARGET.to(torch.uint8)).dtype == torch.float32


def test_an_unknown_loss_is_named():
    with pytest.raises(UserError, match="there is no 'dise'; choose one of bce, bce_dice"):
        build_loss("dise", {})
