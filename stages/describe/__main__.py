"""describe: report/dataset.html and plots/dataset, what is in the photos before any model is trained."""

from pathlib import Path

from src.charts import bars, histogram
from src.errors import run_main
from src.formats.prepared import LABELLED, MASKS, TEST, read_masks, read_photos, read_rows
from src.formats.split import read_split
from src.page.render import data_uri, write_page
from src.params import Name, read_params
from src.pictures import encode, write_picture
from stages.describe.facts import contact_sheet, examples, facts, suspects, tile

PLOTS = Path("plots/dataset")
MAX_SUSPECTS = 24


def main() -> None:
    source = read_params("source", Name)
    traits = read_params("traits", dict)
    distance = read_params("split.duplicate_distance", int)
    rows, photos, masks = read_rows(LABELLED), read_photos(LABELLED), read_masks(MASKS)
    wrong = suspects(masks)
    shown = examples(rows, each=6)
    wanted = {index for indices in shown.values() for index in indices} | {s.position for s in wrong[:MAX_SUSPECTS]}
    tiles = {
        index: tile(photos[index], masks[index], int(rows["height"][index]), int(rows["width"][index]))
        for index in sorted(wanted)
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
        shown={kind: [(rows["id"][i], rows["coverage"][i], i) for i in indices] for kind, indices in shown.items()},
        suspects=[(rows["file"][suspect.position], suspect.why, suspect.position) for suspect in wrong[:MAX_SUSPECTS]],
        suspect_count=len(wrong),
        tiles={index: data_uri(encode(picture, ".webp")) for index, picture in tiles.items()},
    )
    PLOTS.mkdir(parents=True, exist_ok=True)
    coverage.to_csv(PLOTS / "coverage.tsv", sep="\t", index=False)
    write_picture(contact_sheet([tiles[i] for i in sorted(set().union(*shown.values()))]), PLOTS / "contact_sheet.jpg")
    print(f"{page}: {len(rows)} labelled photos, {len(wrong)} suspicious masks")


if __name__ == "__main__":
    run_main(main)
