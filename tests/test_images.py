"""Photos and masks as people store them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from src.errors import UserError
from src.images import read_mask, read_photo, resize_mask, resize_photo
from tests.conftest import photo_and_mask

MASK = photo_and_mask(48, seed=3)[1]


def palette(mask):
    image = Image.fromarray(mask, mode="P")
    image.putpalette([0, 0, 0, 1, 0, 0])
    return image


ENCODINGS = {
    "RGB of 0 and 1, as the competition's": Image.fromarray(np.repeat(MASK[..., None], 3, axis=2)),
    "RGB of 0 and 255": Image.fromarray(np.repeat(MASK[..., None] * 255, 3, axis=2)),
    "only red": Image.fromarray(np.dstack([MASK, 0 * MASK, 0 * MASK])),
    "only blue": Image.fromarray(np.dstack([0 * MASK, 0 * MASK, MASK])),
    "grey of 0 and 1": Image.fromarray(MASK),
    "grey of 0 and 255": Image.fromarray(MASK * 255),
    "palette": palette(MASK),
    "one bit": Image.fromarray(MASK.astype(bool)),
    "16 bits": Image.fromarray(MASK.astype(np.uint16)),
    "RGBA, all opaque": Image.fromarray(np.dstack([MASK, MASK, MASK, np.full_like(MASK, 255)])),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_of_a_mask_reads_as_the_same_0_1_mask(encoding, tmp_path):
    ENCODINGS[encoding].save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask.dtype == np.uint8
    assert (mask == MASK).all()


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("jpg", {"quality": 75}), ("jpg", {"quality": 95}), ("webp", {"quality": 80}), ("webp", {"lossless": True})],
)
def test_what_compression_leaves_around_an_outline_is_no_person(suffix, options, tmp_path):
    mask = photo_and_mask(400, seed=3)[1]
    Image.fromarray(mask * 255).convert("RGB").save(tmp_path / f"mask.{suffix}", **options)
    assert (read_mask(tmp_path / f"mask.{suffix}") == mask).all()


def test_a_webp_without_loss_may_hold_any_value_above_zero(tmp_path):
    values = MASK * np.random.default_rng(0).integers(1, 256, MASK.shape, dtype=np.uint8)
    Image.fromarray(values).convert("RGB").save(tmp_path / "mask.webp", lossless=True)
    assert (read_mask(tmp_path / "mask.webp") == MASK).all()


def test_a_photo_is_read_as_rgb_and_turned_upright(tmp_path):
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:10] = (200, 100, 50)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.jpg", exif=exif, quality=100, subsampling=0)
    photo = read_photo(str(tmp_path / "turned.jpg"))  # as the model card has it
    assert photo.shape == (20, 30, 3)
    assert np.abs(photo[2, 15].astype(int) - (200, 100, 50)).max() < 8


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_truncated_photo_is_named_not_half_read(suffix, tmp_path):
    path = tmp_path / f"photo{suffix}"
    cv2.imwrite(str(path), photo_and_mask(200, seed=1)[0])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=f"photo{suffix}.*not a readable image"):
        read_photo(path)


@pytest.mark.parametrize("height", [256, 40])
def test_shrinking_a_fine_pattern_gives_its_average_not_an_alias(height):
    stripes = np.zeros((height, 256, 3), np.uint8)
    stripes[:, 1::4] = stripes[:, 2::4] = 255
    assert np.abs(resize_photo(stripes, 64).astype(int) - 127).max() <= 1


def test_a_resized_mask_holds_the_share_of_each_pixel_that_is_person():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :3] = 1
    mask[0, 3] = 1
    assert (resize_mask(mask, 2) == [[round(13 / 16 * 255), 0], [round(12 / 16 * 255), 0]]).all()
    mask = photo_and_mask(800, seed=5)[1]
    assert resize_mask(mask, 256).mean() / 255 == pytest.approx(mask.mean(), rel=1e-3)
    assert (resize_mask(mask, 800) == 255 * mask).all()
