"""Every denoiser keeps the same interface."""

import subprocess
import sys

import pytest
import torch

from core.config import parse
from core.errors import InvalidConfig
from model.denoisers import MODELS
from model.denoisers.conditioning import Condition
from model.denoisers.registry import Design
from model.denoisers.transformer import MotionTransformer
from model.diffusion import STEPS

SMALL = {"latent-mlp": {"width": 32, "layers": 2}, "transformer": {"width": 32, "layers": 1, "patch": 4}}


@pytest.mark.parametrize("kind", MODELS)
def test_shape_condition_and_gradient(kind: str) -> None:
    part = MODELS[kind]
    design: Design = part.build(parse(part.options, SMALL[kind]))
    shape = (24,) if design.components else (40, 12)
    torch.manual_seed(0)
    network = design.network(shape, 5)
    x, t = torch.randn(3, *shape), torch.tensor([0, 10, STEPS - 1])
    found = network(x, t, torch.tensor([0, 4, 5]))
    assert found.shape == x.shape
    assert not torch.allclose(found, network(x, t, torch.tensor([1, 3, 0])))
    assert not torch.allclose(found, network(x, t.flip(0), torch.tensor([0, 4, 5])))
    found.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("kind", MODELS)
def test_rows_do_not_see_each_other(kind: str) -> None:
    part = MODELS[kind]
    design: Design = part.build(parse(part.options, SMALL[kind]))
    shape = (24,) if design.components else (40, 12)
    network = design.network(shape, 5).eval()
    x, t, y = torch.randn(4, *shape), torch.arange(4), torch.arange(4)
    torch.testing.assert_close(network(x, t, y)[1:3], network(x[1:3], t[1:3], y[1:3]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"), [({"heads": 3}, "3 heads do not divide"), ({"patch": 7}, "7 frames per token")]
)
def test_options_that_do_not_fit_are_refused(options: dict[str, int], words: str) -> None:
    part = MODELS["transformer"]
    with pytest.raises(InvalidConfig, match=words):
        part.build(parse(part.options, options)).network((40, 12), 5)


@pytest.mark.parametrize("kind", MODELS)
def test_a_thousand_noise_levels_are_an_option(kind: str) -> None:
    part = MODELS[kind]
    design: Design = part.build(parse(part.options, {**SMALL[kind], "levels": 1000}))
    shape = (24,) if design.components else (40, 12)
    network, x, y = design.network(shape, 5), torch.randn(2, *shape), torch.zeros(2).long()
    assert design.levels == 1000
    assert not torch.allclose(network(x, torch.tensor([998, 1]), y), network(x, torch.tensor([999, 0]), y))
    plain = part.options()
    assert plain.model_dump().keys().isdisjoint({"levels", "dropout"})  # configs from before keep their digest
    assert part.build(plain).levels == STEPS


def small_transformer(layers: int = 2, dropout: float = 0.0) -> MotionTransformer:
    torch.manual_seed(0)
    return MotionTransformer((24, 6), Condition(5, 16), 16, layers, heads=2, patch=4, dropout=dropout)


@pytest.fixture
def transformer() -> MotionTransformer:
    return small_transformer().eval()


def test_what_pads_a_short_motion_changes_nothing(transformer: MotionTransformer) -> None:
    """Frames that are not there are neither seen nor given; cut off or masked, the rest comes out the same."""
    x, t, y = torch.randn(2, 24, 6), torch.tensor([3, 40]), torch.tensor([0, 2])
    present = torch.arange(24) < torch.tensor([[16], [10]])
    found = transformer(x, t, y, present)
    noisy = x.masked_fill(~present[..., None], float("nan"))
    assert torch.equal(transformer(noisy, t, y, present), found)
    assert (found[~present] == 0).all()
    torch.testing.assert_close(found[:1, :16], transformer(x[:1, :16], t[:1], y[:1]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(transformer(x, t, y, torch.ones(2, 24) > 0), transformer(x, t, y), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[:1, :16], transformer(x, t, y)[:1, :16])


def test_attention_is_the_textbooks(transformer: MotionTransformer) -> None:
    """The fused kernel gives softmax(q k^T / sqrt(d)) v."""
    x, t, y = torch.randn(2, 24, 6), torch.tensor([3, 40]), torch.tensor([0, 2])
    fused = transformer(x, t, y)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        torch.testing.assert_close(transformer(x, t, y), fused, atol=1e-5, rtol=1e-4)


def test_dropout_drops_in_training_only() -> None:
    network = small_transformer(layers=1, dropout=0.5)
    x, t, y = torch.randn(2, 24, 6), torch.tensor([3, 40]), torch.tensor([0, 2])
    assert not torch.equal(network.train()(x, t, y), network(x, t, y))
    assert torch.equal(network.eval()(x, t, y), network(x, t, y))


def test_the_transformer_can_be_mdms() -> None:
    """Tevet et al. 2023: 8 layers, 512 wide, 4 heads, feed-forward 1024, up to 196 frames."""
    mdm = {"width": 512, "layers": 8, "heads": 4, "patch": 1, "dropout": 0.1, "levels": 1000}
    part = MODELS["transformer"]
    network = part.build(parse(part.options, mdm)).network((196, 61), 5)
    assert network.blocks[0].up.out_features == 1024
    found = network(torch.randn(1, 196, 61), torch.tensor([999]), torch.tensor([0]))
    assert found.shape == (1, 196, 61)


def test_the_registries_load_without_torch_or_scipy() -> None:
    code = (
        "import sys, model.denoisers, model.domains, model.metrics, model.datasets.registry;"
        "sys.exit(', '.join({'torch', 'scipy', 'pybullet', 'sklearn', 'diffusers'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
