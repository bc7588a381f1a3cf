"""What the benchmarks count."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.network import determinism, operations


def there_and_back(layer, channels=8):
    """Forward and backward of `layer`, its photo's gradient included."""
    images = torch.randn(2, channels, 16, 16, requires_grad=True)
    return lambda: layer(images).sum().backward()


def test_a_grouped_convolution_takes_a_share_of_a_dense_ones_operations():
    dense = operations(there_and_back(nn.Conv2d(8, 8, 3, padding=1)))
    assert dense == 3 * 2 * 2 * 16 * 16 * 8 * 8 * 9
    assert operations(there_and_back(nn.Conv2d(8, 8, 3, padding=1, groups=4))) == dense / 4
    assert operations(there_and_back(nn.Conv2d(8, 8, 3, padding=1, groups=8))) == dense / 8


def test_where_torch_counts_right_ours_is_the_same():
    for layer in (nn.Conv2d(8, 4, 3, stride=2), nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 1, 1)):
        with FlopCounterMode(display=False) as counter:
            there_and_back(layer)()
        assert operations(there_and_back(layer)) == counter.get_total_flops()


def test_determinism_is_as_it_was_afterwards():
    before = torch.are_deterministic_algorithms_enabled()
    with determinism(not before):
        assert torch.are_deterministic_algorithms_enabled() != before
    assert torch.are_deterministic_algorithms_enabled() == before
