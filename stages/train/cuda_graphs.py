"""Forward and backward pass as CUDA graphs: recorded once, then started by one call instead of a thousand.

Otherwise the CPU starts each kernel of each layer, and a fast GPU waits for it: on an H200 a step of full-width u2net
took 75 ms without and 40 ms with them.
"""

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor

from src.compute import HALF
from src.errors import UserError
from src.models.blocks import Logits, SegmentationModel
from stages.train.launch import precision_name

# How far the outputs and the gradient may be from the plain ones, in size. Their directions say nothing: where kernels
# round differently, a deep network in 16 bits soon has another gradient. That of u2net on noise is at right angles to
# the one in 32 bits, and within 2 % as long.
APART = 0.25


def record_graphs(fabric: Fabric, model: SegmentationModel, shape: tuple[int, int, int, int]) -> None:
    """Makes `model`, in train mode, run as graphs from now on, for batches of uint8 photos of exactly `shape`.

    In eval mode it runs as before; graphs of another shape make way. Weights and statistics keep their values and
    their places in memory. The recorded passes are compared with the plain ones on noise; if their outputs or gradients
    are of another size, the plain ones stay, and a line says so. Raises UserError if something in the model cannot be
    recorded, such as a decision that depends on what is in a tensor.
    """
    vars(model).pop("forward", None)  # an earlier recording's
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # recording runs the model
    kind = HALF.get(precision_name(fabric))
    noise = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    photos = noise.to(fabric.device)
    plain = model.train().forward
    # Every replay must cast the weights anew, since they have changed; autocast's cache would leave the cast out.
    with torch.autocast(fabric.device.type, kind, enabled=kind is not None, cache_enabled=False):
        try:
            torch.cuda.make_graphed_callables(model, (torch.zeros_like(photos),), allow_unused_input=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(
                f"params.yaml: compute.cuda_graphs: this model cannot be recorded ({reason}); set it to false"
            ) from error
        expected, found = (magnitudes(model, forward, photos) for forward in (plain, model.forward))
    model.load_state_dict(before)
    if not ((found - expected).abs() <= APART * expected).all():
        model.forward = plain  # type: ignore[method-assign]
        fabric.print("the passes recorded as CUDA graphs give other gradients than the plain ones, which are taken")


def magnitudes(model: SegmentationModel, forward: Callable[[Tensor], Logits], photos: Tensor) -> Tensor:
    """The outputs' mean square and the norm of its gradient, float32 (2,); dropout draws alike each time."""
    torch.manual_seed(0)
    outputs = forward(photos)
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    # Enlarged, since 16 bits would round the gradient of a single pixel of a mean to nothing.
    total = 1024 * torch.stack([output.float().square().mean() for output in outputs]).sum()
    found = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    norms = [gradient.float().norm() for gradient in found if gradient is not None]
    return torch.stack([total.detach(), torch.stack(norms).norm()])
