"""report: the leaderboard, curves for DVC's plots, and report/index.html, the page that explains them."""

import json
from pathlib import Path

from src import stage
from src.formats.metrics import read_metrics
from src.page.render import render
from stages.report import sections
from stages.report.convergence import convergence
from stages.report.dvc_curves import write_curves
from stages.report.leaderboard import headline, leaderboard, markdown
from stages.report.suggestions import next_steps

REPORT = Path("report")


def main() -> None:
    variants, release = stage.read_params("variants", list[stage.Name]), stage.read_params("release", stage.Name)
    ensembles = stage.read_params("ensembles", dict[stage.Name, list])
    params = read_settings()
    metrics = {name: read_metrics(name) for name in [*variants, *ensembles]}
    board = leaderboard(metrics, variants, release)
    learning = {variant: convergence(metrics[variant]["curves"]) for variant in variants}
    page = render(
        Path(__file__).with_name("report.html"),
        board=board,
        headline=headline(board).replace("`", ""),
        metrics=metrics,
        learning=learning,
        charts=sections.charts(board, metrics, learning),
        costs=sections.costs(board),
        histograms=sections.histograms(board, metrics),
        traits=sections.trait_table(board, metrics),
        trait_counts=sections.trait_counts(metrics),
        steps=next_steps(board, metrics, learning, params),
        params=params,
        pass_mark=sections.PASS_MARK,
    )
    write_curves({variant: metrics[variant] for variant in variants}, REPORT / "curves")
    (REPORT / "leaderboard.json").write_text(json.dumps(board, indent=2) + "\n")
    (REPORT / "leaderboard.md").write_text(markdown(board))
    (REPORT / "index.html").write_text(page)
    print(f"{headline(board)} See {REPORT / 'index.html'}")


def read_settings() -> dict[str, object]:
    """The params that the page shows and its suggestions start from."""
    budget = stage.read_params("budget", stage.Name)
    loss, final_loss = stage.read_params("loss", stage.Name), stage.read_params("final_loss", stage.Name)
    return {
        "source": stage.read_params("source", stage.Name),
        "budget": budget,
        "loss": loss,
        f"losses.{loss}": stage.read_params(f"losses.{loss}", dict),
        "final_loss": final_loss,
        f"losses.{final_loss}": stage.read_params(f"losses.{final_loss}", dict),
        "seed": stage.read_params("seed", int),
        "image_size": stage.read_params("image_size", int),
        "train": stage.read_params(f"{budget}.train", dict),
        "models": stage.read_params("models", dict),
        "sizes": stage.read_params(f"{budget}.models", dict),
        "augment": stage.read_params("augment", dict),
        "split": stage.read_params("split", dict),
        "predict": stage.read_params("predict", dict),
        "postprocess": stage.read_params("postprocess", dict),
    }


if __name__ == "__main__":
    stage.run(main)
