"""The pipeline as people use it: the real dvc, in a clone of its own, on small data."""

import re
import shutil

from src.formats.metrics import HEADLINE
from src.formats.prepared import TEST, read_rows
from src.formats.rle import decode, encode
from src.formats.tables import read_table
from tests.conftest import VARIANTS, ran


class TestRepro:
    def test_a_clean_clone_runs_every_stage_once(self, first_run):
        stages = ["download", "prepare", "split", "describe", "report", "release"]
        stages += [f"{stage}@{v}" for stage in ("train", "predict", "evaluate", "submit") for v in VARIANTS]
        assert sorted(ran(first_run)) == sorted(stages)
        assert "18 train, 4 val, 2 holdout | 0 near-duplicates" in first_run

    def test_kept_output_has_a_line_per_epoch_and_no_bar(self, first_run):
        assert "%|" not in first_run
        line = r"^epoch (\d) of 2: loss [\d.]+, val Dice [\d.]+, (\d+) photos in [\d.]+ s$"
        epochs = re.findall(line, first_run, re.MULTILINE)
        assert [epoch for epoch, _ in epochs] == ["1", "2"] * len(VARIANTS)
        assert {int(photos) for _, photos in epochs} == {16}

    def test_then_nothing_is_left_to_run_and_nothing_shows_as_changed(self, project):
        assert project.repro() == []
        assert project.run("git", "status", "--porcelain").stdout == ""

    def test_dvcs_table_of_metrics_holds_the_headline_alone(self, project):
        table = project.run("dvc", "metrics", "show").stdout.splitlines()
        headline = {f"{part}.{key}" for part in ("holdout", "val") for key in HEADLINE}
        assert set(table[0].split()) == headline | {"Path", "threshold"}
        assert len(table) == 1 + len(VARIANTS)

    def test_each_submission_has_a_row_per_test_photo_that_decodes_at_its_size(self, project):
        photos = read_rows(project.root / TEST)
        for variant in VARIANTS:
            table = read_table(project.root / f"submissions/{variant}.csv", {}, "")
            assert list(table.columns) == ["id", "encoded_pixels"]
            assert list(table["id"]) == list(photos["file"]) == [f"{i:04d}.png" for i in range(25, 29)]
            for code, height, width in zip(table["encoded_pixels"], photos["height"], photos["width"], strict=True):
                assert encode(decode(code, height, width)) == code

    def test_plots_and_the_graph_can_be_shown(self, project):
        page = project.run("dvc", "plots", "show").stdout.strip().removeprefix("file://")
        html = (project.root / "dvc_plots/index.html").read_text()
        assert page.endswith("index.html")
        assert "Validation Dice" in html
        for variant in VARIANTS:
            assert f'"field": "{variant}"' in html  # a curve of its own in each plot
            assert f"plots_training_{variant}_plots_images_panel_1_0000.png" in html.replace("/", "_")
        graph = project.run("dvc", "dag", "--dot").stdout
        assert '"train@unet" -> "predict@unet"' in graph
        assert '"evaluate@unet" -> "report"' in graph
        shutil.rmtree(project.root / "dvc_plots")


def test_the_stages_after_predict_and_split_start_without_torch(project):
    for stage in ("evaluate", "submit", "split", "report"):
        program = f"import sys, stages.{stage}.__main__; print('torch' in sys.modules)"
        assert project.run("python", "-c", program).stdout.strip() == "False", stage
