"""upload [VARIANT] [--dry-run] [--again]: hands submissions/VARIANT.csv in to the competition and records the score.

Not a stage of `dvc repro`: each upload counts against the competition's daily allowance.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from src.errors import UserError, run_main
from src.formats.metrics import read_metrics
from src.formats.prepared import TEST, read_rows
from src.formats.submission import SUBMISSIONS, SubmissionParams
from src.params import Name, read_params
from src.sources.kaggle import Params
from tools.upload.hand_in import await_score, check_submission, hand_in
from tools.upload.lock import loss_behind, md5_of
from tools.upload.record import (
    RECORD,
    Row,
    alone,
    current_commit,
    dated_copy,
    earlier_upload,
    read_record,
    write_record,
)

INSIST = "--again hands it in once more"


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.upload", description=__doc__.splitlines()[0])
    release = read_params("release", Name)
    parser.add_argument("variant", nargs="?", default=release, help="default: the release")
    parser.add_argument("--dry-run", action="store_true", help="check and write the file, then stop")
    parser.add_argument("--again", action="store_true", help="hand in what has been handed in before, too")
    options = parser.parse_args(arguments)
    ensembles = read_params("ensembles", dict[Name, list])
    variants = [*read_params("variants", list[Name]), *ensembles]
    if options.variant not in variants:
        raise UserError(f"there is no variant {options.variant!r}; choose from {', '.join(variants)}")

    competition = None if options.dry_run else destination()
    source = SUBMISSIONS / f"{options.variant}.csv"
    dice, loss = check(source)
    with alone():  # until it is recorded: another upload could take the same name
        row = None if options.again else earlier_upload(source)
        if row:
            score = row["public_score"] or ("hidden" if row["status"] == "complete" else "its score is not known yet")
            print(f"{source} was already handed in on {row['date']}: {score}; {INSIST}")
            if row["status"] == "complete" or competition is None:
                return
        else:
            path, known_by = dated_copy(source), f"md5 {md5_of(source)[:10]}"
            row = new_row(path, options.variant, loss, dice)
            message = f"{options.variant}, loss {loss}, holdout Dice {dice:.4f}, commit {row['commit']}, {known_by}"
            if competition is None:
                print(f"{path} is ready, with the message {message!r}; nothing was sent")
                return
            number, before = hand_in(path, message, competition, "" if options.again else known_by)
            row["kaggle_id"] = str(number)
            if before:
                print(f"{source} was already handed in on {before:%Y-%m-%d %H:%M}; {INSIST}")
                row = next((known for known in read_record() if known["kaggle_id"] == row["kaggle_id"]), row)
            write_record(row)  # before the wait, so that it is not handed in twice if that is cut short
    finish(row, competition)


def check(source: Path) -> tuple[float, str]:
    """The Dice on the holdout and the loss behind the submission `source`; raises UserError if it is not to be sent."""
    variant = source.stem
    dice = read_metrics(variant).holdout.dice
    if not (TEST / "photos.csv").exists():
        raise UserError(f"{TEST / 'photos.csv'} is missing; run dvc repro prepare, or dvc pull prepare")
    check_submission(source, read_rows(TEST), read_params("submission", SubmissionParams).columns)
    if (model := Path(f"models/{variant}.safetensors")).exists():  # a damaged model has made a damaged submission
        from src.formats.model import load_model  # noqa: PLC0415  torch takes seconds to load

        load_model(model)
    return dice, loss_behind(variant)


def destination() -> Params:
    """The competition to hand in to; raises UserError if the photos are not a competition's."""
    source, params = read_params("source", Name), read_params("kaggle", Params)
    if source == "synthetic" or (source == "kaggle" and params.kind == "dataset"):
        what = f"source is {source}" if source == "synthetic" else "kaggle.kind is dataset"
        raise UserError(
            f"params.yaml: {what}, and no competition scores those photos; set source: kaggle and kaggle.kind: "
            "competition, then dvc repro"
        )
    return params.model_copy(update={"kind": "competition"})


def new_row(path: Path, variant: str, loss: str, dice: float) -> Row:
    """What is known before the score."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "file": path.name,
        "variant": variant,
        "loss": loss,
        "commit": current_commit(),
        "holdout_dice": f"{dice:.4f}",
        "public_score": "",
        "private_score": "",
        "status": "pending",
        "kaggle_id": "",
    }


def finish(row: Row, params: Params) -> None:
    """Waits for the score of the submission and records it; raises UserError if it is turned down or none comes."""
    print(f"{row['file']} is handed in; waiting for its score", flush=True)
    page = f"kaggle.com/competitions/{params.slug}/submissions"
    submission = await_score(int(row["kaggle_id"]), params)
    if submission is None:
        raise UserError(f"{row['file']} is handed in, but has no score yet; run the same command again: see {page}")
    scores = {"public_score": submission.public_score or "", "private_score": submission.private_score or ""}
    with alone():
        write_record(row | scores | {"status": submission.status.name.lower()})
    if submission.status.name == "ERROR":
        reason = " ".join((submission.error_description or "no reason given").split())
        raise UserError(f"Kaggle turned {row['file']} down ({reason}); see {page}, mend it and upload again")
    public = scores["public_score"] or "hidden until the competition ends"
    private = f", private {scores['private_score']}" if scores["private_score"] else ""
    print(f"{row['variant']}: Kaggle {public}{private}, holdout Dice {row['holdout_dice']}; recorded in {RECORD}")


if __name__ == "__main__":
    run_main(main)
