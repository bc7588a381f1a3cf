"""Where the arithmetic happens: device, precision and determinism, by Lightning Fabric."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import nn

from src.stage import Section, UserError


class ComputeParams(Section):
    """The block `compute` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"]
    devices: Annotated[int, Field(ge=1)]
    num_nodes: Annotated[int, Field(ge=1)]
    precision: Literal["auto", "32-true", "bf16-mixed"]
    compile: bool
    deterministic: bool

    @property
    def on_one_device(self) -> "ComputeParams":
        """The same, for work that takes seconds and is not spread over devices."""
        return self.model_copy(update={"devices": 1, "num_nodes": 1})


def launch(params: ComputeParams) -> Fabric:
    """A launched Fabric; raises UserError for a device that this machine does not have.

    `device: auto` takes a CUDA GPU, else the CPU; `precision: auto` takes bf16 where a GPU has it in hardware, else 32
    bits, which on the CPUs measured was as fast for the small models that one trains there.
    """
    device = params.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: compute.device: this machine has no cuda; set it to auto or cpu")
    if device == "cuda" and params.devices > torch.cuda.device_count():
        raise UserError(f"params.yaml: compute.devices: {params.devices} asked for, {torch.cuda.device_count()} here")
    precision = params.precision
    if precision == "auto":
        native = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16-mixed" if native else "32-true"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(params.deterministic)
    torch.backends.cudnn.benchmark = not params.deterministic
    fabric = Fabric(accelerator=device, devices=params.devices, num_nodes=params.num_nodes, precision=precision)
    fabric.launch()
    return fabric


def device_name(fabric: Fabric) -> str:
    """What computes, as far as the bytes depend on it: the GPU's name, or the CPU's number of threads.

    A CPU's threads each sum a share of a convolution, so another number of them rounds differently.
    """
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    return f"cpu, threads: {torch.get_num_threads()}"


def compile_in_place(model: nn.Module, device: torch.device) -> None:
    """Makes `model` run through torch.compile, its weights' names unchanged; raises UserError where that cannot work.

    A copy of the model is not compiled: the average that is validated, and what predict loads, run as they are.
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
