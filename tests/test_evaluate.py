"""Scores beyond Dice, the choice of a threshold, and that the headline is what a submission would score."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.bootstrap import interval
from src.charts import histogram
from src.dice import boundary_iou, count, dice, iou, mean_iou, precision, recall
from src.formats import rle
from src.formats.metrics import THRESHOLDS, read_metrics
from src.formats.predictions import read_predictions
from src.formats.prepared import LABELLED, TRAITS, NativeMasks, read_rows
from src.formats.split import part_indices, read_split
from src.formats.tables import read_table
from src.params import read_params
from src.pictures import FALSE_ALARM, MISS, difference
from src.postprocess import PostprocessParams, majority, threshold_mask
from stages.evaluate import __main__ as evaluate
from stages.evaluate.pictures import to_compare, to_show
from stages.evaluate.threshold import best_threshold, dice_by_threshold
from stages.submit import __main__ as submit
from tests.conftest import set_params
from tests.workspace import PARTS, make_workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_workspace(tmp_path)
    return tmp_path


NOBODY = np.zeros((2, 4), np.uint8)
LEFT = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.uint8)
MIDDLE = np.array([[0, 1, 1, 0], [0, 1, 1, 0]], np.uint8)
ALL = np.ones((2, 4), np.uint8)
TOP_LEFT = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.uint8)


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        (NOBODY, NOBODY, (1, 1, 1, 1, 1)),
        (ALL, ALL, (1, 1, 1, 1, 1)),
        (NOBODY, ALL, (0, 0, 0, 0, 0)),
        (LEFT, NOBODY, (0, 0, 0, 0, 4 / 8 / 2)),
        (NOBODY, LEFT, (0, 0, 0, 0, 4 / 8 / 2)),
        (LEFT, LEFT, (1, 1, 1, 1, 1)),
        (LEFT, MIDDLE, (2 * 2 / 8, 2 / 6, 2 / 4, 2 / 4, 2 / 6)),
        (TOP_LEFT, LEFT, (2 * 2 / 6, 2 / 4, 1, 2 / 4, (2 / 4 + 4 / 6) / 2)),
    ],
)
def test_scores_worked_by_hand(predicted, target, expected):
    counts = count(predicted, target)
    scores = (dice, iou, precision, recall, mean_iou)
    assert tuple(score(counts) for score in scores) == pytest.approx(expected)


class TestHeadline:
    @pytest.mark.parametrize("threshold", ["auto", 0.35])
    def test_val_dice_is_that_of_the_decoded_submission_of_those_photos(self, workspace, threshold):
        set_params(workspace, {"postprocess.threshold": threshold})
        evaluate.main("residual_unet")
        metrics = read_metrics("residual_unet")
        assert threshold in ("auto", metrics.threshold)

        rows, indices = read_rows(LABELLED), part_indices(read_split(), "val")
        params = read_params("postprocess", PostprocessParams)
        maps = read_predictions("residual_unet", "val", expected=len(indices))
        submit.submission(maps, rows.iloc[indices], metrics.threshold, params).to_csv("val.csv", index=False)
        masks, scores = NativeMasks(rows), []
        for index, code in zip(indices, read_table(Path("val.csv"), {}, "")["encoded_pixels"], strict=True):
            target = masks[index]
            scores.append(dice(count(rle.decode(code, *target.shape), target)))
        assert metrics.val.dice == pytest.approx(np.mean(scores), abs=1e-6)
        assert 0.5 < metrics.val.dice < 1
        at = int(np.argmin(np.abs(THRESHOLDS - metrics.threshold)))
        assert metrics.threshold_curve[at] == pytest.approx(metrics.val.dice_raw, abs=1e-3)

    def test_submit_uses_the_threshold_that_evaluate_wrote_and_the_columns_of_the_params(self, workspace):
        evaluate.main("unet")
        submit.main("unet")
        first = read_table(Path("submissions/unet.csv"), {}, "")
        path = workspace / "metrics/unet.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"threshold": 0.9}))
        set_params(workspace, {"submission.columns": ["id", "rle"]})
        submit.main("unet")
        assert list(read_table(Path("submissions/unet.csv"), {}, "")["rle"]) != list(first["encoded_pixels"])

    def test_it_is_the_mean_over_the_photos_on_record_and_of_all_their_pixels_taken_as_one_photo(self, workspace):
        evaluate.main("unet_paper")
        rows = read_rows(LABELLED)
        table = pd.read_csv(workspace / "plots/evaluation/unet_paper/scores/photos.csv", dtype={"id": str})
        assert list(table.columns[:3]) == ["id", "part", "dice"]
        assert table["dice"].to_numpy() == pytest.approx(2 * table["iou"] / (1 + table["iou"]))
        p, r = table["precision"], table["recall"]
        assert table["dice"].to_numpy() == pytest.approx(2 * p * r / (p + r))
        for part in ("holdout", "val"):
            metrics, scores = getattr(read_metrics("unet_paper"), part), table[table["part"] == part].set_index("id")
            assert metrics.photos == len(scores) == PARTS.count(part)
            assert metrics.photo_dice == pytest.approx(scores["dice"].tolist(), abs=1e-6)
            for name in ("dice", "dice_raw", "iou", "boundary_iou", "precision", "recall"):
                assert getattr(metrics, name) == pytest.approx(scores[name].mean(), abs=1e-6)
            assert (metrics.dice_low, metrics.dice_high) == pytest.approx(interval(scores["dice"].to_numpy()), abs=1e-6)
            small = scores["dice"][[int(photo) % 4 == 0 for photo in scores.index]]  # as the workspace has it
            assert metrics.traits["small"].dice == pytest.approx(small.mean())
            assert metrics.traits["small"].photos == len(small)
            assert "glare" not in metrics.traits
            pixels = scores.sum(numeric_only=True)
            both, neither = pixels["true_positive"], pixels["true_negative"]
            wrong = pixels["false_positive"] + pixels["false_negative"]
            photos = rows.iloc[part_indices(read_split(), part)]
            assert both + neither + wrong == (photos["height"] * photos["width"]).sum()
            person, background = both / (both + wrong), neither / (neither + wrong)
            assert metrics.iou_dataset == pytest.approx(person, abs=1e-6)
            assert metrics.dice_dataset == pytest.approx(2 * both / (2 * both + wrong), abs=1e-6)
            assert metrics.miou_dataset == pytest.approx((person + background) / 2, abs=1e-6)
            assert metrics.iou_dataset != metrics.iou, "that is the mean over photos"


class TestThreshold:
    @settings(deadline=None, max_examples=30)
    @given(arrays(np.uint8, (6, 7)), arrays(np.uint8, (6, 7), elements=st.integers(0, 1)))
    def test_the_curve_is_the_dice_of_every_single_mask(self, probability, target):
        expected = [dice(count(threshold_mask(probability, t), target)) for t in THRESHOLDS]
        assert dice_by_threshold(probability, target) == pytest.approx(expected, abs=1e-12)

    def test_the_best_is_taken_and_of_equals_the_nearest_to_one_half(self):
        curve = np.zeros(255)
        curve[[10, 100, 240]] = 0.9
        assert best_threshold(curve) == THRESHOLDS[100]
        curve[40] = 0.91
        assert best_threshold(curve) == THRESHOLDS[40]
        assert best_threshold(np.ones(255)) == 0.5


class TestBoundaryIou:
    def square(self, x=5):
        mask = np.zeros((50, 50), np.uint8)  # a diagonal of 71 pixels: bands of one pixel
        mask[20:30, x : x + 10] = 1
        return mask

    def test_hand_worked(self):
        nobody = np.zeros((50, 50), np.uint8)
        assert boundary_iou(nobody, nobody) == 1
        assert boundary_iou(self.square(), nobody) == boundary_iou(nobody, self.square()) == 0
        assert boundary_iou(self.square(), self.square()) == 1
        # Rings of 36 pixels, one to the right of the other: they share 9 pixels above and 9 below.
        assert boundary_iou(self.square(5), self.square(6)) == pytest.approx(18 / 54)
        # The edge of the photo is an outline too.
        full, without_corner = np.ones((50, 50), np.uint8), np.ones((50, 50), np.uint8)
        without_corner[0, 0] = 0
        assert boundary_iou(full, without_corner) == pytest.approx((4 * 49 - 1) / (4 * 49 + 1))

    @pytest.mark.parametrize("seed", range(4))
    def test_it_is_the_papers_definition(self, seed):
        rng = np.random.default_rng(seed)
        pair = [(cv2.GaussianBlur(rng.random((120, 90)), (0, 0), 6) > 0.5).astype(np.uint8) for _ in range(2)]

        def band(mask):
            padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            return mask - cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=3)[1:-1, 1:-1]

        ours, theirs = map(band, pair)
        expected = (ours & theirs).sum() / (ours | theirs).sum()
        assert boundary_iou(*pair) == pytest.approx(expected)


def test_the_interval_is_scipys_percentile_bootstrap_and_the_same_every_time():
    from scipy.stats import bootstrap  # noqa: PLC0415 - slow to import, and only this test needs it

    values = np.random.default_rng(0).beta(9, 2, 60)
    theirs = bootstrap((values,), np.mean, method="percentile", rng=1).confidence_interval
    assert interval(values) == pytest.approx(tuple(theirs), abs=0.004)
    assert interval(values) == interval(values.copy())
    assert interval(np.full(5, 0.7)) == (0.7, 0.7)
    assert interval(np.array([0.4])) == (0.4, 0.4)


class TestPictures:
    def test_those_to_compare_are_of_the_same_holdout_photos_whatever_the_scores(self, workspace):
        names = []
        for variant in ("unet", "unet_paper"):
            evaluate.main(variant)
            names.append({path.name for path in (workspace / f"plots/evaluation/{variant}/pictures").iterdir()})
        holdout = {f"{i:03d}.jpg" for i, part in enumerate(PARTS) if part == "holdout"}
        assert names[0] == names[1] <= holdout
        assert len(names[0]) >= 8

    def test_those_to_compare_have_every_trait_and_stay_when_photos_come_or_go(self, workspace):
        rows = read_rows(LABELLED)
        rows["glare"] = rows["id"] == rows["id"][to_compare(rows, most=24)[-1]]

        def compared(rows):
            return set(rows["id"].iloc[to_compare(rows, most=4)])

        before = compared(rows)
        assert 4 <= len(before) <= 4 + len(TRAITS)
        assert all(rows[trait][rows["id"].isin(before)].any() for trait in TRAITS)
        for gone in range(len(rows)):
            assert len(before - compared(rows.drop(gone))) <= 2

    def test_those_of_the_page_are_worst_median_best_and_the_worst_of_each_trait(self):
        dice = pd.Series([0.9, 0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.4, 0.5])
        traits = pd.DataFrame({trait: [False] * 9 for trait in TRAITS})
        traits.loc[[1, 7], "small"] = traits.loc[[8, 7], "cut"] = True
        chosen = [("worst", 1), ("worst", 5), ("median", 7), ("median", 8), ("best", 0), ("best", 2)]
        assert to_show(dice, traits, each=2) == chosen
        traits.loc[[6, 4], "glare"] = True
        assert to_show(dice, traits, each=2) == [*chosen, ("glare", 6)]
        assert to_show(dice[:1], traits[:1]) == [("worst", 0)]
        assert [kind for kind, _ in to_show(dice, traits)] == ["worst"] * 4 + ["median"] * 2 + ["best"] * 3

    def test_the_difference_shows_what_was_found_missed_and_invented(self):
        photo = np.full((1, 4, 3), 100, np.uint8)
        target, predicted = np.array([[0, 1, 1, 0]], np.uint8), np.array([[0, 1, 0, 1]], np.uint8)
        background, found, missed, invented = difference(photo, target, predicted)[0].tolist()
        assert background == [100, 100, 100]
        assert len({tuple(c) for c in (background, found, missed, invented)}) == 4
        assert missed == [round(0.2 * 100 + 0.8 * c) for c in MISS]
        assert invented == [round(0.2 * 100 + 0.8 * c) for c in FALSE_ALARM]

    def test_the_histogram_counts_every_photo_the_perfect_one_too(self):
        table = histogram(np.array([0.0, 0.04, 0.5, 1.0]), "dice")
        assert table["photos"].sum() == 4
        assert table["photos"].iloc[0] == 2
        assert table["photos"].iloc[-1] == 1


@pytest.mark.parametrize("size", [3, 5, 7, 31])
def test_the_majority_filter_is_the_median_filter(size):
    mask = (np.random.default_rng(size).random((70, 50)) > 0.5).astype(np.uint8)
    assert (majority(mask, size) == cv2.medianBlur(mask, size)).all()


ORGANISERS_MASK = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=np.uint8)
ORGANISERS_CODE = "3 1 6 2 9 3 14 1 16 1 20 1"

MASKS = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 1))


def test_the_organisers_worked_example():
    assert rle.encode(ORGANISERS_MASK) == ORGANISERS_CODE
    assert (rle.decode(ORGANISERS_CODE, 4, 5) == ORGANISERS_MASK).all()


def test_nobody_is_an_empty_string_and_everything_is_one_run():
    assert rle.encode(np.zeros((4, 3), np.uint8)) == ""
    assert rle.encode(np.ones((4, 3), np.uint8)) == "1 12"
    assert not rle.decode("", 4, 3).any()
    assert rle.decode("2 1 3 2", 4, 1).tolist() == [[0], [1], [1], [1]]  # runs may touch


@given(MASKS)
def test_decoding_gives_the_mask_back_whatever_its_value_for_person(mask):
    assert (rle.decode(rle.encode(mask), *mask.shape) == mask).all()
    assert rle.encode(mask * np.uint8(255)) == rle.encode(mask)


@pytest.mark.parametrize("code", ["1", "0 3", "11 3", "4 2 1 2", "1 3 3 2", "5 0", "9223372036854775807 5"])
def test_a_code_that_does_not_fit_the_photo_is_refused(code):
    with pytest.raises(ValueError, match="run"):
        rle.decode(code, 3, 4)
