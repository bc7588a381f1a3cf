"""Puts what a source fetched into data/raw, whole or not at all."""

import shutil
from pathlib import Path

from src.formats.raw import LAYOUT, SAMPLE_SUBMISSION, TEST_MASKS, find_layout, list_raw
from src.sources.archive import room_needed, unpack


def place(origin: Path, raw: Path, scratch: Path) -> None:
    """Puts the photos of `origin`, a folder or zip in the competition's layout, into `raw`: checked, and whole.

    Files under `scratch` are moved, others copied. Raises UserError that names what does not fit the layout, or that
    the disk is full; `raw` is then as it was.
    """
    root = find_layout(origin if origin.is_dir() else unpack(origin, scratch / "unpacked"))
    list_raw(root)
    whole = scratch / "whole"
    transfer = shutil.move if root.is_relative_to(scratch) else shutil.copytree
    with room_needed(raw.parent):
        for part in (*LAYOUT, TEST_MASKS):
            if (root / part).is_dir():
                (whole / part).parent.mkdir(parents=True, exist_ok=True)
                transfer(root / part, whole / part)
        if (root / SAMPLE_SUBMISSION).exists():
            shutil.copy(root / SAMPLE_SUBMISSION, whole)
    if raw.exists():
        shutil.rmtree(raw)
    whole.rename(raw)
