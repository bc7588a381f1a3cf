"""report: the leaderboard, curves for DVC's plots, and report/index.html, the page that explains them."""

from pathlib import Path

from src.charts import colour
from src.errors import run_main
from src.formats.metrics import read_metrics
from src.page.render import REPORT, write_page
from src.params import Name, read_params
from stages.report import sections
from stages.report.dvc_curves import write_curves
from stages.report.leaderboard import headline, leaderboard


def main() -> None:
    variants, release = read_params("variants", list[Name]), read_params("release", Name)
    ensembles = read_params("ensembles", dict[Name, list])
    params = read_settings()
    metrics = {name: read_metrics(name) for name in [*variants, *ensembles]}
    board = leaderboard(metrics, variants, release)
    learning = {variant: sections.convergence(metrics[variant].curves) for variant in variants}
    page = write_page(
        "index",
        Path(__file__).with_name("report.html"),
        board=board,
        headline=headline(board),
        holdout=metrics[board.leader].holdout,
        learning=learning,
        charts=sections.charts(board, metrics, learning),
        histograms=sections.histograms(board, metrics),
        traits=sections.trait_table(board, metrics),
        colour=colour,
        params=params,
        pass_mark=sections.PASS_MARK,
    )
    write_curves({variant: metrics[variant] for variant in variants}, REPORT / "curves")
    (REPORT / "leaderboard.json").write_text(board.model_dump_json(indent=2) + "\n")
    print(f"{headline(board)} See {page}")


def read_settings() -> dict[str, object]:
    """The params that the page shows."""
    budget = read_params("budget", Name)
    loss = read_params("loss", Name)
    return {
        "source": read_params("source", Name),
        "budget": budget,
        "loss": loss,
        f"losses.{loss}": read_params(f"losses.{loss}", dict),
        "seed": read_params("seed", int),
        "image_size": read_params("image_size", int),
        "train": read_params(f"{budget}.train", dict),
        "models": read_params("models", dict),
        "sizes": read_params(f"{budget}.models", dict),
        "augment": read_params("augment", dict),
        "split": read_params("split", dict),
        "predict": read_params("predict", dict),
        "postprocess": read_params("postprocess", dict),
    }


if __name__ == "__main__":
    run_main(main)
