"""Where the arithmetic happens: device, precision and determinism."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field

from src.errors import UserError
from src.gpus import take_gpu
from src.params import Section
from src.portable import cpu_flags

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
torch.backends.cudnn.allow_tf32 = False  # 32 bits are 32 bits: TF32 would keep 10 of the 23 behind the point
HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
CPU_BF16 = {"avx512_bf16", "amx_bf16"}  # either multiplies bf16 in hardware


class ComputeParams(Section):
    """The block `compute` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"]
    devices: Annotated[int, Field(ge=1, le=64)]
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    precision: Literal["auto"] | Precision
    cuda_graphs: bool
    compile: bool
    deterministic: bool
    portable: bool
    checkpoint_seconds: Annotated[float, Field(ge=0, le=86400)]


class Runtime(NamedTuple):
    """A device, and the precision in which it computes."""

    device: torch.device
    precision: str = "32-true"  # in Fabric's words

    def autocast(self) -> AbstractContextManager[object]:
        """Within it, what is safe in 16 bits is computed in them, if `precision` says so."""
        kind = HALF.get(self.precision)
        return torch.autocast(self.device.type, dtype=kind) if kind else nullcontext()


def one_device(params: ComputeParams) -> Runtime:
    """The device for work that takes seconds and is not spread over several, whatever `params.devices` says.

    A GPU is one that this process has to itself, for which it may have to wait. Raises UserError like configure_torch.
    """
    kind, precision = configure_torch(params.model_copy(update={"devices": 1}))
    if kind == "cpu":
        if params.threads:
            torch.set_num_threads(params.threads)
        return Runtime(torch.device(kind), precision)
    device = torch.device(kind, free_gpu())  # with its number: each thread has a current GPU of its own
    torch.cuda.set_device(device)
    return Runtime(device, precision)


def configure_torch(params: ComputeParams) -> tuple[Literal["cpu", "cuda"], Precision]:
    """The kind of device and the precision that `params` means, with torch as deterministic as it asks for.

    `device: auto` takes a CUDA GPU, else the CPU. `precision: auto` takes what that has in hardware: bf16 (GPUs from
    Ampere on, CPUs with AVX512_BF16 or AMX), else fp16 with a gradient scaler (Volta and Turing, such as a T4), else 32
    bits; a CPU with `portable` takes 32 bits, as each kind multiplies bf16 in its own way. Raises UserError for devices
    that this machine does not have or cannot use.
    """
    device = find_device(params)
    best = "32-true" if device == "cpu" and params.portable else best_precision(device)
    precision = best if params.precision == "auto" else params.precision
    if precision == "16-mixed" and device == "cpu":
        raise UserError("params.yaml: compute.precision: 16-mixed needs a GPU; set it to auto or 32-true")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(params.deterministic)
    # Otherwise every new tensor is first filled with NaN, a kernel each, which only helps to find uses of unset memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not params.deterministic
    return device, precision


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


def best_precision(device: str) -> Precision:
    """The fastest precision that trains well on `device`; of several visible GPUs, the least able decides."""
    if device == "cpu":
        return "bf16-mixed" if cpu_flags() & CPU_BF16 else "32-true"
    capability = min(torch.cuda.get_device_capability(number) for number in range(torch.cuda.device_count()))
    if capability >= (8, 0):
        return "bf16-mixed"
    return "16-mixed" if capability >= (7, 0) else "32-true"


@contextmanager
def explain_out_of_memory(keys: str) -> Iterator[None]:
    """Within it, a device that runs out of memory raises UserError that says to change `keys` of params.yaml."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(f"params.yaml: the device has too little memory for this run; {keys}") from None
