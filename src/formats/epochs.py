"""The format of epochs.csv, which lies beside the checkpoints: how long each epoch of each training here took.

It is no stage's out, whose bytes must not depend on how fast a machine is. Lines are only ever added.
"""

import os
from pathlib import Path

import pandas as pd

EPOCHS = "epochs.csv"
# DVC's names of the stage and, in its queue, of the experiment; the run is the checkpoint's, HASH-FOLD; epochs from 0.
COLUMNS = ("stage", "experiment", "run", "epoch", "photos", "seconds")


def add_epoch(path: Path, run: str, epoch: int, photos: int, seconds: float) -> None:
    """Adds a line, whole: several trainings may do so at once."""
    dvc = (os.environ.get(name, "") for name in ("DVC_STAGE", "DVC_EXP_NAME"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(",".join(map(str, (*dvc, run, epoch, photos, round(seconds, 2)))) + "\n")


def read_epochs(path: Path, variant: str, experiment: str = "") -> pd.DataFrame:
    """The epochs of the last training of `variant`, of all its folds, interrupted or not; none if none is known."""
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.read_csv(path, names=COLUMNS, dtype={"experiment": str}, on_bad_lines="skip")
    table = table.dropna(subset="seconds").fillna({"experiment": ""})  # a full disk may have cut a line off
    table = table[(table["stage"] == f"train@{variant}") & (table["experiment"] == experiment)]
    run = table["run"].str.rsplit("-", n=1).str[0]
    return table[run == run.iloc[-1:].max()].drop_duplicates(["run", "epoch"], keep="last")
