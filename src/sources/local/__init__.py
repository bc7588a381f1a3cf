"""Photos of one's own: a folder or a zip in the competition's layout, anywhere on this machine."""

from pathlib import Path

from src.errors import UserError
from src.files import check_file
from src.params import Section

OUTS = ("data/raw", "data/prepared", "data/predictions", "metrics", "models", "plots", "report", "submissions")


class Params(Section):
    """The block `local` of params.yaml."""

    path: str


def fetch(params: Params, scratch: Path) -> Path:
    """The folder or zip at `params.path`; raises UserError if there is none, or where stages write to it."""
    path = Path(params.path).expanduser()
    if not params.path or not path.exists():
        raise UserError(f"params.yaml: local.path: {params.path!r} does not exist; set it to your folder or zip")
    if not path.is_dir():
        check_file(path)
    for out in map(Path, OUTS):
        inside = path.resolve().is_relative_to(out.resolve())
        if inside or out.resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"params.yaml: local.path: {params.path} {'is in' if inside else 'holds'} {out}, which stages write; "
                f"move your photos out, such as mv {path if inside else out} my-photos, and set local.path to that"
            )
    return path
