"""gallery VARIANT: report/gallery/VARIANT.html, the pictures of its worst, median and best holdout photos."""

from pathlib import Path

from src.errors import run_main
from src.formats.scores import read_shots
from src.page.render import data_uri, write_page


def main(variant: str) -> None:
    shots = [(shot, data_uri(webp)) for shot, webp in read_shots(variant)]
    traits = {trait for shot, _ in shots for trait in shot.traits.split()}
    template = Path(__file__).with_name("gallery.html")
    write_page(f"gallery/{variant}", template, variant=variant, shots=shots, traits=traits)


if __name__ == "__main__":
    run_main(main)
