"""A study: experiments that answer questions, read from a YAML file, and how DVC runs them.

The file lists each experiment once, by a label, and the questions that compare them:

    common: [source=local, image_size=128]       # overrides of every experiment, as after -S
    variants: {unet: [cpu.models.unet.width=8]} # of the experiments with that variant
    experiments:
      plain: {variant: unet}
      grey: {variant: unet, changes: [models.unet.color=gray]}
    questions:
      - question: Does colour help?
        base: plain
        rows: {plain: RGB, grey: greyscale}

Results are kept beside it, in a JSON file, so that a study can go on in another clone.
"""

import hashlib
import json
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from src.errors import UserError
from src.models import known_variants
from src.params import Section


class Experiment(Section):
    """One training of `variant` and its scores, with the overrides `changes`."""

    variant: str
    changes: list[str] = Field(default=[])


class Question(Section):
    """Experiments to compare with `base`, each by its label and what the table calls it."""

    question: str
    base: str
    rows: dict[str, str]


class Study(Section):
    """The whole file."""

    common: list[str]
    variants: dict[str, list[str]] = Field(default={})
    experiments: dict[str, Experiment]
    questions: list[Question] = Field(min_length=1)

    def overrides(self, label: str) -> list[str]:
        """What sets the experiment `label` apart from params.yaml."""
        experiment = self.experiments[label]
        return [*self.common, *self.variants.get(experiment.variant, []), *experiment.changes]

    def name(self, label: str) -> str:
        """DVC's name for the experiment `label`: with other overrides it is another one."""
        return f"{label}-{hashlib.sha256(json.dumps(self.overrides(label)).encode()).hexdigest()[:6]}"

    def command(self, label: str, *options: str) -> list[str]:
        """What runs the experiment `label`."""
        flags = [word for override in self.overrides(label) for word in ("-S", override)]
        target = f"evaluate@{self.experiments[label].variant}"
        return ["dvc", "exp", "run", *options, "--name", self.name(label), *flags, target]


def read_study(path: Path) -> Study:
    """The study in the file `path`; raises UserError if it is none, or names what there is not."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; name a study, such as benchmarks/results/street-photos/study.yaml")
    try:
        study = Study.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg'].lower()}" for e in error.errors()]
        raise UserError(f"{path}: {'; '.join(problems)}") from None
    for variant in (*study.variants, *(experiment.variant for experiment in study.experiments.values())):
        if variant not in known_variants():
            raise UserError(f"{path}: there is no variant {variant!r}; choose from {', '.join(known_variants())}")
    for question in study.questions:
        for label in (question.base, *question.rows):
            if label not in study.experiments:
                raise UserError(f"{path}: {question.question!r} compares {label!r}, which is not under experiments")
    return study
