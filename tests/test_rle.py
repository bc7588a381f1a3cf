"""The competition's run-length code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.formats import rle

ORGANISERS_MASK = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=np.uint8)
ORGANISERS_CODE = "3 1 6 2 9 3 14 1 16 1 20 1"

masks = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 1))


def test_the_organisers_worked_example():
    assert rle.encode(ORGANISERS_MASK) == ORGANISERS_CODE
    assert (rle.decode(ORGANISERS_CODE, 4, 5) == ORGANISERS_MASK).all()


def test_nobody_is_an_empty_string_and_everything_is_one_run():
    assert rle.encode(np.zeros((4, 3), np.uint8)) == ""
    assert rle.encode(np.ones((4, 3), np.uint8)) == "1 12"
    assert not rle.decode("", 4, 3).any()


@given(masks)
def test_decoding_gives_the_mask_back(mask):
    assert (rle.decode(rle.encode(mask), *mask.shape) == mask).all()


@given(masks)
def test_a_0_255_mask_has_the_code_of_the_0_1_mask(mask):
    assert rle.encode(mask * np.uint8(255)) == rle.encode(mask)


@pytest.mark.parametrize("code", ["1", "0 3", "11 3", "4 2 1 2", "1 3 3 2", "5 0", "9223372036854775807 5"])
def test_a_code_that_does_not_fit_the_photo_is_refused(code):
    with pytest.raises(ValueError, match="run"):
        rle.decode(code, 3, 4)
