"""submit VARIANT: submissions/VARIANT.csv, ready to hand in, by the threshold that evaluate settled on."""

from src.errors import run_main
from src.formats.metrics import read_metrics
from src.formats.predictions import read_predictions
from src.formats.prepared import TEST, read_rows
from src.formats.submission import SUBMISSIONS, SubmissionParams, write_submission
from src.params import read_params
from src.postprocess import PostprocessParams
from stages.submit.rows import submission


def main(variant: str) -> None:
    params = read_params("postprocess", PostprocessParams)
    columns = read_params("submission", SubmissionParams).columns
    threshold = read_metrics(variant).threshold
    rows = read_rows(TEST)
    maps = read_predictions(variant, "test", expected=len(rows))
    write_submission(submission(maps, rows, threshold, params), columns, SUBMISSIONS / f"{variant}.csv")


if __name__ == "__main__":
    run_main(main)
