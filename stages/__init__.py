"""One folder per DVC stage, run as `python -m stages.NAME` from the project's root."""

import os

from src.errors import end_with_parent

# Here, since this runs before a stage loads torch, which takes seconds in which its dvc may be killed.
if "DVC_STAGE" in os.environ:
    end_with_parent()
