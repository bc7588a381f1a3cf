"""report: the leaderboard, for programs and for people."""

import json
from pathlib import Path

from src import stage
from src.leaderboard import advice, leaderboard, markdown

REPORT = Path("report")


def main() -> None:
    variants, release = stage.read_params("variants", list[str]), stage.read_params("release", str)
    board = leaderboard(variants, release)
    REPORT.mkdir(exist_ok=True)
    (REPORT / "leaderboard.json").write_text(json.dumps(board, indent=2) + "\n")
    (REPORT / "leaderboard.md").write_text(markdown(board))
    print(advice(board))


if __name__ == "__main__":
    stage.run(main)
