"""Reading photos and masks from files, whatever their encoding."""

import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from src.errors import UserError
from src.files import check_file

Image.MAX_IMAGE_PIXELS = None  # _read has a limit of its own
warnings.filterwarnings("ignore", module="PIL")
FORMATS = ("PNG", "JPEG", "WEBP")
UNREADABLE = "not a readable image (damaged, cut short, or no PNG, JPEG or WebP); replace it"
BYTES_PER_PIXEL = 16  # no file of these formats has more
MAX_MEGAPIXELS = 1000  # OpenCV itself takes no more than 2^30 pixels
ImageFile = Path | zipfile.Path
Megapixels = Annotated[int, Field(ge=1, le=MAX_MEGAPIXELS)]

# Our own error names the file; OpenCV's warning about the same file would only stand beside it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_photo(path: str | ImageFile, max_megapixels: Megapixels = MAX_MEGAPIXELS) -> np.ndarray:
    """The photo as RGB, uint8 (H, W, 3), turned upright by its EXIF tag.

    Raises UserError if it cannot be decoded, or has more than `max_megapixels`.
    """
    return cv2.cvtColor(_decode(path, _read(path, max_megapixels), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_mask(path: ImageFile, max_megapixels: Megapixels = MAX_MEGAPIXELS) -> np.ndarray:
    """The mask as uint8 (H, W) with values 0 and 1: person is whatever is above zero in any channel.

    This holds for 0/1 and 0/255 values, for 1, 8 and 16 bits, and for RGB, palette and greyscale files alike; an alpha
    channel says nothing. Lossy compression, that of JPEG, leaves faint pixels around an outline: there, person is
    whatever is above half of the brightest value. Raises UserError if the file cannot be decoded, or has more than
    `max_megapixels`.
    """
    data = _read(path, max_megapixels)
    blue, green, red = cv2.split(_decode(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH))
    brightest = cv2.max(cv2.max(blue, green), red)
    # A JPEG, or a WebP whose pixels are not in a chunk of the lossless kind.
    lossy = data.startswith(b"\xff\xd8") or (data.startswith(b"RIFF") and b"VP8L" not in data)
    limit = int(brightest.max()) // 2 if lossy else 0
    return cv2.threshold(brightest, limit, 1, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)


def resize_photo(photo: np.ndarray, size: int) -> np.ndarray:
    """`photo`, uint8 (H, W, ...), as (size, size, ...), area-averaged along a side that shrinks: nothing aliases."""
    smaller = [min(side, size) for side in photo.shape[1::-1]]
    if min(photo.shape[:2]) < size < max(photo.shape[:2]):
        photo = photo.astype(np.float32)  # resized in two steps, and rounded once
    return np.rint(cv2.resize(cv2.resize(photo, smaller, interpolation=cv2.INTER_AREA), (size, size))).astype(np.uint8)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """`mask` (H, W) of 0 and 1 as (size, size), 0 to 255: the share of the area behind a pixel that is person."""
    return resize_photo(mask * np.uint8(255), size)


def _read(path: str | ImageFile, max_megapixels: Megapixels) -> bytes:
    """The bytes of an image file whose size and header are within the limit."""
    if not isinstance(path, zipfile.Path):
        path = Path(path)
        if not path.exists():
            raise UserError(f"{path} is missing; name a photo that is there")
        check_file(path)
        size = path.stat().st_size
    else:
        size = path.root.getinfo(path.at).file_size
    if not size:
        raise UserError(f"{path}: the file is empty; replace it")
    with path.open("rb") as file:
        (width, height), megabytes = _pixels(path, file), size / 1e6
        if max(width * height / 1e6, megabytes / BYTES_PER_PIXEL) > max_megapixels:
            raise UserError(
                f"{path}: {width} x {height} pixels, {megabytes:.1f} MB, are more than max_megapixels: "
                f"{max_megapixels} in params.yaml lets in; make it smaller, or raise that"
            )
        file.seek(0)
        return file.read()


def _pixels(path: ImageFile, file: IO[bytes]) -> tuple[int, int]:
    """Width and height, from the file's header alone: to decode it may take any amount of memory."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            return image.size
    except Exception as error:  # each of Pillow's decoders has its own errors for a damaged header
        if getattr(error, "errno", None):  # it could not be read at all
            raise
        raise UserError(f"{path}: {UNREADABLE}") from None


def _decode(path: str | ImageFile, data: bytes, flags: int) -> NDArray:
    with suppress(cv2.error):
        # imread would return half of a JPEG file that is cut short.
        if (pixels := cv2.imdecode(np.frombuffer(data, np.uint8), flags)) is not None:
            return pixels
    raise UserError(f"{path}: {UNREADABLE}")
