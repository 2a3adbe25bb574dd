"""Every denoiser keeps the same interface."""

import subprocess
import sys

import pytest
import torch

from core.config import parse
from core.errors import InvalidConfig
from model.denoisers import MODELS
from model.denoisers.registry import Design
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


def test_the_registries_load_without_torch_or_scipy() -> None:
    code = (
        "import sys, model.denoisers, model.domains, model.metrics, model.datasets.registry;"
        "sys.exit(', '.join({'torch', 'scipy', 'pybullet', 'sklearn'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
