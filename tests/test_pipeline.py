"""The pipeline as people use it: the real dvc, in a clone of its own, on small data."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from src.formats.metrics import HEADLINE, parse_metrics
from src.formats.prepared import TEST, read_rows
from src.formats.rle import decode, encode
from src.formats.submission import read_submission
from tests.conftest import VARIANTS, copy_finished, ran, write_raw


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    """The finished project; the tests below go on from there, in their order."""
    return copy_finished(finished, tmp_path_factory.mktemp("pipeline") / "project")


def metrics(project, variant="unet"):
    return parse_metrics(variant, (project.root / f"metrics/{variant}.json").read_text()).model_dump()


class TestRepro:
    def test_a_clean_clone_runs_every_stage_once(self, first_run):
        stages = ["download", "prepare", "split", "describe", "report", "release"]
        stages += [f"{stage}@{v}" for stage in ("train", "predict", "evaluate", "gallery", "submit") for v in VARIANTS]
        assert sorted(ran(first_run)) == sorted(stages)

    def test_kept_output_has_a_line_per_epoch_and_no_bar(self, first_run):
        assert "%|" not in first_run
        line = r"^epoch (\d) of 2: loss [\d.]+, val Dice [\d.]+, (\d+) photos in [\d.]+ s$"
        epochs = re.findall(line, first_run, re.MULTILINE)
        assert [epoch for epoch, _ in epochs] == ["1", "2"] * len(VARIANTS)
        assert {int(photos) for _, photos in epochs} == {16}

    def test_then_nothing_is_left_to_run_and_nothing_shows_as_changed(self, project):
        assert project.repro() == []
        assert project.run("git", "status", "--porcelain").stdout == ""

    def test_bytecode_does_not_make_a_stage_look_changed(self, project):
        assert list((project.root / "src").rglob("__pycache__"))
        assert "up to date" in project.run("dvc", "status").stdout

    def test_metrics_hold_the_contract(self, project):
        for variant in VARIANTS:
            for part in ("holdout", "val"):
                scores = metrics(project, variant)[part]
                assert set(HEADLINE) | {"photos", "photo_dice", "traits"} == set(scores)
                assert np.mean(scores["photo_dice"]) == pytest.approx(scores["dice"], abs=1e-6)
                assert 0 <= scores["dice_low"] <= scores["dice"] <= scores["dice_high"] <= 1
                assert set(scores["traits"]) <= {"small", "cut", "grey", "glare"}

    def test_dvcs_table_of_metrics_holds_the_headline_alone(self, project):
        table = project.run("dvc", "metrics", "show").stdout.splitlines()
        headline = {f"{part}.{key}" for part in ("holdout", "val") for key in HEADLINE}
        assert set(table[0].split()) == headline | {"Path", "threshold"}
        assert len(table) == 1 + len(VARIANTS)

    def test_each_submission_has_a_row_per_test_photo_that_decodes_at_its_size(self, project):
        photos = read_rows(project.root / TEST)
        for variant in VARIANTS:
            table = read_submission(project.root / f"submissions/{variant}.csv")
            assert list(table.columns) == ["id", "encoded_pixels"]
            assert list(table["id"]) == list(photos["file"]) == [f"{i:04d}.png" for i in range(25, 29)]
            for code, height, width in zip(table["encoded_pixels"], photos["height"], photos["width"], strict=True):
                assert encode(decode(code, height, width)) == code

    def test_the_leaderboard_is_sorted_and_says_who_leads(self, project):
        board = json.loads((project.root / "report/leaderboard.json").read_text())
        dice = [row["dice"] for row in board["variants"]]
        assert dice == sorted(dice, reverse=True)
        assert {row["variant"]: row["dice"] for row in board["variants"]} == {
            v: metrics(project, v)["holdout"]["dice"] for v in VARIANTS
        }

    def test_plots_and_the_graph_can_be_shown(self, project):
        page = project.run("dvc", "plots", "show").stdout.strip().removeprefix("file://")
        html = (project.root / "dvc_plots/index.html").read_text()
        assert page.endswith("index.html")
        assert "Validation Dice" in html
        for variant in VARIANTS:
            assert f'"field": "{variant}"' in html  # a curve of its own in each plot
            assert f"plots_training_{variant}_plots_images_panel_1_0000.png" in html.replace("/", "_").replace(
                "\\", "_"
            )
        graph = project.run("dvc", "dag", "--dot").stdout
        assert '"train@unet" -> "predict@unet"' in graph
        assert '"evaluate@unet" -> "report"' in graph
        shutil.rmtree(project.root / "dvc_plots")


class TestOnlyWhatChangedReruns:
    def test_one_models_parameter_reruns_that_model_alone(self, project):
        project.set(models__unet__dropout=0.3)
        stages = set(project.repro())
        assert stages == {*(f"{s}@unet" for s in ("train", "predict", "evaluate", "gallery", "submit")), "report"}
        project.run("git", "checkout", "--quiet", ".")
        project.run("dvc", "checkout", "--quiet")

    def test_the_parameters_of_a_loss_not_in_use_rerun_nothing(self, project):
        project.set(losses__combined__bce_weight=0.9)
        assert project.repro() == []
        project.run("git", "checkout", "--quiet", ".")


@pytest.mark.slow
class TestExperiments:
    def test_photos_of_ones_own_as_a_zip_in_an_extra_folder(self, project, tmp_path):
        root = write_raw(tmp_path / "zipped/photos", labelled=24, test=3)
        tests = [f"{i}.png" for i in (26, 24, 25)]
        pd.DataFrame({"id": tests, "encoded_pixels": ""}).to_csv(root / "sample_submission.csv", index=False)
        archive = shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "zipped")
        project.run("dvc", "exp", "run", "-S", "source=local", "-S", f"local.path={archive}")
        assert list(read_submission(project.root / "submissions/unet.csv")["id"]) == tests
        assert metrics(project)["holdout"]["photos"] >= 2
        project.run("git", "checkout", "--quiet", ".")
        project.run("dvc", "checkout", "--quiet")
        assert project.repro() == []


@pytest.mark.slow
def test_the_same_commit_gives_the_same_bytes(finished, new_project):
    project = new_project(variants=VARIANTS)
    project.repro()
    names = [
        "data/downloaded.zip",
        "data/split.csv",
        *(f"metrics/{v}.json" for v in VARIANTS),
        *(f"submissions/{v}.csv" for v in VARIANTS),
    ]
    for folder in ("models", "data/prepared", "data/predictions", "plots", "report"):
        names += [str(path.relative_to(project.root)) for path in (project.root / folder).rglob("*") if path.is_file()]
    assert len(names) > 50
    for name in names:
        assert (finished / name).read_bytes() == (project.root / name).read_bytes(), name


def test_the_stages_after_predict_and_split_start_without_torch(project):
    for stage in ("evaluate", "gallery", "submit", "split", "report"):
        loaded = project.run(
            "python", "-c", f"import sys, stages.{stage}.__main__; print('torch' in sys.modules)"
        ).stdout
        assert loaded.strip() == "False", stage


@pytest.mark.slow
def test_training_in_two_processes_is_close_to_training_in_one(new_project):
    project = new_project()
    project.repro("split")
    curves = []
    for devices in (1, 2):
        project.set(compute__device="cpu", compute__devices=devices, augment__enabled=False, models__unet__dropout=0.0)
        project.stage("train", "unet")
        curve = pd.read_csv(project.root / "plots/training/unet/plots/metrics/train/loss.tsv", sep="\t")
        curves.append(curve["loss"].to_numpy())
    assert len(curves[0]) == len(curves[1]) == 2
    # Not equal: each process normalises its own half of a batch.
    assert np.abs(curves[0] - curves[1]).max() < 0.2
