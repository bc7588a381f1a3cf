"""Speed, as ratios within one run: what is measured and what bounds it take turns, so a machine's mood cancels out."""

import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version


def paired(ours: Callable[[], object], bound: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    """Seconds of `ours` and of `bound`, `repeats` times in turns, after one uncounted turn."""
    seconds = []
    for _ in range(repeats + 1):
        pair = []
        for work in (ours, bound):
            start = time.perf_counter()
            work()
            pair.append(time.perf_counter() - start)
        seconds.append((pair[0], pair[1]))
    return seconds[1:]


def spread(values: list[float]) -> str:
    """Median, minimum and maximum, for people."""
    return f"{statistics.median(values):.3f} (from {min(values):.3f} to {max(values):.3f}, {len(values)} runs)"


def machine() -> str:
    """What the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "opencv-python-headless", "numpy"))
    return f"{os.cpu_count()} cores, {libraries}"
