"""git, as the tools call it."""

import subprocess
from pathlib import Path

from src.errors import UserError


def git(*arguments: str, folder: Path = Path(), check: bool = True) -> str:
    """What git prints; if it fails, raises UserError, or returns what it had printed, if `check` is off."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("git is not installed, or not on PATH") from None
    if check and done.returncode:
        raise UserError(f"git {arguments[0]} failed: {' '.join(done.stderr.split())}")
    return done.stdout.strip()
