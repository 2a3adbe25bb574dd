"""Data sets and generators of digits, and their options. torch and scikit-learn load inside what they build."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import Options
from core.policies import NoOptions
from core.protocols import Part

if TYPE_CHECKING:
    from model.digits.data import DigitData
    from model.digits.families import Family


class MnistOptions(Options):
    path: str = Field(
        "",
        title="Folder",
        description="Folder with MNIST's four IDX files (train-images-idx3-ubyte ...), gzipped or not.",
    )


class VaeOptions(Options):
    latent: int = Field(20, ge=1, le=512, title="Latent size", description="20 as in the Curse of Recursion.")
    width: int = Field(256, ge=8, le=4096, title="Width")


class DiffusionOptions(Options):
    width: int = Field(128, ge=8, le=4096, title="Width")
    layers: int = Field(3, ge=1, le=32, title="Layers")


def _digits(options: NoOptions) -> "DigitData":
    from model.digits.data import sklearn_digits

    del options
    return sklearn_digits()


def _mnist(options: MnistOptions) -> "DigitData":
    from model.digits.data import mnist

    return mnist(options.path)


def _vae(options: VaeOptions) -> "Callable[[], Family]":
    def family() -> "Family":
        from model.digits.families import vae

        return vae(options.latent, options.width)

    return family


def _diffusion(options: DiffusionOptions) -> "Callable[[], Family]":
    def family() -> "Family":
        from model.digits.families import diffusion

        return diffusion(options.width, options.layers)

    return family


DATA: dict[str, Part] = {
    "digits": Part(
        "Handwritten digits",
        "The 1,797 real digits of 8 x 8 pixels that come with scikit-learn: 1,000 to learn from, the others held out.",
        NoOptions,
        _digits,
    ),
    "mnist": Part(
        "MNIST",
        "The 70,000 digits of 28 x 28 pixels, from your copy of the files (LeCun et al. 1998).",
        MnistOptions,
        _mnist,
    ),
}

MODELS: dict[str, Part] = {
    "digits-diffusion": Part(
        "Digit diffusion",
        "Class-conditional denoising diffusion of whole images by a residual MLP.",
        DiffusionOptions,
        _diffusion,
    ),
    "digits-vae": Part(
        "Digit VAE",
        "Variational auto-encoder told the class, as in the Curse of Recursion (Shumailov et al. 2024); has no "
        "guidance and no sampler steps.",
        VaeOptions,
        _vae,
    ),
}
