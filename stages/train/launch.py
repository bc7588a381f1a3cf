"""Starts a training on its devices, by Lightning Fabric, and says what they are."""

import logging

import torch
from lightning_fabric import Fabric
from torch import nn

from src.compute import ComputeParams, configure_torch, free_gpu
from src.errors import UserError, end_with_parent


def launch(params: ComputeParams) -> Fabric:
    """A launched Fabric; raises UserError for devices that this machine does not have or cannot use.

    One GPU is one that this process has to itself, for which it may have to wait. Several are the first
    `params.devices`, whoever else uses them.
    """
    device, precision = configure_torch(params)
    devices: int | list[int] = params.devices
    if device == "cuda" and params.devices == 1:
        devices = [free_gpu()]
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # or each training says which precision it takes
    fabric = Fabric(accelerator=device, devices=devices, precision=precision)
    fabric.launch()
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)  # after the launch, where Fabric shares the cores out
    if not fabric.is_global_zero:
        end_with_parent()
    return fabric


def precision_name(fabric: Fabric) -> str:
    """What `fabric` computes in, in Fabric's words, such as bf16-mixed."""
    return str(fabric.strategy.precision.precision)


def device_name(fabric: Fabric) -> str:
    """The hardware that the exact bytes of a result depend on: the GPU's name, or the CPU's number of threads, which
    each sum a share of a convolution, and so round differently."""
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
