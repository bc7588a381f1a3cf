"""HTML pages that are one file each: style, script and pictures inside, so that they open from disk anywhere."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.images import Array8

TEMPLATES = Path("templates")
CODE = ("src", "stages", "templates", "dvc.yaml", "params.yaml")
QUALITY = 62  # of WebP: photos of 256 pixels still look right, and a page of eight variants stays below 5 MB


def render(template: str, **content: Any) -> str:
    """The page that `templates/TEMPLATE` makes of `content`; everything that is not Markup is escaped."""
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["include_raw"] = lambda name: Markup((TEMPLATES / name).read_text())
    return environment.get_template(template).render(**content) + "\n"


def data_uri(picture: Array8) -> str:
    """An RGB picture as WebP in a data URI."""
    done, data = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    assert done
    return f"data:image/webp;base64,{base64.b64encode(data.tobytes()).decode()}"


def commit() -> str:
    """The short git commit that is checked out, saying so if code or params differ from it; '' outside git."""
    try:
        short = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", *CODE)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""
    return f"{short}, with changes to code or params" if changed else short


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), capture_output=True, text=True, check=True).stdout.strip()
