"""A model's card in the Hugging Face Hub's form: README.md with its metadata, and config.json."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from src.models import model_class
from tools.export.graph import OPSET, PHOTO, PROBABILITY
from tools.export.subject import Subject

CLASSES = {0: "person"}  # the one class that has a probability; all else is background
# The licence of what was learned from photos of each source, in the Hub's words, and in ours.
LICENCES = {
    "synthetic": ("mit", "Drawn people: the photos are drawn by this project's own code, under the MIT license."),
    "kaggle": ("other", "Supervisely's photos of persons, by way of Kaggle: not for commercial use."),
    "local": ("other", "Photos of somebody's own: whoever took them, and whoever is on them, says what is allowed."),
}
UNKNOWN = ("other", "Photos of a source that this project does not know; add their licence here.")
TRAITS = {
    "small": "the person is small",
    "cut": "the person is cut off by the border",
    "grey": "there is no colour",
    "glare": "much is blown out",
}


def facts(subject: Subject) -> dict[str, str]:
    """What the ONNX file says about itself, as its metadata."""
    known = {
        "name": subject.name,
        "variant": ", ".join(about["variant"] for about in subject.abouts),
        "members": sum(len(model.members) for model in subject.models),
        "classes": json.dumps(CLASSES),
        "threshold": subject.threshold,
        "image_size": subject.image_size,
        "mirror": subject.prediction.mirror,
        "scale": subject.prediction.scale,
        "params_hash": ", ".join(about["params_hash"] for about in subject.abouts if "params_hash" in about) or None,
        "photos": subject.source,
        "photos_licence": LICENCES.get(subject.source, UNKNOWN)[1],
        "opset": OPSET,
        PHOTO: "uint8 RGB, (height, width, 3), upright, any size",
        PROBABILITY: "float32, (height, width), 0 to 1: that the pixel is person",
    }
    return {
        key: json.dumps(value) if isinstance(value, bool) else str(value)
        for key, value in known.items()
        if value is not None
    }


def config(subject: Subject) -> str:
    """The text of config.json."""
    content = {
        "architectures": [model_class(about["variant"]).__name__ for about in subject.abouts],
        "id2label": CLASSES,
        "models": [{key: about[key] for key in ("variant", "arguments")} for about in subject.abouts],
        "onnx": facts(subject),
    }
    return json.dumps(content, indent=2) + "\n"


def card(subject: Subject, graphs: list[str], weights: list[str]) -> str:
    """The text of README.md, for a folder that holds the files `graphs`, of which the first is the one to take, and
    `weights`."""
    licence, data = LICENCES.get(subject.source, UNKNOWN)
    scores = subject.metrics and subject.metrics["holdout"]
    content = ModelCardData(
        license=licence,
        license_name=None if licence != "other" else f"{subject.source}-photos",
        library_name="onnx",
        pipeline_tag="image-segmentation",
        tags=["person-segmentation", "background-removal", "pytorch", *sorted({a["variant"] for a in subject.abouts})],
        metrics=["dice", "mean_iou"],
        model_name=subject.name,
        eval_results=results(subject),
    )
    text = ModelCard.from_template(
        content,
        template_path=str(Path(__file__).parent / "card.md"),
        name=subject.name,
        members=members(subject),
        onnx=graphs[0],
        int8=graphs[1:],
        weights=weights,
        opset=OPSET,
        threshold=subject.threshold,
        mirror=subject.prediction.mirror,
        size=subject.image_size,
        licence=data,
        began=", ".join(sorted({origin(about) for about in subject.abouts} - {""})),
        training=training(subject.abouts[0]),
        scores=scores,
        traits=TRAITS,
    )
    return str(text).rstrip() + "\n"


def results(subject: Subject) -> list[EvalResult] | None:
    """The scores on holdout, as the Hub lists them."""
    if not subject.metrics:
        return None
    scores = {"dice": subject.metrics["holdout"]["dice"], "mean_iou": subject.metrics["holdout"]["miou_dataset"]}
    return [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=subject.source,
            dataset_name=f"holdout photos, source {subject.source}",
            metric_type=metric,
            metric_value=round(value, 4),
        )
        for metric, value in scores.items()
    ]


def members(subject: Subject) -> str:
    """A sentence, without its full stop, on what predicts together."""
    parts = []
    for about, model, share in zip(subject.abouts, subject.models, subject.shares, strict=True):
        folds = [f"{len(model.members)} folds"] if len(model.members) > 1 else []
        counts = [f"counts {share}"] if len(set(subject.shares)) > 1 else []
        more = f" ({', '.join(folds + counts)})" if folds + counts else ""
        parts.append(f"`{about['variant']}`{more}")
    parameters = sum(tensor.numel() for model in subject.models for tensor in model.parameters())
    kind = "The mean of" if len(parts) > 1 else "The model"
    return f"{kind} {', '.join(parts)}, {parameters / 1e6:.2f} M parameters in all"


def origin(about: dict[str, Any]) -> str:
    """Whose weights training began with; empty for random ones."""
    if about.get("start"):
        return f"`{about['start']['file']}`"
    pretrained = about["arguments"].get("encoder_weights") == "imagenet"
    return f"ImageNet weights of {about['arguments']['encoder']}" if pretrained else ""


def training(about: dict[str, Any]) -> dict[str, Any]:
    """What made the weights, for a table."""
    train = about.get("train", {})
    known = {
        "architecture": ", ".join(f"{key} {value}" for key, value in about["arguments"].items()),
        "size of the photos": about.get("image_size"),
        "loss": ", ".join(about.get("loss", {})),
        "epochs": train.get("epochs"),
        "learning rate": train.get("learning_rate"),
        "batch size": train.get("batch_size"),
        "best epoch, val Dice": "; ".join(
            f"{member['best_epoch']}, {member['val_dice']:.4f}" for member in about.get("members", [])
        ),
        "device": about.get("device"),
        "versions": ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items()),
        "hash of the params": about.get("params_hash"),
    }
    return {key: value for key, value in known.items() if value}
