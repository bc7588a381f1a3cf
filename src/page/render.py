"""HTML pages that are one file each: style, script and pictures inside, so that they open from disk anywhere."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.page.traits import TRAIT_TITLES

REPORT = Path("report")  # the folder of all pages
SHARED = Path(__file__).parent  # base.html, which pages extend, and the style and script inside it


def render(template: Path, **content: Any) -> str:
    """The page that the file `template` makes of `content`; everything that is not Markup is escaped."""
    loader = FileSystemLoader([template.parent, SHARED])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["include_raw"] = lambda name: Markup((SHARED / name).read_text())
    environment.globals["TRAITS"] = TRAIT_TITLES
    return environment.get_template(template.name).render(**content) + "\n"


def write_page(name: str, template: Path, **content: Any) -> Path:
    """Writes what `render` gives to report/NAME.html, and returns where that is."""
    path = REPORT / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(template, **content))
    return path


def data_uri(webp: bytes) -> str:
    """The bytes of a WebP file as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
