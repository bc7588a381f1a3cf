"""What to run next: experiments that the results themselves suggest, as commands to type."""

from typing import Any, NamedTuple

from stages.report.convergence import Convergence

FAR_THRESHOLD = 0.2  # from 0.5: the probabilities lean to one side
UNEVEN = 0.03  # between precision and recall
WEAK_TRAIT = 0.05  # below the mean Dice
ROUGH = 0.15  # of Dice above boundary IoU that even good masks do not have
OPTIMISM = 0.02  # of val above holdout
FOR_TRAIT = {
    "small": ("very small people", "-S image_size={larger}", "more pixels are what small people lack"),
    "cut": ("people cut by the frame", "-S augment.shift=0.25", "shifted photos cut people off more often"),
    "grey": ("black-and-white photos", "-S augment.gray_p=0.3", "more training photos lose their colour"),
    "glare": ("strong glare", "-S augment.color=0.5 -S augment.gamma_p=0.5", "more training photos are overexposed"),
}


class Step(NamedTuple):
    """What was seen, why the command should help, and the command."""

    seen: str
    why: str
    command: str


def next_steps(
    board: dict[str, Any], metrics: dict[str, Any], learning: dict[str, Convergence], params: dict[str, Any]
) -> list[Step]:
    """The steps, most telling first; `metrics` and `learning` are by variant, `params` by key as in params.yaml."""
    leader = board["model"]  # an ensemble is as good as its members
    return [
        *_about_the_release(board),
        *_about_training(leader, learning[leader], params),
        *_about_errors(leader, metrics[leader], params),
        *_about_traits(leader, metrics[leader], params),
        *_about_certainty(board),
    ]


def _about_the_release(board: dict[str, Any]) -> list[Step]:
    leader = board["model"]
    if leader == board["release"]:
        return []
    seen = f"{leader} is the best model, but {board['release']} is the release"
    return [Step(seen, "publish and upload the better one", f"dvc exp run -S release={leader}")]


def _about_training(leader: str, learning: Convergence, params: dict[str, Any]) -> list[Step]:
    budget, train, epochs = params["budget"], params["train"], len(learning.dice)
    if learning.verdict == "improving":
        seen = f"{leader} was still improving when training stopped after {epochs} epochs"
        return [Step(seen, "train longer", f"dvc exp run -S {budget}.train.epochs={2 * train['epochs']}")]
    if learning.verdict == "over-fitting":
        seen = f"Validation Dice of {leader} fell by {learning.fell:.3f} after epoch {learning.best_epoch + 1}"
        dropout = params["models"].get(leader, {}).get("dropout")
        more = f"-S models.{leader}.dropout={min(0.5, dropout + 0.15):.2f} " if dropout is not None else ""
        command = f"dvc exp run {more}-S {budget}.train.weight_decay={5 * train['weight_decay']:g}"
        return [Step(seen, "hold the weights back", command)]
    return []


def _about_errors(leader: str, metrics: dict[str, Any], params: dict[str, Any]) -> list[Step]:
    holdout, threshold, steps = metrics["holdout"], metrics["threshold"], []
    if abs(threshold - 0.5) >= FAR_THRESHOLD:
        if threshold >= 0.5:
            side, change = "calls pixels person too readily", "combined -S losses.combined.person_weight=0.5"
        else:
            other = "focal_tversky" if params["loss"] != "focal_tversky" else "combined"
            side, change = "hesitates to call pixels person", other
        seen = f"The best threshold of {leader} is {threshold:.2f}, far from 0.5: it {side}"
        steps.append(Step(seen, "another loss balances the two errors", f"dvc exp run -S loss={change}"))
    elif abs(lean := holdout["precision"] - holdout["recall"]) >= UNEVEN:
        kind, alpha = ("misses more than it invents", 0.8) if lean > 0 else ("invents more than it misses", 0.4)
        seen = f"{leader} {kind}: precision {holdout['precision']:.3f}, recall {holdout['recall']:.3f}"
        weights = f"-S losses.focal_tversky.alpha={alpha} -S losses.focal_tversky.beta={1 - alpha:g}"
        steps.append(Step(seen, "this loss weighs the two errors", f"dvc exp run -S loss=focal_tversky {weights}"))
    if holdout["dice"] - holdout["boundary_iou"] >= ROUGH:
        seen = f"{leader} has rough outlines: boundary IoU {holdout['boundary_iou']:.3f}, Dice {holdout['dice']:.3f}"
        edge = params["loss"] != "combined_edge"
        command = "loss=combined_edge" if edge else f"image_size={_larger(params['image_size'])}"
        why = "a loss that looks at the outline" if edge else "see the outline with more pixels"
        steps.append(Step(seen, why, f"dvc exp run -S {command}"))
    if holdout["dice_raw"] > holdout["dice"] + 0.0005:
        seen = f"The clean-up costs {leader} {holdout['dice_raw'] - holdout['dice']:.4f} Dice"
        command = "dvc exp run -S postprocess.smooth_px=0 -S postprocess.min_component_px=0"
        steps.append(Step(seen, "leave it out; takes seconds, nothing is trained", command))
    if metrics["val"]["dice"] - holdout["dice"] >= OPTIMISM:
        seen = f"{leader} scores {metrics['val']['dice'] - holdout['dice']:.3f} less on holdout than on val"
        fold = (params["split"]["fold"] + 1) % params["split"]["folds"]
        steps.append(Step(seen, "see whether another val part agrees", f"dvc exp run -S split.fold={fold}"))
    return steps


def _about_traits(leader: str, metrics: dict[str, Any], params: dict[str, Any]) -> list[Step]:
    holdout = metrics["holdout"]
    lacks = {trait: holdout["dice"] - score["dice"] for trait, score in holdout["traits"].items()}
    if not lacks or max(lacks.values()) < WEAK_TRAIT:
        return []
    weakest = max(lacks, key=lambda trait: lacks[trait])
    name, override, why = FOR_TRAIT[weakest]
    score = holdout["traits"][weakest]
    seen = f"{leader} is weakest on {name}: Dice {score['dice']:.3f} on {score['photos']} photos"
    return [Step(seen, why, f"dvc exp run {override.format(larger=_larger(params['image_size']))}")]


def _about_certainty(board: dict[str, Any]) -> list[Step]:
    for row in board["variants"][1:2]:
        if row["behind"]["low"] <= 0:
            seen = f"{row['variant']} is too close to {board['leader']} to call"
            command = "dvc exp run --queue -S 'seed=1,2,3' && dvc queue start"
            return [Step(seen, "repeat with other seeds, and compare the means", command)]
    return []


def _larger(image_size: int) -> int:
    return image_size * 3 // 2 // 32 * 32
