"""Speed, as ratios within one run: what is measured and what bounds it take turns, so other work slows both alike."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version


def in_turns(*works: Callable[[], object], repeats: int, uncounted: int = 1) -> list[tuple[float, ...]]:
    """Seconds of each of `works`, `repeats` times in turns, after the `uncounted` turns."""
    seconds = []
    for _ in range(uncounted + repeats):
        turn = []
        for work in works:
            start = time.perf_counter()
            work()
            turn.append(time.perf_counter() - start)
        seconds.append(tuple(turn))
    return seconds[uncounted:]


def spread(values: Sequence[float]) -> str:
    """Median, minimum and maximum, for people."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def machine() -> str:
    """What the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "opencv-python-headless", "numpy"))
    return f"{os.cpu_count()} cores, {libraries}"
