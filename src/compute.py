"""Where the arithmetic happens: device, precision and determinism, by Lightning Fabric."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import nn

from src.gpus import take_gpu
from src.stage import Section, UserError, end_with_parent

CPU_BF16 = {"avx512_bf16", "amx_bf16"}  # either multiplies bf16 in hardware


class ComputeParams(Section):
    """The block `compute` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"]
    devices: Annotated[int, Field(ge=1, le=64)]
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    num_nodes: Annotated[int, Field(ge=1, le=1024)]
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
    cuda_graphs: bool
    compile: bool
    deterministic: bool
    checkpoint_seconds: Annotated[float, Field(ge=0, le=86400)]

    @property
    def on_one_device(self) -> "ComputeParams":
        """The same, for work that takes seconds and is not spread over devices."""
        return self.model_copy(update={"devices": 1, "num_nodes": 1})


def launch(params: ComputeParams, alone: bool = True) -> Fabric:
    """A launched Fabric; raises UserError for devices that this machine does not have or cannot use, and for several
    machines if this process was not started as one of theirs.

    One GPU is one that this process has to itself, for which it may have to wait; or if not `alone`, the first, whoever
    else uses it. Several are the first `params.devices`, whoever else uses them.

    `device: auto` takes a CUDA GPU, else the CPU. `precision: auto` takes what that has in hardware: bf16 (GPUs from
    Ampere on, CPUs with AVX512_BF16 or AMX), else fp16 with a gradient scaler (Volta and Turing, such as a T4), else 32
    bits.
    """
    device = find_device(params)
    precision = params.precision if params.precision != "auto" else best_precision(device)
    if precision == "16-mixed" and device == "cpu":
        raise UserError("params.yaml: compute.precision: 16-mixed needs a GPU; set it to auto or 32-true")
    if params.num_nodes > 1:
        check_nodes(params.num_nodes)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(params.deterministic)
    # Otherwise every new tensor is first filled with NaN, a kernel each, which only helps to find uses of unset memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not params.deterministic
    devices: int | list[int] = params.devices
    if device == "cuda" and params.devices == 1:
        devices = [free_gpu() if alone else 0]
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # or each stage says which precision it takes
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=params.num_nodes, precision=precision)
    fabric.launch()
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)  # after the launch, where Fabric shares the cores out
    if not fabric.is_global_zero:
        end_with_parent()
    return fabric


def check_nodes(count: int) -> None:
    """Raises UserError if nothing says where the other of `count` machines are: this one would wait for them for ever.

    Says where it waits if something does. SLURM and the like tell Fabric by variables of their own.
    """
    if any(name in os.environ for name in ("SLURM_NTASKS", "LSB_JOBID", "OMPI_COMM_WORLD_SIZE", "KUBERNETES_PORT")):
        return
    if missing := [name for name in ("MASTER_ADDR", "NODE_RANK") if name not in os.environ]:
        raise UserError(
            f"params.yaml: compute.num_nodes is {count}, but {' and '.join(missing)} are not set; start it on each "
            "machine as docs/scaling.md says, or set num_nodes to 1"
        )
    print(f"waiting for {count} machines at {os.environ['MASTER_ADDR']}", file=sys.stderr, flush=True)


def find_device(params: ComputeParams) -> Literal["cpu", "cuda"]:
    """The device that `params.device` means; raises UserError if it is a GPU that is missing or cannot be used, or if
    there are fewer GPUs than `params.devices`.
    """
    if params.device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        if torch.cuda.device_count():
            raise UserError(
                f"this machine has a GPU, but its driver is too old for this torch, which needs CUDA "
                f"{torch.version.cuda}; update the driver, install a torch for an older CUDA, or set params.yaml: "
                "compute.device to cpu"
            )
        if params.device == "cuda":
            raise UserError("params.yaml: compute.device: this machine has no cuda; set it to auto or cpu")
        return "cpu"
    if params.devices > torch.cuda.device_count():
        raise UserError(f"params.yaml: compute.devices: {params.devices} asked for, {torch.cuda.device_count()} here")
    for number in range(params.devices):
        check_kernels(torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number))
    return "cuda"


def free_gpu() -> int:
    """The number, among the visible GPUs, of one that this process now has to itself; it may have to wait for that.

    Raises UserError if the installed torch has no kernels for it.
    """
    visible = range(torch.cuda.device_count())
    number = take_gpu([str(torch.cuda.get_device_properties(number).uuid) for number in visible])
    check_kernels(torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number))
    return number


def check_kernels(name: str, capability: tuple[int, int]) -> None:
    """Raises UserError if the installed torch has no kernels that run on the GPU `name` of `capability`, as (7, 5).

    Kernels are compiled for an architecture and run on later ones of the same generation (NVIDIA's CUDA C++
    Programming Guide, "Binary Compatibility"); "compute_" entries are compiled on the spot for any later GPU.
    """
    found = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", arch) for arch in torch.cuda.get_arch_list()]
    for kind, *numbers in (match.groups() for match in found if match):
        major, minor = map(int, numbers)
        if (major, minor) <= capability and (kind == "compute" or major == capability[0]):
            return
    raise UserError(
        f"the installed torch has no kernels for this GPU, {name} (sm_{capability[0]}{capability[1]}; it has "
        f"{', '.join(torch.cuda.get_arch_list())}); take another GPU (on Kaggle: T4 x2), install a torch made for it, "
        "or set params.yaml: compute.device to cpu"
    )


def best_precision(device: str) -> Literal["32-true", "16-mixed", "bf16-mixed"]:
    """The fastest precision that trains well on `device`; of several visible GPUs, the least able decides."""
    if device == "cpu":
        return "bf16-mixed" if cpu_flags() & CPU_BF16 else "32-true"
    capability = min(torch.cuda.get_device_capability(number) for number in range(torch.cuda.device_count()))
    if capability >= (8, 0):
        return "bf16-mixed"
    return "16-mixed" if capability >= (7, 0) else "32-true"


def cpu_flags() -> set[str]:
    """What Linux says that the CPU can do; nothing on other systems, where torch has no bf16 of the CPU's own."""
    info = Path("/proc/cpuinfo")
    flags = re.search(r"^flags\s*:(.*)", info.read_text(), re.MULTILINE) if info.exists() else None
    return set(flags[1].split()) if flags else set()


def precision_name(fabric: Fabric) -> str:
    """What `fabric` computes in, in Fabric's words, such as bf16-mixed."""
    return str(fabric.strategy.precision.precision)


def device_name(fabric: Fabric) -> str:
    """The hardware that the exact bytes of a result depend on: the GPU's name, or the CPU's number of threads.

    A CPU's threads each sum a share of a convolution, so another number of them rounds differently.
    """
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    return f"cpu, threads: {torch.get_num_threads()}"


def compile_in_place(model: nn.Module, device: torch.device) -> None:
    """Makes `model` run through torch.compile, its weights' names unchanged; raises UserError where that cannot work.

    Only this object is compiled, not its deep copies. So the averaged model that is validated, and the model that
    predict loads, run without torch.compile.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(2, device=device))
    except Exception as error:  # each part of the tool chain has its own errors
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"params.yaml: compute.compile: torch.compile does not work on this machine ({reason}); install a C++ "
            "compiler such as g++ and Python's headers, or set it to false"
        ) from error
    model.compile()


@contextmanager
def explain_out_of_memory(keys: str) -> Iterator[None]:
    """Within it, a device that runs out of memory raises UserError that says to change `keys` of params.yaml."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(f"params.yaml: the device has too little memory for this run; {keys}") from None
