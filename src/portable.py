"""`compute.portable`: the same bytes from every x86-64 CPU, by arithmetic that all of them have.

Left to themselves, torch's libraries take the widest instructions of the CPU they find, and each width adds numbers up
in another order. Here they are held to AVX2, and MKL to one order of sums. The variables count only if they are set
before torch is loaded, so a stage that computes with torch imports this module first. docs/how-it-works.md lists the
CPUs on which it was seen to hold.
"""

import os
import platform
import sys
from pathlib import Path
from typing import Any

HELD = {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
CPUINFO = Path("/proc/cpuinfo")


def has_avx2() -> bool:
    """Whether this CPU has the instructions; where nothing tells, an x86-64 CPU is taken to have them."""
    known = CPUINFO.read_text() if CPUINFO.exists() else " avx2 "
    return platform.machine() in ("x86_64", "AMD64") and " avx2" in known


def hold_arithmetic(compute: dict[str, Any]) -> None:
    """Sets the variables if `compute`, the block of params.yaml, asks for it; says in a line where they do not help."""
    if compute.get("portable") is not True:
        return
    os.environ.update(HELD)
    if not has_avx2():
        print(
            "this CPU has no AVX2: the bytes of models and predictions will differ from those of others",
            file=sys.stderr,
        )
