"""Which loss is behind a submission, and whether the submission is what the pipeline made last."""

from pathlib import Path

from src.errors import UserError
from src.formats.submission import SUBMISSIONS
from tools.lock import LOCK, Stages, hashes, md5_of, read_stages

RESULTS = ("data/predictions/", "metrics/", "submissions/")


def loss_behind(variant: str) -> str:
    """The loss of the training that submissions/`variant`.csv comes from, or those of an ensemble's members.

    params.yaml may have been changed since. Raises UserError if a file of the submission, its scores or its predictions
    is not the one in dvc.lock, or if a member was trained after it had predicted.
    """
    again = f"run dvc repro, so that {SUBMISSIONS / variant}.csv is what the pipeline makes"
    try:
        stages = read_stages()
        made = hashes(stages.get(f"submit@{variant}") or stages[f"ensemble@{variant}"])
        ensemble = stages.get(f"ensemble@{variant}")
        members = ensemble["params"]["params.yaml"][f"ensembles.{variant}"] if ensemble else [variant]
        losses = {_loss(member, stages, again) for member in members}
    except (KeyError, TypeError):
        raise UserError(f"{LOCK} does not say how {SUBMISSIONS / variant}.csv was made; {again}") from None
    for path, md5 in made.items():
        if path.startswith(RESULTS) and Path(path).is_file() and md5_of(Path(path)) != md5:
            raise UserError(f"{path} is not the file that {LOCK} belongs to; {again}")
    return "+".join(sorted(losses))


def _loss(variant: str, stages: Stages, again: str) -> str:
    model, train = f"models/{variant}.safetensors", stages[f"train@{variant}"]
    if hashes(train)[model] != hashes(stages[f"predict@{variant}"])[model]:
        raise UserError(f"{model} was trained again after the submission was made; {again}")
    return train["params"]["params.yaml"]["loss"]
