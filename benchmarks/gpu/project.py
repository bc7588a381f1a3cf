"""All that the GPU command takes from the project's insides; when the project moves something, only this follows.

"Full" is the size and schedule that params.yaml has for a GPU, "narrow" that for a CPU. In miniature, models are as
small as they get, photos have 64 pixels a side, and two of them make a batch.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from copy import copy
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning_fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from benchmarks.gpu.runner import Options
from benchmarks.network import FULL, NARROW, wait
from src import models
from src.compute import ComputeParams, Runtime
from src.formats.split import choose_folds, read_split
from src.inference import PredictParams, predict, resized
from src.losses import Loss, build_loss
from src.models.blocks import SegmentationModel
from src.params import check_value
from src.sources.synthetic import Params, fetch
from stages.train.augment import Augment, AugmentParams
from stages.train.batches import PhotoBatches
from stages.train.checkpoint import Checkpoint, optimizer_tensors
from stages.train.launch import compile_in_place, launch
from stages.train.schedule import TrainParams
from stages.train.trainer import Metrics, Trainer

SMALLEST = {"width": 2, "mid": 2}
ENCODER = "tf_efficientnet_lite0"  # whose weights --encoder-weights holds
ENCODER_LR_FACTOR = 0.3
NEEDED = (".dvcignore", ".gitignore", "dvc.yaml", "params.yaml", "src", "stages", "models/starters/none")


def params() -> dict[str, Any]:
    """The whole of params.yaml."""
    return yaml.safe_load(Path("params.yaml").read_text())


def variants() -> list[str]:
    """The architectures that params.yaml trains."""
    return params()["variants"]


def sizes(options: Options) -> tuple[int, int]:
    """The side of the photos in pixels, and how many make a batch."""
    given = params()
    return (64, 2) if options.miniature else (given["image_size"], given[FULL]["train"]["batch_size"])


# Where the arithmetic happens


def compute(precision: str = "auto", deterministic: bool = True) -> Fabric:
    """A launched Fabric; raises UserError for a precision that the project does not know."""
    changes = {"precision": precision, "deterministic": deterministic, "compile": False, "devices": 1, "num_nodes": 1}
    return launch(check_value("compute", params()["compute"] | changes, ComputeParams))


def precision_of(fabric: Fabric) -> str:
    """Such as bf16-mixed."""
    return str(fabric._precision.precision)


# Models


def model(variant: str, options: Options, *, narrow: bool = False, pretrained: Path | None = None) -> SegmentationModel:
    """A new model, always the same weights; `pretrained` is the file of the encoder's."""
    size = dict(params()[NARROW if narrow or options.miniature else FULL]["models"][variant])
    if options.miniature:
        size |= {key: value for key, value in SMALLEST.items() if key in size}
    if "encoder_weights" in size:
        size["encoder_weights"] = None
    if pretrained:
        size |= {"encoder": ENCODER, "encoder_lr_factor": ENCODER_LR_FACTOR}
    torch.manual_seed(0)
    made = models.build(variant, models.check_arguments(variant, params()["models"][variant], size, FULL))
    if pretrained:
        made.load_encoder(pretrained)
    return made


def on_device(fabric: Fabric, made: SegmentationModel) -> SegmentationModel:
    """`made` where the trainer and predict would put it."""
    return made.to(fabric.device).to(memory_format=torch.channels_last)


def compiled(fabric: Fabric, made: SegmentationModel) -> SegmentationModel:
    """`made` as `compute.compile` would have it."""
    compile_in_place(made.to(fabric.device), fabric.device)
    return made


def segment(made: SegmentationModel, images: Tensor) -> Tensor:
    """Logits for normalised images, in whatever memory format they and the weights have."""
    outputs = made.forward_normalised(images)
    return outputs if isinstance(outputs, Tensor) else outputs[0]


# Photos


def random_photos(count: int, size: int, device: torch.device) -> PhotoBatches:
    """`count` photos of noise whose masks are blocks; no two batches of 16 are the same."""
    rng, different = np.random.default_rng(0), min(count, 128)
    photos = rng.integers(0, 256, (different, size, size, 3), dtype=np.uint8)
    blocks = rng.integers(0, 2, (different, 8, 8), dtype=np.uint8) * 255
    masks = blocks.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    return PhotoBatches(photos, masks, np.arange(count) % different, device)


def drawn_photos(folder: Path, labelled: int, size: int) -> Path:
    """A folder in the competition's layout, with drawn people."""
    with redirect_stderr(StringIO()):  # of its progress bar
        return fetch(Params(seed=0, labelled=labelled, test=4, size=size, wild=0), folder)


def prepared_photos(root: Path, device: torch.device) -> tuple[PhotoBatches, PhotoBatches]:
    """The photos to train and to validate on, of the project at `root` in which `split` has run."""
    folder = root / "data/prepared/labelled"
    photos, masks = np.load(folder / "photos.npy", mmap_mode="r"), np.load(folder / "soft_masks.npy", mmap_mode="r")
    here = Path.cwd()
    os.chdir(root)
    try:
        fold = choose_folds(read_split(), 1)[0]
    finally:
        os.chdir(here)
    return PhotoBatches(photos, masks, fold.train, device), PhotoBatches(photos, masks, fold.val, device)


# Training


class StopError(Exception):
    """Ends a training, as a kill would."""


class Stop:
    """Stands where the trainer's logger stands, and ends the run once epoch `last` is trained but not yet saved."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.rows: list[Metrics] = []
        self.panels: dict[str, Tensor] = {}

    def log(self, epoch: int, metrics: Metrics, average: SegmentationModel) -> None:
        if epoch == self.last:
            raise StopError

    def replay(self, rows: list[Metrics], panels: dict[str, Tensor]) -> None:
        pass


def train_loss(name: str | None = None) -> Loss:
    """The loss `name`, or that of params.yaml."""
    name = name or params()["loss"]
    return build_loss(name, params()["losses"][name])


def augment_params() -> AugmentParams:
    """The block `augment` of params.yaml."""
    return AugmentParams(**params()["augment"])


class Run:
    """A training by the project's trainer with its full schedule, but for `epochs` and what goes with them."""

    def __init__(
        self,
        fabric: Fabric,
        made: SegmentationModel,
        data: tuple[PhotoBatches, PhotoBatches],
        batch: int,
        *,
        epochs: int = 1,
        warmup_epochs: float = 0.0,
        loss: str | None = None,
        stop: Stop | None = None,
        checkpoint: Path | None = None,
        graphs: bool = True,
    ) -> None:
        self.fabric, self.batch, self.steps = fabric, batch, len(data[0]) // batch
        self.val_photos = len(data[1])
        changes = {"epochs": epochs, "warmup_epochs": warmup_epochs, "batch_size": batch, "accumulate": 1}
        self.trainer = Trainer(
            fabric,
            made,
            train=data[0],
            val=data[1],
            loss=train_loss(loss),
            final_loss=train_loss(loss),
            augment=Augment(augment_params()),
            params=TrainParams(**params()[FULL]["train"] | changes | {"final_epochs": 0, "patience": 0}),
            seed=0,
            logger=stop,  # type: ignore[arg-type]
            checkpoint=Checkpoint(checkpoint, "benchmark") if checkpoint else None,
            cuda_graphs=graphs and params()["compute"]["cuda_graphs"],
        )

    def fit(self) -> bool:
        """Trains all epochs, from the checkpoint on if there is one; whether nothing stopped it."""
        with redirect_stderr(StringIO()):  # of its progress bar
            try:
                self.trainer.fit()
            except StopError:
                return False
        return True

    def epoch(self, number: int = 0, bar: tqdm | None = None) -> None:
        """An epoch of training steps, to its end on the device; `bar` is told of each step."""
        self.trainer.train_epoch(number, tqdm(disable=True) if bar is None else bar)
        wait(self.fabric.device)

    def validate(self) -> float:
        """Validation Dice of the averaged weights."""
        return self.trainer.validate()

    def fixed_step(self) -> Callable[[], None]:
        """Forward, loss, backward and update on the first batch, and nothing else: the trainer's ceiling."""
        model, optimizer, loss = self.bare()
        photos, masks = self.trainer.train.batch(torch.arange(self.batch))
        target = masks / 255

        def step() -> None:
            optimizer.zero_grad()
            self.fabric.backward(loss(model(photos), target))
            optimizer.step()

        return step

    def bare(self) -> tuple[Callable[[Tensor], Tensor], torch.optim.Optimizer, Loss]:
        """The model, the optimizer and the loss, for another loop to train with."""
        return self.trainer.model, self.trainer.optimizer, self.trainer.loss

    def save(self) -> int:
        """Writes the whole checkpoint, the best epoch's weights included, and waits for it; its size in bytes."""
        if not self.trainer.best.weights:
            self.trainer._keep_best(0, 1.0)
        self.trainer.save()
        return self.trainer.checkpoint.path.stat().st_size if self.trainer.checkpoint else 0

    def state(self) -> dict[str, Tensor]:
        """All that training has changed: weights, their average, the optimizer's state and the gradient scaler's."""
        scaler = getattr(self.fabric._precision, "scaler", None)
        numbers = scaler.state_dict() if scaler else {}
        groups = {
            "model": self.trainer.model.module.state_dict(),
            "average": self.trainer.average.model.state_dict(),
            "optimizer": optimizer_tensors(self.trainer.optimizer),
            "scaler": {name: torch.tensor(value) for name, value in numbers.items()},
        }
        return {f"{group}/{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}


# Prediction


def predict_params(options: Options) -> PredictParams:
    """The block `predict` of params.yaml."""
    return PredictParams(**params()["predict"] | ({"batch_size": 2} if options.miniature else {}))


def predict_all(fabric: Fabric, made: SegmentationModel, photos: np.ndarray, settings: PredictParams) -> np.ndarray:
    """Probability maps, as the stage predict makes them."""
    return predict(Runtime(fabric.device, precision_of(fabric)), made, photos, settings, "")


def predict_bare(
    fabric: Fabric, made: SegmentationModel, photos: np.ndarray, settings: PredictParams
) -> Callable[[], None]:
    """The forward passes alone that predict needs for a batch, on one batch that lies on the device."""
    batch = torch.from_numpy(photos[: settings.batch_size]).permute(0, 3, 1, 2).to(fabric.device)
    batch = resized(batch, [round(side * settings.scale) for side in batch.shape[-2:]]).to(torch.uint8)

    def forward() -> None:
        with torch.inference_mode(), fabric.autocast():
            made(batch)
            if settings.mirror:
                made(batch.flip(-1))

    return forward


# The pipeline


class Pipeline:
    """A copy of the project in `root`, whose only variant is `variant` at full width, on the photos at `photos`."""

    def __init__(self, root: Path, photos: Path, variant: str, epochs: int, options: Options) -> None:
        self.root, self.variant, self.epochs = root, variant, epochs
        root.mkdir(parents=True)
        for name in NEEDED:
            if Path(name).is_dir():
                shutil.copytree(name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif Path(name).exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(name, root / name)
        self._set_params(photos, options)
        self._begin()

    def _set_params(self, photos: Path, options: Options) -> None:
        given, (size, batch) = params(), sizes(options)
        given["local"]["path"] = str(photos.resolve())
        full = given[FULL]
        full["train"] |= {
            "epochs": self.epochs,
            "batch_size": batch,
            "warmup_epochs": 1.0,
            "final_epochs": 0,
            "patience": 0,
            "panel_every": 0,
        }
        if options.miniature:
            full["models"][self.variant] |= {"width": SMALLEST["width"]}
            given["postprocess"]["threshold"] = 0.5
        given |= {
            "source": "local",
            "budget": FULL,
            "image_size": size,
            "variants": [self.variant],
            "release": self.variant,
        }
        given |= {"loss": options.loss or given["loss"], "ensembles": {}}
        given["compute"]["checkpoint_seconds"] = 0.0
        (self.root / "params.yaml").write_text(yaml.safe_dump(given, sort_keys=False))

    def _begin(self) -> None:
        """Makes it a git repository with a DVC project, or a DVC project alone where there is no git."""
        (self.root / ".dvc").mkdir()
        config = "[core]\n    analytics = false\n    autostage = false\n"
        if shutil.which("git"):
            who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
            self._git("init", "--quiet")
            self._git("add", ".")
            self._git(*who, "commit", "--quiet", "--message", "benchmark")
        else:
            config += "    no_scm = true\n"
        (self.root / ".dvc/config").write_text(config)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def twin(self, root: Path) -> "Pipeline":
        """A copy of all this, data and DVC's cache too, in the folder `root`."""
        shutil.copytree(self.root, root, symlinks=True)
        other = copy(self)
        other.root = root
        return other

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`dvc repro ARGUMENT...`, running."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", *arguments],
            cwd=self.root,
            env=os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def repro(self, *arguments: str) -> str:
        """`dvc repro ARGUMENT...` and what it printed; raises RuntimeError with the end of that if it fails."""
        process = self.start(*arguments)
        output = process.communicate()[0]
        if process.returncode:
            raise RuntimeError(f"dvc repro {' '.join(arguments)}: {' | '.join(output.splitlines()[-12:])}")
        return output

    def checkpoints(self) -> list[Path]:
        """The whole checkpoints of a training that goes on, or was killed."""
        return list((self.root / ".dvc/cache/checkpoints").glob("*.safetensors"))

    def model_file(self) -> Path:
        """What `train` writes."""
        return self.root / f"models/{self.variant}.safetensors"

    def dice(self) -> float:
        """What `evaluate` found on the holdout."""
        return json.loads((self.root / f"metrics/{self.variant}.json").read_text())["holdout"]["dice"]
