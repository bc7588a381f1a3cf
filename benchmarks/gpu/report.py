"""What a part has found out, in a JSON file that is written anew after every row."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WAITING, RUNNING, DONE, FAILED, CUT_OFF = "waiting", "running", "done", "failed", "cut off"


class Report:
    """One part's file FOLDER/PART.json: its status, its sections of rows, what failed in it, and what was left out."""

    def __init__(self, folder: Path, part: str, seconds: float) -> None:
        self.path, self.start, self.seconds = folder / f"{part}.json", time.monotonic(), seconds
        self.sections: dict[str, list[dict[str, Any]]] = {}
        self.failures: dict[str, str] = {}
        self.notes: list[str] = []
        self.finish(RUNNING)

    def add(self, section: str, row: "DataclassInstance") -> None:
        """A further row of `section`, written at once."""
        self.sections.setdefault(section, []).append(asdict(row))
        print(f"  {self.path.stem} {section}: {' '.join(one_line(asdict(row)))}", flush=True)
        self.finish(RUNNING)

    def grow(self, section: str, row: "DataclassInstance", first: bool) -> None:
        """Writes what is known of a row so far: the `first` time as a further row, later in place of the last one."""
        rows = self.sections.setdefault(section, [])
        rows[len(rows) if first else -1 :] = [asdict(row)]
        self.finish(RUNNING)

    def note(self, text: str) -> None:
        """A line for the reader, such as what there was no time for."""
        self.notes.append(text)
        print(f"  {self.path.stem}: {text}", flush=True)
        self.finish(RUNNING)

    def time_for(self, what: str, seconds: float = 0.0) -> bool:
        """Whether `seconds` are left; if not, `what` is noted as left out."""
        if self.left() > seconds:
            return True
        self.note(f"no time was left for {what}")
        return False

    def left(self) -> float:
        """Seconds until this part should have ended by itself."""
        return self.seconds - (time.monotonic() - self.start)

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Within it, an exception is recorded as the failure of `what`, and the part goes on after it."""
        try:
            yield
        except Exception as error:
            self.failures[what] = first_line(error)
            print(f"  {self.path.stem} {what} failed: {self.failures[what]}", flush=True)
            self.finish(RUNNING)

    def finish(self, status: str, error: str = "") -> None:
        """Writes the file with this `status`."""
        content = {
            "part": self.path.stem,
            "status": status,
            "error": error,
            "seconds": round(time.monotonic() - self.start, 1),
            "limit": round(self.seconds, 1),
            "sections": self.sections,
            "failures": self.failures,
            "notes": self.notes,
        }
        write_json(self.path, content)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces `path`: a kill at any moment leaves the old or the new file, whole."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def read_part(folder: Path, part: str) -> dict[str, Any] | None:
    """What FOLDER/PART.json holds, or None if there is none."""
    path = folder / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else None


def close(folder: Path, part: str, status: str, error: str) -> None:
    """Gives the file of a part that could not finish it itself its last `status`; its rows stay."""
    empty = {"part": part, "seconds": 0.0, "limit": 0.0, "sections": {}, "failures": {}, "notes": []}
    write_json(folder / f"{part}.json", (read_part(folder, part) or empty) | {"status": status, "error": error})


def first_line(error: BaseException) -> str:
    """The kind of `error`, and its message's first line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def one_line(row: dict[str, Any]) -> list[str]:
    """`row` as short NAME=VALUE words, without what is too long for a line."""
    return [f"{name}={short(value)}" for name, value in row.items() if not isinstance(value, list)]


def short(value: object) -> str:
    """`value` for people: numbers to four digits."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tables(folder: Path, parts: list[str]) -> str:
    """All that the files of `parts` in `folder` hold, as text tables, below a line on the machine."""
    machine = json.loads((folder / "machine.json").read_text()) if (folder / "machine.json").exists() else {}
    lines = ["; ".join(f"{name} {value}" for name, value in machine.items())]
    for part in parts:
        content = read_part(folder, part)
        if content is None:
            lines += ["", f"== {part}: not run"]
            continue
        error = f" ({content['error']})" if content["error"] else ""
        lines += ["", f"== {part}: {content['status']}{error}, {content['seconds']} of {content['limit']} s"]
        for section, rows in content["sections"].items():
            lines += [f"-- {section}", *table(rows)]
        lines += [f"failed: {what}: {error}" for what, error in content["failures"].items()]
        lines += [f"note: {note}" for note in content["notes"]]
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """`rows` in columns below their names; lists, such as curves, are in the JSON only."""
    names = [name for name, value in rows[0].items() if not isinstance(value, list)]
    cells = [names, *([short(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
