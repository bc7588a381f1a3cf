"""Starts a training on its devices, by Lightning Fabric, and says what they are."""

import logging
import os
import sys

import torch
from lightning_fabric import Fabric
from torch import nn

from src.compute import ComputeParams, configure_torch, free_gpu
from src.errors import UserError, end_with_parent


def launch(params: ComputeParams) -> Fabric:
    """A launched Fabric; raises UserError for devices that this machine does not have or cannot use, and for several
    machines if this process was not started as one of theirs.

    One GPU is one that this process has to itself, for which it may have to wait. Several are the first
    `params.devices`, whoever else uses them.
    """
    device, precision = configure_torch(params)
    if params.num_nodes > 1:
        check_nodes(params.num_nodes)
    devices: int | list[int] = params.devices
    if device == "cuda" and params.devices == 1:
        devices = [free_gpu()]
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # or each training says which precision it takes
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
