"""Photos of one's own: a folder or a zip in the competition's layout, anywhere on this machine."""

from pathlib import Path

from src.stage import Section, UserError


class Data(Section):
    """The block `local.data` of params.yaml."""

    path: str


def fetch(data: Data, scratch: Path) -> Path:
    """The folder or zip at `data.path`; raises UserError if there is none."""
    path = Path(data.path).expanduser()
    if not data.path or not path.exists():
        raise UserError(f"params.yaml: local.data.path: {data.path!r} does not exist; set it to your folder or zip")
    return path
