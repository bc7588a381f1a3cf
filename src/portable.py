"""`compute.portable`: the same bytes from every x86-64 CPU, by arithmetic that all of them have.

Left to themselves, torch's libraries take the widest instructions of the CPU they find, and each width adds numbers up
in another order. Here they are held to AVX2, and MKL to one order of sums. The variables count only if they are set
before torch is loaded, so a stage that computes with torch imports this module first. docs/how-it-works.md lists the
CPUs on which it was seen to hold.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

HELD = {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
CPUINFO = Path("/proc/cpuinfo")


def cpu_flags() -> set[str]:
    """What Linux says that the CPU can do; nothing on other systems."""
    found = re.search(r"^flags\s*:(.*)", CPUINFO.read_text(), re.MULTILINE) if CPUINFO.exists() else None
    return set(found[1].split()) if found else set()


def hold_arithmetic(compute: dict[str, Any]) -> None:
    """Sets the variables if `compute`, the block of params.yaml, asks for it; says in a line where they do not help."""
    if compute.get("portable") is not True:
        return
    os.environ.update(HELD)
    if "avx2" not in cpu_flags():
        print("no AVX2 here: the bytes of models and predictions will differ from those of others", file=sys.stderr)
