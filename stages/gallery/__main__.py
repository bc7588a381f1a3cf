"""gallery VARIANT: report/gallery/VARIANT.html, the pictures of its worst, median and best holdout photos."""

from pathlib import Path
from typing import Any

import cv2

from src.errors import UserError, run_main
from src.formats.scores import pictures_folder, read_pictures
from src.page.render import data_uri, render
from src.pictures import two_by_two

GALLERY = Path("report/gallery")


def main(variant: str) -> None:
    shots = [shot(variant, row) for row in read_pictures(variant).to_dict("records")]
    traits = {trait for each in shots for trait in each["traits"]}
    page = render(Path(__file__).with_name("gallery.html"), variant=variant, shots=shots, traits=traits)
    GALLERY.mkdir(parents=True, exist_ok=True)
    (GALLERY / f"{variant}.html").write_text(page)


def shot(variant: str, row: dict[Any, Any]) -> dict[Any, Any]:
    """What the page shows of one picture; `row` is that of pictures.csv."""
    path = pictures_folder(variant) / row["file"]
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise UserError(f"{path} is missing or damaged; run dvc repro -f -s evaluate@{variant}")
    picture = two_by_two(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))  # the page has captions of its own
    height, width = picture.shape[:2]
    return row | {"traits": row["traits"].split(), "uri": data_uri(picture), "width": width, "height": height}


if __name__ == "__main__":
    run_main(main)
