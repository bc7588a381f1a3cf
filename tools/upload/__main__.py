"""upload [VARIANT] [--dry-run]: hands submissions/VARIANT.csv in to the competition and records the score.

Not a stage of `dvc repro`: each upload counts against the competition's daily allowance.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from src.errors import UserError, run_main
from src.files import locked, replacing
from src.formats.metrics import read_metrics
from src.formats.prepared import TEST, read_rows
from src.formats.submission import SUBMISSIONS, SubmissionParams
from src.params import Name, read_params
from src.sources.kaggle import Params
from tools.git import git
from tools.lock import md5_of
from tools.upload.hand_in import await_score, check_submission, hand_in
from tools.upload.origin import loss_behind
from tools.upload.record import RECORD, Row, read_record, write_record

ALONE = (SUBMISSIONS / ".kaggle.lock", "uploads")  # within it, no other upload reads or writes the record


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.upload", description=__doc__.splitlines()[0])
    release = read_params("release", Name)
    parser.add_argument("variant", nargs="?", default=release, help="default: the release")
    parser.add_argument("--dry-run", action="store_true", help="check, say what would be sent, and stop")
    options = parser.parse_args(arguments)
    variants = [*read_params("variants", list[Name]), *read_params("ensembles", dict[Name, list])]
    if options.variant not in variants:
        raise UserError(f"there is no variant {options.variant!r}; choose from {', '.join(variants)}")

    competition = destination()
    source = SUBMISSIONS / f"{options.variant}.csv"
    new, message = prepare(source)
    with locked(*ALONE):  # until it is recorded: another upload could hand in the same
        known = [row for row in read_record() if row.md5 == new.md5 and row.status != "error"]
        if known:
            row = known[-1]
            score = row.public_score or ("hidden" if row.status == "complete" else "its score is not known yet")
            print(f"{source} was already handed in on {row.date}: {score}")
            if row.status == "complete" or options.dry_run:
                return
        elif options.dry_run:
            print(f"{source} is ready, with the message {message!r}; nothing was sent")
            return
        else:
            path = SUBMISSIONS / new.file
            with replacing(path) as partial:
                partial.write_bytes(source.read_bytes())
            number, before = hand_in(path, message, competition, f"md5 {new.md5}")
            if before:
                print(f"{source} was already handed in on {before:%Y-%m-%d %H:%M}")
            row = new._replace(kaggle_id=number)
            write_record(row)  # before the wait, so that it is not handed in twice if that is cut short
    finish(row, competition)


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


def prepare(source: Path) -> tuple[Row, str]:
    """What is known of the submission `source` before it is sent, and the message to send with it.

    Raises UserError if it is not to be sent.
    """
    variant = source.stem
    dice = f"{read_metrics(variant).holdout.dice:.4f}"
    if not (TEST / "photos.csv").exists():
        raise UserError(f"{TEST / 'photos.csv'} is missing; run dvc repro prepare, or dvc pull prepare")
    check_submission(source, read_rows(TEST), read_params("submission", SubmissionParams).columns)
    loss, md5, now = loss_behind(variant), md5_of(source)[:10], datetime.now(UTC)
    commit = git("rev-parse", "--short=10", "HEAD", check=False) or "unknown"
    if git("diff", "--name-only", "HEAD", "--", ".", f":!{RECORD}", check=False):
        commit += "-dirty"
    row = Row(f"{now:%Y-%m-%d %H:%M}", f"submission_{now:%Y%m%d}_{md5}.csv", variant, loss, commit, dice, md5, 0)
    return row, f"{variant}, loss {loss}, holdout Dice {dice}, commit {commit}, md5 {md5}"


def finish(row: Row, params: Params) -> None:
    """Waits for the score of the submission and records it; raises UserError if it is turned down or none comes."""
    print(f"{row.file} is handed in; waiting for its score", flush=True)
    page = f"kaggle.com/competitions/{params.slug}/submissions"
    submission = await_score(row.kaggle_id, params)
    if submission is None:
        raise UserError(f"{row.file} is handed in, but has no score yet; run the same command again: see {page}")
    public, private = submission.public_score or "", submission.private_score or ""
    with locked(*ALONE):
        write_record(row._replace(public_score=public, private_score=private, status=submission.status.name.lower()))
    if submission.status.name == "ERROR":
        reason = " ".join((submission.error_description or "no reason given").split())
        raise UserError(f"Kaggle turned {row.file} down ({reason}); see {page}, mend it and upload again")
    scores = (public or "hidden until the competition ends") + (f", private {private}" if private else "")
    print(f"{row.variant}: Kaggle {scores}, holdout Dice {row.holdout_dice}; recorded in {RECORD}")


if __name__ == "__main__":
    run_main(main)
