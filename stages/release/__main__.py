"""release: release/model.safetensors, the released variant with all that a mask needs, and README.md, its card."""

from fractions import Fraction

from src.errors import UserError, run_main
from src.files import replacing
from src.formats.metadata import model_path
from src.formats.metrics import read_metrics
from src.formats.tensors import write_tensors
from src.params import Name, read_params
from src.release.card import card
from src.release.facts import CARD, RELEASED, parameters, release_facts, released


def main() -> None:
    variant = read_params("release", Name)
    if not model_path(variant).exists():
        raise UserError(f"params.yaml: release: {variant} was not trained; name a variant of those that are")
    predict, postprocess = read_params("predict", dict), read_params("postprocess", dict)
    facts = release_facts(predict, postprocess, read_params("source", Name), read_metrics(variant))
    groups, metadata = released(variant, facts)
    write_tensors(RELEASED, groups, metadata)
    files = {RELEASED.name: "the weights, with all that a mask needs and what made them as metadata"}
    with replacing(CARD) as partial:
        partial.write_text(card(variant, metadata, [(metadata, Fraction(1))], parameters(groups), files))


if __name__ == "__main__":
    run_main(main)
