"""One folder per DVC stage, run as `python -m stages.NAME` from the project's root."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def use_environment() -> None:
    """Goes on with the Python in `.venv` if this one lacks the project's packages, as in `.venv/bin/dvc repro`, which
    leaves PATH as it is. An experiment in a folder of DVC's own finds `.venv` further up.
    """
    if all(find_spec(name) for name in ("cv2", "psutil", "pydantic", "torch")):
        return
    for folder in Path(__file__).resolve().parents[1:]:
        python = str(folder / ".venv/bin/python")
        if Path(python).exists() and python != sys.executable:
            os.execv(python, [python, *sys.orig_argv[1:]])
    sys.exit("error: this Python lacks the project's packages; type: make check && source .venv/bin/activate")


use_environment()

from src.errors import end_with_parent  # noqa: E402 - the project's code needs the packages

# Here, since this runs before a stage loads torch, which takes seconds in which its dvc may be killed.
if "DVC_STAGE" in os.environ:
    end_with_parent()
