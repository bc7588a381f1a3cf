"""Photos of one's own: a folder or a zip in the competition's layout, anywhere on this machine."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from src.errors import UserError
from src.files import check_file
from src.params import Section

NONE = "data/none"  # what local.path is until somebody sets it: DVC wants every stage's dependency to exist


def _there(path: str) -> str:
    if not path or not Path(path).exists():
        raise ValueError("there is no such folder or zip; write its path out, without ~")
    return path


class Params(Section):
    """The block `local` of params.yaml."""

    path: Annotated[str, AfterValidator(_there)]


def fetch(params: Params, scratch: Path) -> Path:
    """The folder or zip at `params.path`; raises UserError if that is something else."""
    path = Path(params.path)
    if params.path == NONE:
        raise UserError("params.yaml: local.path: set it to your folder or zip of photos")
    if not path.is_dir():
        check_file(path)
    return path
