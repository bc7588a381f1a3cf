"""Every architecture keeps the contract of src/models/blocks.py; the counts and errors of each are below the class."""

import json

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

from src import models
from src.errors import UserError
from src.formats.model import load_model, save_model
from src.models.blocks import LUMA, BilinearResize, FoldEnsemble
from tests.test_training import dataset, trainer

SMALL = {
    "unet_paper": {"width": 8, "depth": 3},
    "unet": {"width": 8, "depth": 3},
    "residual_unet": {"width": 8, "depth": 3},
    "leaky_unet": {"width": 8, "depth": 3, "negative_slope": 0.2},
    "attention_unet": {"width": 8, "depth": 3},
    "unet_plus_plus": {"width": 8, "depth": 3},
    "u2net": {"width": 16, "small": True},
    "efficientnet_unet": {
        "width": 4,
        "encoder": "test_efficientnet",
        "encoder_weights": None,
        "encoder_lr_factor": 0.5,
    },
}
BATCH_NORM = {"dropout": 0.0, "batch_norm": True, "color": "rgb"}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """A machine without a network, which has downloaded nothing before."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


def make(variant, seed=0, **changes):
    torch.manual_seed(seed)
    return models.build(variant, BATCH_NORM | SMALL[variant] | changes)


def photos(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def heads(model, batch):
    """All that the model gives for `batch`; of several heads while it trains."""
    outputs = model(batch)
    return (outputs,) if isinstance(outputs, Tensor) else outputs


@torch.no_grad()
def logits(model, batch):
    output = model.eval()(batch)
    assert isinstance(output, Tensor)
    return output


def settle(model):
    """`model` with BatchNorm statistics that differ from those of any batch it is tested on."""
    model.train()
    for seed in range(3):
        model(photos(2, 3, 64, 64, seed=seed))
    return model


def colours_of_whole_greys():
    """A colour photo (1, 3, 64, 64) and its grey version, where no grey had to be rounded."""
    colours = photos(100_000, 3).long()
    colours = colours[(colours * torch.tensor(LUMA).mul(1000).round().long()).sum(dim=1) % 1000 == 0]
    colour = colours[photos(64, 64, seed=1).long() % len(colours)].permute(2, 0, 1)[None].to(torch.uint8)
    gray = (colour * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True).round().to(torch.uint8)
    return colour, gray.expand(-1, 3, -1, -1)


@pytest.mark.parametrize("variant", models.known_variants())
class TestEveryVariant:
    @pytest.mark.parametrize("size", [(64, 64), (70, 93)])
    def test_logits_have_the_photos_size(self, variant, size):
        model, batch = make(variant), photos(2, 3, *size)
        assert logits(model, batch).shape == (2, 1, *size)
        assert logits(model, batch).dtype == torch.float32
        assert [output.shape for output in heads(model.train(), batch)] == [(2, 1, *size)] * len(model.deep_supervision)
        assert sum(model.deep_supervision) == pytest.approx(1)

    def test_every_pixel_answers_to_its_own_place(self, variant):
        """A logit depends most on the photo around it: nothing is shifted, flipped or transposed."""
        model = settle(make(variant)).eval()
        batch = photos(1, 3, 70, 93).float().requires_grad_()
        for row, column in ((14, 75), (55, 18)):
            (gradient,) = torch.autograd.grad(model(batch)[0, 0, row, column], batch)
            around = F.avg_pool2d(gradient.square().sum(dim=1), 9, stride=1, padding=4)[0]
            peak = divmod(int(around.argmax()), 93)
            assert peak == pytest.approx((row, column), abs=6)

    @pytest.mark.parametrize("batch_norm", [True, False])
    def test_gradients_reach_every_parameter(self, variant, batch_norm):
        dead = None
        for seed in range(3):  # a ReLU that sleeps by chance does so for one draw of the weights; a cut wire for all
            model = make(variant, seed, batch_norm=batch_norm).train()
            target = (photos(4, 1, 64, 64, seed=1) > 128).float()
            sum((output - target).square().mean() for output in heads(model, photos(4, 3, 64, 64))).backward()
            asleep = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
            dead = asleep if dead is None else dead & asleep
        assert not dead

    def test_optimizer_is_given_every_parameter_once(self, variant):
        model = make(variant)
        given = [id(parameter) for group in model.parameter_groups(0.1) for parameter in group["params"]]
        assert sorted(given) == sorted(id(parameter) for parameter in model.parameters())

    def test_only_training_is_random_and_mixes_photos(self, variant):
        model, batch = settle(make(variant, dropout=0.3)), photos(3, 3, 64, 64, seed=9)
        together = logits(model, batch)
        assert torch.equal(together, logits(model, batch))
        alone = torch.cat([logits(model, photo[None]) for photo in batch])
        torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)
        first, second = (model.train()(batch) for _ in range(2))  # where dropout acts
        assert not torch.equal(first[0], second[0])

    def test_save_and_load_give_the_same_logits_and_fetch_no_weights(self, variant, tmp_path, offline):
        model, batch = settle(make(variant)), photos(2, 3, 70, 93)
        arguments = BATCH_NORM | SMALL[variant]
        arguments |= {"encoder_weights": "imagenet"} if "encoder_weights" in arguments else {}
        about = {"variant": variant, "arguments": arguments}
        save_model(tmp_path / "model.safetensors", [model.state_dict()], about)
        loaded, said = load_model(tmp_path / "model.safetensors")
        assert said == about
        assert not loaded.training
        assert torch.equal(logits(loaded, batch), logits(model, batch))

    def test_overfits_four_photos(self, variant):
        data = dataset(4, size=64)
        changes = {"epochs": 60, "batch_size": 4, "learning_rate": 0.01, "ema_decay": 0.9}
        assert trainer(make(variant), train=data, val=data, **changes).fit().dice > 0.95

    def test_gray_model_sees_no_colour(self, variant):
        colour, gray = colours_of_whole_greys()
        assert not torch.equal(colour, gray)
        model = settle(make(variant, color="gray"))
        torch.testing.assert_close(logits(model, gray), logits(model, colour), rtol=1e-3, atol=1e-4)
        model = settle(make(variant, color="rgb"))
        assert not torch.allclose(logits(model, gray), logits(model, colour), atol=1e-2)


class Constant(nn.Module):
    def __init__(self, logit):
        super().__init__()
        self.logit = logit

    def forward(self, photos):
        return torch.full((len(photos), 1, 1, 1), self.logit)


@pytest.mark.parametrize(
    ("members", "expected"), [([2.0], 2.0), ([2.0, -1.0], 0.3017), ([99.0, 99.0], 13.82), ([-99.0, -99.0], -13.82)]
)
def test_folds_predict_their_mean_probability(members, expected):
    found = FoldEnsemble([Constant(logit) for logit in members])(photos(1, 3, 1, 1))
    assert found.item() == pytest.approx(expected, rel=0.005)


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def operations(output):
    """The names of all that was recorded for the backward pass of `output`."""
    names, ahead, seen = set(), [output.grad_fn], set()
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.add(node.name())
            ahead.extend(following for following, _ in node.next_functions)
    return names


def resized_with_gradient(resize, x, size, beside):
    """`x` resized, and its gradient when the result is joined to `beside`, as a skip connection is."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    result = resize(x, *size)
    joined = torch.cat([result, beside], dim=1)
    weights = torch.randn(joined.shape, generator=torch.Generator().manual_seed(1))
    weights = weights.to(joined.dtype).contiguous(memory_format=torch.channels_last)
    return result.detach(), torch.autograd.grad(joined, x, weights)[0]


def native(x, height, width):
    return F.interpolate(x, size=(height, width), mode="bilinear")


class TestResize:
    def batch(self, channels, size):
        x = torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0))
        return x.contiguous(memory_format=torch.channels_last)

    @pytest.mark.parametrize("size", [(8, 12), (2, 3), (5, 7), (13, 10), (1, 5)])
    @pytest.mark.parametrize("new", [(16, 24), (64, 96), (13, 9), (5, 7), (11, 4)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_numbers_and_gradients_are_those_of_interpolate(self, channels, size, new):
        x, beside = self.batch(channels, size), self.batch(channels, new)
        expected = resized_with_gradient(native, x, new, beside)
        result = resized_with_gradient(BilinearResize.apply, x, new, beside)
        for ours, theirs in zip(result, expected, strict=True):
            size_of_sums = max(1.0, theirs.abs().max().item())  # thousands of numbers, which cancel in places
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * size_of_sums)
            assert ours.is_contiguous(memory_format=torch.channels_last)

    def test_gradient_of_other_layouts(self):
        x = torch.randn(2, 3, 5, 4, dtype=torch.float64).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: BilinearResize.apply(x, 7, 9), [x])
        BilinearResize.apply(x, 7, 9).sum().backward()  # one number, seen from everywhere
        assert x.grad.sum().item() == pytest.approx(2 * 3 * 7 * 9)

    def test_half_precision(self):
        x, beside = self.batch(3, (4, 4)), self.batch(3, (64, 64))
        expected = resized_with_gradient(native, x.bfloat16().float(), (64, 64), beside)
        result = resized_with_gradient(BilinearResize.apply, x.bfloat16(), (64, 64), beside.bfloat16())
        for ours, theirs in zip(result, expected, strict=True):
            assert ours.dtype == torch.bfloat16
            torch.testing.assert_close(ours.float(), theirs, rtol=0.01, atol=0.01 * theirs.std().item())

    @pytest.mark.filterwarnings("error:Dynamo")
    @pytest.mark.parametrize("compiled", [True, False])
    def test_it_compiles_in_one_piece_and_trains_after_inference_mode(self, compiled):
        resize, x, beside = BilinearResize.apply, self.batch(3, (9, 9)), self.batch(3, (17, 17))
        with torch.inference_mode():
            resize(x, 17, 17)
        if compiled:
            resize = torch.compile(resize, fullgraph=True, backend="aot_eager")
        expected = resized_with_gradient(native, x, (17, 17), beside)
        torch.testing.assert_close(resized_with_gradient(resize, x, (17, 17), beside), expected)

    @pytest.mark.parametrize("variant", models.known_variants())
    def test_no_variant_gathers_on_a_deterministic_gpu(self, variant, deterministic):
        with FakeTensorMode(), torch.device("cuda"):  # shapes alone: no GPU is needed
            recorded = operations(torch.cat(heads(make(variant).train(), torch.empty(2, 3, 64, 64, dtype=torch.uint8))))
        assert not {name for name in recorded if "Index" in name or "Upsample" in name} - {"UpsampleNearest2DBackward0"}
        assert ("BilinearResizeBackward" in recorded) == (variant in ("u2net", "attention_unet"))


PLAIN_GRAY = {"dropout": 0.0, "batch_norm": False, "color": "gray"}
UNET = 31_037_633  # milesial/Pytorch-UNet, UNet(n_channels=3, n_classes=1)


@pytest.mark.parametrize(
    ("variant", "arguments", "expected"),
    [
        # Ronneberger et al. 2015, figure 1: 31,030,658 with two output channels; one fewer is 64 weights and a bias.
        pytest.param("unet_paper", {"width": 64, "depth": 4} | PLAIN_GRAY, 31_030_658 - 65, id="unet_paper"),
        pytest.param("unet", {"width": 64, "depth": 4} | BATCH_NORM, UNET, id="unet"),
        pytest.param(
            "leaky_unet", {"width": 64, "depth": 4, "negative_slope": 0.2} | BATCH_NORM, UNET, id="leaky_unet"
        ),
        # The 1 x 1 shortcuts, nine with a BatchNorm each.
        pytest.param(
            "residual_unet",
            {"width": 64, "depth": 4} | BATCH_NORM,
            UNET
            + sum(i * o for i, o in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)))
            + sum(2 * o * o for o in (512, 256, 128, 64))
            + 2 * (1024 + 2 * (512 + 256 + 128 + 64)),
            id="residual_unet",
        ),
        # LeeJunHyun/Image_Segmentation, AttU_Net: its four gates replaced by the paper's three, less redundant biases.
        pytest.param(
            "attention_unet",
            {"width": 64, "depth": 4} | BATCH_NORM,
            34_878_573
            - sum(w * w + 3 * w + w // 2 + 3 for w in (64, 128, 256, 512))
            + sum(3 * w * w // 2 + w + 1 for w in (128, 256, 512))
            - 6_848,
            id="attention_unet",
        ),
        # MrGiovanni/UNetPlusPlus, Nest_Net, states 9,041,601; deep supervision adds three heads.
        pytest.param("unet_plus_plus", {"width": 32, "depth": 4} | PLAIN_GRAY, 9_041_601 + 3 * 33, id="unet_plus_plus"),
        # xuebinqin/U-2-Net, U2NET and U2NETP, less redundant biases.
        pytest.param("u2net", {"width": 64, "small": False} | BATCH_NORM, 44_009_869 - 14_400, id="u2net"),
        pytest.param("u2net", {"width": 64, "small": True} | BATCH_NORM, 1_131_181 - 2_848, id="u2netp"),
        # segmentation_models_pytorch, Unet("efficientnet-b4"), less the convolution and BatchNorm that it never calls.
        pytest.param(
            "efficientnet_unet",
            {"width": 16, "encoder": "efficientnet-b4", "encoder_weights": None, "encoder_lr_factor": 1.0} | BATCH_NORM,
            20_225_689 - 448 * 1792 - 2 * 1792,
            id="efficientnet_unet",
        ),
    ],
)
def test_parameters_at_full_width(variant, arguments, expected):
    with torch.device("meta"):
        model = models.build(variant, arguments)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_paper_unet_mirrors_and_crops_in_place():
    """Identity convolutions through the paper's unpadded U-Net give back the photo, pixel for pixel."""
    model = make("unet_paper", batch_norm=False, color="gray", depth=2, width=2)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    for block in (model.net.encoder[0], model.net.decoder[-1]):
        for conv in (layer for layer in block.modules() if isinstance(layer, nn.Conv2d)):
            conv.weight.data[0, 0, 1, 1] = 1
    model.net.head.weight.data[0, 0] = 1
    batch = photos(1, 3, 37, 50)
    gray = (batch * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    gray = (gray - model.mean.mean()) / model.std.mean()
    torch.testing.assert_close(logits(model, batch), gray.relu())


class TestEfficientNet:
    def file(self, folder, encoder="test_efficientnet"):
        torch.manual_seed(5)
        weights = timm.create_model(encoder).state_dict()
        save_file(weights, folder / "encoder.safetensors")
        return folder / "encoder.safetensors", weights

    def test_starts_from_a_file_and_sees_a_grey_photo_alike_in_gray_and_rgb(self, tmp_path):
        path, weights = self.file(tmp_path)
        spread, features = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)), []
        for color in ("gray", "rgb"):
            model = make("efficientnet_unet", color=color).eval()
            model.load_encoder(path)
            features.append(model.encoder(spread.expand(-1, model.channels, -1, -1))[-1])
        torch.testing.assert_close(*features, rtol=1e-3, atol=1e-4)
        encoder = model.encoder.model.state_dict()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in encoder.items())

    def test_encoders_mean_and_std(self):
        model = make("efficientnet_unet", encoder="tf_efficientnet_lite0")  # trained on (photo - 0.5) / 0.5
        assert model.mean.flatten().tolist() == model.std.flatten().tolist() == [127.5] * 3

    @pytest.mark.parametrize("encoder", ["mit_b0", "pvt_v2_b0"])  # smp's own, and timm's
    def test_a_transformer_learns_as_a_convolutional_encoder_does(self, encoder):
        model = make("efficientnet_unet", encoder=encoder).train()
        optimizer = torch.optim.AdamW(model.parameter_groups(0.001))
        batch, losses = photos(2, 3, 64, 48), []
        for _ in range(4):
            optimizer.zero_grad()
            output = model(batch)
            losses.append(F.binary_cross_entropy_with_logits(output, (batch[:, :1] > 127).float()))
            losses[-1].backward()
            assert all(parameter.grad is not None for parameter in model.parameters())
            optimizer.step()
        assert output.shape == (2, 1, 64, 48)
        assert losses[-1] < losses[0]

    def test_a_size_that_a_transformer_does_not_take_is_one_line(self):
        model = make("efficientnet_unet", encoder="swin_tiny_patch4_window7_224")
        assert model.forward_normalised(torch.zeros(1, 3, 224, 224)).shape == (1, 1, 224, 224)
        with pytest.raises(UserError, match=r"image_size does not suit efficientnet_unet.encoder: .*\(224\)") as error:
            model(photos(1, 3, 96, 96))
        assert "\n" not in str(error.value)

    def test_encoders_learning_rate(self):
        model = make("efficientnet_unet", encoder_lr_factor=0.1)
        decoder, encoder = model.parameter_groups(0.5)
        assert (decoder["lr"], encoder["lr"]) == (0.5, pytest.approx(0.05))
        assert {id(p) for p in encoder["params"]} == {id(p) for p in model.encoder.parameters()}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"encoder": "efficientnet-b9"}, "did you mean efficientnet-b"),
            ({"encoder": "vit_base_patch16_224"}, "does not give features at 1/4 to 1/32"),
            ({"encoder_weights": "my.safetensors"}, "to start from a file, write start: my.safetensors"),
            *(
                ({"encoder": name, "encoder_weights": "imagenet"}, "could not be downloaded .* set it to null")
                for name in ("efficientnet-b0", "test_efficientnet")
            ),
        ],
    )
    def test_mistakes(self, changes, message, offline):
        with pytest.raises(UserError, match=message) as error:
            make("efficientnet_unet", **changes)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("encoder", "file", "message"),
        [
            ("efficientnet-b0", "encoder", "such as tf_efficientnet_b0"),
            ("tf_efficientnet_lite0", "encoder", "conv_stem.weight is .* needed"),
            ("resnet10t", "encoder", "conv1.0.weight is missing, .* needed"),
            ("test_efficientnet", "text", "text.safetensors is not a whole safetensors file"),
        ],
    )
    def test_files_that_do_not_fit(self, encoder, file, message, tmp_path):
        self.file(tmp_path)
        (tmp_path / "text.safetensors").write_text(json.dumps({"weights": None}))
        with pytest.raises(UserError, match=message) as error:
            make("efficientnet_unet", encoder=encoder).load_encoder(tmp_path / f"{file}.safetensors")
        assert "\n" not in str(error.value)
