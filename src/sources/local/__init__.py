"""Photos of one's own: a folder or a zip in the competition's layout, anywhere on this machine."""

import subprocess
from contextlib import suppress
from pathlib import Path

from src.errors import UserError
from src.files import check_file
from src.params import Section

NONE = "data/none"  # what local.path is until somebody sets it: DVC wants every stage's dependency to exist


class Params(Section):
    """The block `local` of params.yaml."""

    path: str


def fetch(params: Params, scratch: Path) -> Path:
    """The folder or zip at `params.path`; raises UserError if that is something else."""
    path = Path(params.path)
    if not params.path or not path.exists():
        raise UserError("params.yaml: local.path: there is no such folder or zip; write its path out, without ~")
    if params.path == NONE:
        raise UserError("params.yaml: local.path: set it to your folder or zip of photos")
    if not path.is_dir():
        check_file(path)
    check_left_alone(path)
    return path


def check_left_alone(path: Path) -> None:
    """Raises UserError if `path` is in the project, and git neither tracks nor ignores it: DVC commits such files with
    an experiment, and `dvc exp apply` writes them over those that were edited since.
    """
    command = ["git", "ls-files", "--others", "--exclude-standard", "--directory", "--", str(path)]
    with suppress(FileNotFoundError):  # without git there is nobody to commit them
        if subprocess.run(command, capture_output=True, check=False).stdout:
            raise UserError(
                f"params.yaml: local.path: {path} is in the project, where dvc exp apply would bring older photos "
                "back; move it out of the project, or into data/"
            )
