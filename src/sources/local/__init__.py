"""Photos of one's own: a folder or a zip in the competition's layout, anywhere on this machine."""

from pathlib import Path

from src.stage import Section, UserError


class Params(Section):
    """The block `local` of params.yaml."""

    path: str


def fetch(params: Params, scratch: Path) -> Path:
    """The folder or zip at `params.path`; raises UserError if there is none."""
    path = Path(params.path).expanduser()
    if not params.path or not path.exists():
        raise UserError(f"params.yaml: local.path: {params.path!r} does not exist; set it to your folder or zip")
    return path
