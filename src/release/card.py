"""A model's card in the Hugging Face Hub's form: README.md with its metadata on top."""

import html
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, StrictUndefined

from src.formats.metadata import DEFAULTS, Metadata, Score, origin
from src.page.traits import TRAIT_TITLES
from src.release.facts import UNKNOWN

TEMPLATE = Path(__file__).with_name("card.md")


def card(
    name: str,
    metadata: Metadata,
    parts: list[tuple[Metadata, Fraction]],
    parameters: int,
    files: dict[str, str],
    *,
    opset: int | None = None,
) -> str:
    """The text of README.md for the model `name` in a folder that holds `files` (their names, and what they are).

    `metadata` is that of the whole; `parts` are the models that predict together, each with its share in the mean. With
    `opset` there is a model.onnx. Whatever stands in metadata is shown as plain text.
    """
    source = metadata.get("source", "unknown")
    before = ", ".join(sorted({origin(part) for part, _ in parts} - {""}))
    license_id = "mit" if source == "synthetic" and not before else "other"
    scores = metadata.get("scores", [])
    front = ModelCardData(
        license=license_id,
        license_name=f"{source}-photos" if license_id == "other" else None,
        library_name="onnx" if opset else "pytorch",
        pipeline_tag="image-segmentation",
        tags=["person-segmentation", "background-removal", "pytorch", *sorted({part["variant"] for part, _ in parts})],
        metrics=["dice", "mean_iou"],
        model_name=name,
        eval_results=[result for score in scores for result in results(score)] or None,
    )
    environment = Environment(
        finalize=plain, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    body = environment.from_string(TEMPLATE.read_text()).render(
        name=name,
        members=f"{members(parts)}, {parameters / 1e6:.2f} M parameters in all",
        files=files,
        opset=opset,
        settings={**DEFAULTS, **metadata},
        chosen="threshold" in metadata,
        weaknesses=metadata.get("weaknesses"),
        scores=scores,
        traits=scores[0].get("traits", {}) if scores else {},
        titles=TRAIT_TITLES,
        license=metadata.get("license", UNKNOWN),
        origin=before,
        training=training(parts[0][0]),
        number=lambda value: "" if value is None else f"{value:.4f}",
    )
    return f"---\n{front.to_yaml()}\n---\n\n{body}"


def plain(value: object) -> str:
    """`value` on one line, with what Markdown or HTML would take for a mark escaped."""
    text = " ".join(str(value).split())
    return re.sub(r"[\\`*\[\]|#!~]", r"\\\g<0>", html.escape(text, quote=False))


def results(score: Score) -> list[EvalResult]:
    """A score as the Hub lists them."""
    values = {"dice": score["dice"], "mean_iou": score.get("miou_dataset")}
    return [
        EvalResult(
            task_type="image-segmentation",
            dataset_type="photos",  # of no dataset on the Hub
            dataset_name=score["on"],
            metric_type=metric,
            metric_value=round(value, 4),
        )
        for metric, value in values.items()
        if value is not None
    ]


def members(parts: list[tuple[Metadata, Fraction]]) -> str:
    """What predicts together, in words."""
    words = []
    for metadata, share in parts:
        folds = [f"{count} folds"] if (count := len(metadata.get("members", []))) > 1 else []
        counts = [f"counts {share}"] if len({share for _, share in parts}) > 1 else []
        more = f" ({', '.join(folds + counts)})" if folds + counts else ""
        words.append(f"{metadata['variant']}{more}")
    return f"{'The mean of' if len(words) > 1 else 'The model'} {', '.join(words)}"


def training(metadata: Metadata) -> dict[str, Any]:
    """What made the weights, for a table."""
    train = metadata.get("train", {})
    ends = [
        f"{member['best_epoch']}, {member['val_dice']:.4f}"
        for member in metadata.get("members", [])
        if "best_epoch" in member and "val_dice" in member
    ]
    known = {
        "architecture": ", ".join(f"{key} {value}" for key, value in metadata["arguments"].items()),
        "size of the photos": metadata.get("image_size"),
        "loss": ", ".join(metadata.get("loss", {})),
        "epochs": train.get("epochs"),
        "learning rate": train.get("learning_rate"),
        "batch size": train.get("batch_size"),
        "best epoch, val Dice": "; ".join(ends),
        "device": metadata.get("device"),
        "versions": ", ".join(f"{name} {version}" for name, version in metadata.get("versions", {}).items()),
        "hash of the params": metadata.get("params_hash"),
    }
    return {key: value for key, value in known.items() if value}
