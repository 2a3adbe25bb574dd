"""What differs between the generators of digits: network, loss, and how an image is drawn from noise.

Images are rows of pixels in [0, 1]; a network sees them as -1..1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import TrainingConfig
from model.denoisers.conditioning import Condition
from model.denoisers.latent_mlp import LatentMlp
from model.devices import Batch
from model.diffusion import STEPS, OnStep, add_noise, cosine_schedule, guided
from model.samplers import Solve


@dataclass(frozen=True)
class Family:
    """A kind of generator.

    Attributes:
        network: ``(pixels, classes) -> module``.
        noise: ``pixels -> `` how many normal numbers an image is drawn from.
        chances: ``(shape of x, training, source) -> `` what chance decides of a batch: tensors of N rows, on
            the source's device.
        loss: ``(network, x (N, pixels), y (N,), *chances) -> `` mean loss of a batch.
        draw: ``(network, noise (N, ...), y (N,), classes, guidance, solve, on_step) -> x (N, pixels)``.
        steps: network calls of one drawing, for a sampler of so many steps.
    """

    network: Callable[[int, int], nn.Module]
    noise: Callable[[int], int]
    chances: Callable[[tuple[int, int], TrainingConfig, torch.Generator], Batch]
    loss: Callable[..., Tensor]
    draw: Callable[[nn.Module, Tensor, Tensor, int, float, Solve, OnStep], Tensor]
    steps: Callable[[int], int]


class Vae(nn.Module):
    """Variational auto-encoder that is told the class (Kingma & Welling 2014; Sohn et al. 2015)."""

    def __init__(self, pixels: int, classes: int, latent: int, width: int) -> None:
        super().__init__()
        self.classes = classes
        self.encoder = nn.Sequential(
            nn.Linear(pixels + classes, width), nn.GELU(), nn.Linear(width, width), nn.GELU(),
            nn.Linear(width, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent + classes, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, pixels)
        )

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (N, latent) each."""
        mean, log_variance = self.encoder(torch.cat([2 * x - 1, self._one_hot(y)], dim=1)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, pixels) logits."""
        logits: Tensor = self.decoder(torch.cat([z, self._one_hot(y)], dim=1))
        return logits

    def _one_hot(self, y: Tensor) -> Tensor:
        return F.one_hot(y, self.classes).to(torch.get_default_dtype())


def vae(latent: int, width: int) -> Family:
    """Trained by the evidence lower bound with Bernoulli pixels; an image is the mean that the decoder gives."""

    def chances(shape: tuple[int, int], training: TrainingConfig, source: torch.Generator) -> Batch:
        del training
        return (torch.randn((shape[0], latent), generator=source, device=source.device),)

    def loss(network: nn.Module, x: Tensor, y: Tensor, noise: Tensor) -> Tensor:
        assert isinstance(network, Vae)
        mean, log_variance = network.encode(x, y)
        logits = network.decode(mean + torch.exp(0.5 * log_variance) * noise, y)
        pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return (pixels + divergence).mean()

    def draw(
        network: nn.Module, noise: Tensor, y: Tensor, classes: int, guidance: float, solve: Solve, on_step: OnStep
    ) -> Tensor:
        assert isinstance(network, Vae)
        del classes, guidance, solve
        x = network.decode(noise, y).sigmoid()
        on_step(1, x)
        return x

    return Family(
        lambda pixels, classes: Vae(pixels, classes, latent, width), lambda _: latent, chances, loss, draw, lambda _: 1
    )


def diffusion(width: int, layers: int) -> Family:
    """Denoising diffusion of whole images by a residual MLP, as in :mod:`model.diffusion`."""
    schedule = cosine_schedule()

    def chances(shape: tuple[int, int], training: TrainingConfig, source: torch.Generator) -> Batch:
        here = source.device
        t = torch.randint(0, STEPS, shape[:1], generator=source, device=here)
        dropped = torch.rand(shape[0], generator=source, device=here) < training.label_dropout
        return t, dropped, torch.randn(shape, generator=source, device=here)

    def loss(network: nn.Module, x: Tensor, y: Tensor, t: Tensor, dropped: Tensor, noise: Tensor) -> Tensor:
        x0 = 2 * x - 1
        noisy = add_noise(x0, noise, t, schedule.to(x.device))
        no_class = int(network.condition.label.num_embeddings) - 1  # type: ignore[union-attr, arg-type]
        return F.mse_loss(network(noisy, t, y.masked_fill(dropped, no_class)), x0)

    def draw(
        network: nn.Module, noise: Tensor, y: Tensor, classes: int, guidance: float, solve: Solve, on_step: OnStep
    ) -> Tensor:
        x = solve(guided(network, guidance, classes), noise, y, schedule.to(noise.device), on_step)
        return ((x + 1) / 2).clamp(0, 1)

    return Family(
        lambda pixels, classes: LatentMlp(pixels, Condition(classes, width), width, layers), lambda pixels: pixels,
        chances, loss, draw, lambda steps: min(steps, STEPS),
    )  # fmt: skip
