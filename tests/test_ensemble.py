"""Better than one model: a variant trained on several folds, and several variants averaged."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from src.compute import Runtime, best_precision
from src.errors import UserError
from src.formats.model import load_model
from src.formats.prepared import PHOTOS
from src.formats.split import choose_folds, part_indices
from src.inference import PredictParams, predict
from stages.ensemble.__main__ import average
from stages.train.checkpoint import Checkpoint
from tests.test_training import equal_weights, trainer

TEAM = ["unet", "residual_unet", "residual_unet"]


@pytest.fixture(scope="module")
def project(project):
    """A project after `dvc repro` of two variants, trained on two folds each, and of an ensemble of them."""
    project.set(cpu__train__folds=2, ensembles={"team": TEAM}, cpu__train__panel_every=0)
    project.first = project.repro()
    return project


def maps(project, variant, part):
    return np.load(project.root / f"data/predictions/{variant}/{part}.npy")


def test_the_mean_of_maps_by_hand():
    maps = {value: np.full((1, 2, 2), value, np.uint8) for value in (255, 254, 253, 0)}
    assert (average([maps[255], maps[254], maps[0]]) == 170).all()  # 509 / 3 = 169.67
    assert (average([maps[255], maps[253], maps[0]]) == 169).all()  # 508 / 3 = 169.33
    assert (average([maps[255]] * 3) == 255).all()


class TestFolds:
    def test_one_file_holds_a_model_per_fold_and_each_has_its_curves(self, project):
        _, about = load_model(project.root / "models/unet.safetensors")
        assert [member["fold"] for member in about["members"]] == [0, 1]
        for folder in ("", "fold_1/plots/metrics/"):
            assert (project.root / f"plots/training/unet/plots/metrics/{folder}val/dice.tsv").exists()

    def test_val_is_predicted_by_the_model_that_has_not_seen_it_and_holdout_by_all(self, project, monkeypatch):
        monkeypatch.chdir(project.root)
        ensemble, _ = load_model(project.root / "models/unet.safetensors")
        photos, rows = np.load(project.root / "data/prepared/labelled" / PHOTOS), split_of(project)
        params = PredictParams(**yaml.safe_load((project.root / "params.yaml").read_text())["predict"])
        first, second = (self.predicted(member, photos, params) for member in ensemble.members)
        val, holdout = (part_indices(rows, part) for part in ("val", "holdout"))
        assert (first != second).any()
        assert (maps(project, "unet", "val") == first[val]).all()
        mean = (first[holdout].astype(float) + second[holdout]) / 2
        assert np.abs(maps(project, "unet", "holdout") - mean).max() <= 1

    def predicted(self, model, photos, params):
        return predict(Runtime(torch.device("cpu"), best_precision("cpu")), model.eval(), photos, params, "")

    def test_the_folds_leave_the_holdout_alone_and_differ_in_val(self, project):
        rows = split_of(project)
        assert list(rows.columns) == ["id", "part", "fold", "group"]
        folds, holdout = choose_folds(rows, 5), set(part_indices(rows, "holdout"))
        assert list(folds[0].val) == list(part_indices(rows, "val"))
        assert list(folds[0].train) == list(part_indices(rows, "train"))
        everything = np.concatenate([fold.val for fold in folds])
        assert sorted(everything) == sorted(set(range(len(rows))) - holdout)
        assert all(not set(fold.train) & (set(fold.val) | holdout) for fold in folds)
        with pytest.raises(UserError, match=r"train\.folds is 6, but split\.folds is 5"):
            choose_folds(rows, 6)
        rows.loc[rows["fold"] == 4, ["part", "fold"]] = "spare", -2
        with pytest.raises(UserError, match=r"with split\.train, the budget's train\.folds must be 1"):
            choose_folds(rows, 2)
        assert len(choose_folds(rows, 1)) == 1

    def test_a_fold_that_is_done_is_not_trained_again(self, tmp_path):
        run = trainer(checkpoint=Checkpoint(tmp_path, "run-0"))
        done = run.fit()
        run.save()
        again = trainer(checkpoint=Checkpoint(tmp_path, "run-0"))
        again.train_epoch = pytest.fail
        assert equal_weights(again.fit().weights, done.weights)


def split_of(project):
    return pd.read_csv(project.root / "data/split.csv", dtype={"id": str, "group": str})


class TestEnsembles:
    def test_it_is_one_more_stage_that_is_evaluated_submitted_and_ranked_beside_the_best_model(self, project):
        assert project.first.count("ensemble@team") == 1
        assert project.repro() == []
        for part in ("val", "holdout", "test"):
            members = [maps(project, member, part) for member in TEAM]
            assert (maps(project, "team", part) == average(members)).all()
        submission = (project.root / "submissions/team.csv").read_text().splitlines()
        assert len(submission) == 1 + len(maps(project, "team", "test"))
        board = json.loads((project.root / "report/leaderboard.json").read_text())
        dice = json.loads((project.root / "metrics/team.json").read_text())["holdout"]["dice"]
        assert {row["variant"]: row["dice"] for row in board["variants"]}["team"] == dice
        assert board["model"] in ("unet", "residual_unet")
        assert ">ensemble</span>" in (project.root / "report/index.html").read_text()

    def test_other_members_rerun_the_ensemble_and_the_report_alone(self, project):
        project.set(ensembles={"team": ["unet", "unet", "residual_unet"]})
        assert project.repro() == ["ensemble@team", "report"]
