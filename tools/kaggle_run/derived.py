"""The two files that are made of others: requirements-kaggle.txt and docs/kaggle.ipynb.

    python -m tools.kaggle_run.derived

writes them; `make lock` does too. The torch that requirements.txt pins wants a newer driver than Kaggle's machines may
have, so a kernel uses the torch and CUDA that are there.
"""

import json
import re
from pathlib import Path
from typing import Any

from tools.kaggle_run.pack import KERNEL

REQUIREMENTS, NOTEBOOK = Path("requirements-kaggle.txt"), Path("docs/kaggle.ipynb")
HEADER = "# Made by make lock: requirements.txt without torch and CUDA; a kernel uses Kaggle's own.\n"
THEIRS = re.compile(r"(torch|torchvision|triton|nvidia-.*|cuda-.*)==")


def without_torch(requirements: str) -> str:
    """The lines of a compiled requirements.txt that a kernel needs."""
    lines = [line for line in requirements.splitlines() if line and not line.lstrip().startswith("#")]
    return HEADER + "".join(f"{line}\n" for line in lines if not THEIRS.match(line))


def notebook() -> str:
    """The kernel's script in cells, one for each `# %%`."""
    cells: list[dict[str, Any]] = []
    for part in KERNEL.read_text().split("\n# %%")[1:]:
        head, _, body = part.partition("\n")
        body = re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE) if "markdown" in head else body.strip()
        kind = "markdown" if "markdown" in head else "code"
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}}
        cell |= {} if kind == "markdown" else {"execution_count": None, "outputs": []}
        cells.append(cell | {"source": body.splitlines(keepends=True)})
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "accelerator": "GPU"}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


if __name__ == "__main__":
    REQUIREMENTS.write_text(without_torch(Path("requirements.txt").read_text()))
    NOTEBOOK.write_text(notebook())
