"""report: the leaderboard for programs and for people, and report/index.html, the page that explains it."""

import json
from pathlib import Path

from src import overview, stage
from src.advice import next_steps
from src.ensemble import Ensembles
from src.leaderboard import advice, leaderboard, markdown
from src.learning import read_learning
from src.metrics import read_metrics
from src.page import commit, render
from src.prepared import LABELLED, read_rows

REPORT = Path("report")


def main() -> None:
    variants, release = stage.read_params("variants", list[str]), stage.read_params("release", str)
    ensembles = stage.read_params("ensembles", Ensembles)
    params = read_settings()
    board = leaderboard(variants, list(ensembles), release)
    metrics = {row["variant"]: read_metrics(row["variant"]) for row in board["variants"]}
    learning = {variant: read_learning(variant) for variant in variants}
    page = render(
        "report.html",
        board=board,
        advice=advice(board).replace("`", ""),
        metrics=metrics,
        learning=learning,
        charts=overview.charts(board, learning),
        histograms=overview.histograms(board),
        traits=overview.trait_table(board, metrics),
        trait_counts=overview.trait_counts(metrics),
        gallery=overview.gallery(list(metrics), read_rows(LABELLED)),
        steps=next_steps(board, metrics, learning, params),
        params=params,
        pass_mark=overview.PASS_MARK,
        commit=commit(),
    )
    REPORT.mkdir(exist_ok=True)
    (REPORT / "leaderboard.json").write_text(json.dumps(board, indent=2) + "\n")
    (REPORT / "leaderboard.md").write_text(markdown(board))
    (REPORT / "index.html").write_text(page)
    print(f"{advice(board)} See {REPORT / 'index.html'}")


def read_settings() -> dict[str, object]:
    """The params that the page shows and its advice starts from."""
    profile = stage.read_params("profile", str)
    loss, final_loss = stage.read_params("loss", str), stage.read_params("final_loss", str)
    return {
        "profile": profile,
        "loss": loss,
        f"losses.{loss}": stage.read_params(f"losses.{loss}", dict),
        "final_loss": final_loss,
        f"losses.{final_loss}": stage.read_params(f"losses.{final_loss}", dict),
        "seed": stage.read_params("seed", int),
        "image_size": stage.read_params("image_size", int),
        "train": stage.read_params(f"{profile}.train", dict),
        "models": stage.read_params("models", dict),
        "sizes": stage.read_params(f"{profile}.models", dict),
        "augment": stage.read_params("augment", dict),
        "split": stage.read_params("split", dict),
        "predict": stage.read_params("predict", dict),
        "postprocess": stage.read_params("postprocess", dict),
    }


if __name__ == "__main__":
    stage.run(main)
