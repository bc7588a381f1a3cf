"""HTML pages that are one file each: style, script and pictures inside, so that they open from disk anywhere."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

SHARED = Path(__file__).parent  # base.html, which pages extend, and the style and script inside it
QUALITY = 62  # of WebP: photos of 256 pixels still look right, and a page of eight variants stays below 5 MB


def render(template: Path, **content: Any) -> str:
    """The page that the file `template` makes of `content`; everything that is not Markup is escaped."""
    loader = FileSystemLoader([template.parent, SHARED])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["include_raw"] = lambda name: Markup((SHARED / name).read_text())
    return environment.get_template(template.name).render(**content) + "\n"


def data_uri(picture: np.ndarray) -> str:
    """An RGB picture as WebP in a data URI."""
    done, data = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    assert done
    return f"data:image/webp;base64,{base64.b64encode(data.tobytes()).decode()}"
