"""describe: report/dataset.html and a contact sheet, what is in the photos before any model is trained."""

from pathlib import Path

from src.charts import bars, histogram
from src.errors import run_main
from src.formats.prepared import LABELLED, TEST, read_photos, read_rows, read_soft_masks
from src.formats.split import read_split
from src.page.render import data_uri, write_page
from src.params import Name, read_params
from src.pictures import encode, write_picture
from stages.describe.facts import contact_sheet, examples, facts, suspicion, tile

CONTACT_SHEET = Path("plots/dataset/contact_sheet.jpg")
MAX_SUSPECTS = 24


def main() -> None:
    source = read_params("source", Name)
    traits = read_params("traits", dict)
    distance = read_params("split.duplicate_distance", int)
    rows, photos, masks = read_rows(LABELLED), read_photos(LABELLED), read_soft_masks()
    wrong = [(index, why) for index, mask in enumerate(masks) if (why := suspicion(mask >> 7))]
    examples_of = examples(rows, each=6)
    shown = sorted(set().union(*examples_of.values()))
    tiles = {
        index: tile(photos[index], masks[index] >> 7, int(rows["height"][index]), int(rows["width"][index]))
        for index in [*shown, *(index for index, _ in wrong[:MAX_SUSPECTS])]
    }
    coverage = histogram(rows["coverage"].to_numpy(), "coverage")
    page = write_page(
        "dataset",
        Path(__file__).with_name("dataset.html"),
        source=source,
        traits=traits,
        distance=distance,
        facts=facts(rows, read_rows(TEST), read_split(list(rows["id"]))),
        coverage=bars("coverage", coverage, x_label="share of the photo that is person"),
        shown={kind: rows.loc[found, ["id", "coverage"]].to_records() for kind, found in examples_of.items()},
        suspects=[(rows["file"][index], why, index) for index, why in wrong[:MAX_SUSPECTS]],
        suspect_count=len(wrong),
        tiles={index: data_uri(encode(picture, ".webp")) for index, picture in tiles.items()},
    )
    write_picture(contact_sheet([tiles[index] for index in shown]), CONTACT_SHEET)
    print(f"{page}: {len(rows)} labelled photos, {len(wrong)} suspicious masks")


if __name__ == "__main__":
    run_main(main)
