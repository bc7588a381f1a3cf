"""Scores, by hand-worked masks and by the properties that define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.dice import count, dice, iou, precision, recall

NOBODY = np.zeros((2, 4), np.uint8)
LEFT = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.uint8)
MIDDLE = np.array([[0, 1, 1, 0], [0, 1, 1, 0]], np.uint8)
TOP_LEFT = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.uint8)

pairs = st.tuples(*[arrays(np.uint8, (5, 6), elements=st.integers(0, 1))] * 2)


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        (NOBODY, NOBODY, (1, 1, 1, 1)),
        (LEFT, NOBODY, (0, 0, 0, 1)),
        (NOBODY, LEFT, (0, 0, 1, 0)),
        (LEFT, LEFT, (1, 1, 1, 1)),
        (LEFT, MIDDLE, (2 * 2 / 8, 2 / 6, 2 / 4, 2 / 4)),
        (TOP_LEFT, LEFT, (2 * 2 / 6, 2 / 4, 1, 2 / 4)),
    ],
)
def test_hand_worked(predicted, target, expected):
    counts = count(predicted, target)
    assert (dice(counts), iou(counts), precision(counts), recall(counts)) == pytest.approx(expected)


@given(pairs)
def test_dice_is_symmetric_and_the_harmonic_mean_of_precision_and_recall(pair):
    predicted, target = pair
    counts = count(predicted, target)
    assert dice(counts) == dice(count(target, predicted))
    p, r = precision(counts), recall(counts)
    if predicted.any() and target.any():
        assert dice(counts) == pytest.approx(2 * p * r / (p + r) if p + r else 0)
        assert dice(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)))
