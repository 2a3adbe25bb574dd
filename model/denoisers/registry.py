"""Which denoisers there are, and their options. Networks load with torch, inside the functions that build them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.config import Options
from core.errors import InvalidConfig
from core.protocols import Part
from model.sentences import Sentences, sentences

if TYPE_CHECKING:
    from torch import nn

    from model.denoisers.conditioning import Condition, Kind


LEVELS = 50  # as model.diffusion.STEPS, which only torch can be asked for


@dataclass(frozen=True)
class Design:
    """What a denoiser needs of the representation, and how its network is made.

    Attributes:
        components: of the linear latent; 0 for frames.
        whitening: see :meth:`model.representation.Representation.fit`.
        levels: of noise.
        network: ``(shape of one sample, number of classes) -> torch module`` with ``forward(x, t, y)``:
            x (N, *shape) noisy, t (N,) in 0..levels-1, y as :class:`model.denoisers.conditioning.Condition` takes it
            -> clean x.
        condition: what the network is told.
        sentences: what reads them to it, where it is told text.
    """

    components: int
    whitening: float
    levels: int
    network: "Callable[[tuple[int, ...], int], nn.Module]"
    condition: "Kind" = "class"
    sentences: Sentences | None = None


class DenoiserOptions(Options):
    """What all denoisers can be told. Defaults are left out of what is stored: they came later than the models."""

    levels: int = Field(
        LEVELS, ge=2, le=10_000, exclude_if=lambda levels: levels == LEVELS, title="Noise levels",
        description="From almost clean to almost noise; the papers train with 1000.",
    )  # fmt: skip
    condition: Literal["class", "text", "none"] = Field(
        "class", title="Condition", exclude_if=lambda kind: kind == "class",
        description="What the model is told: the class; a caption of the data, read by a frozen sentence encoder; or "
        "nothing (its samples then belong to no class).",
    )  # fmt: skip
    encoder: Literal["minilm", "clip", "words"] = Field(
        "minilm", title="Sentence encoder", exclude_if=lambda kind: kind == "minilm",
        description="For text: MiniLM (the extra 'text'), CLIP from a folder, or hashed words, which need no weights.",
    )  # fmt: skip
    path: str = Field(
        "", title="CLIP folder", exclude_if=lambda path: not path,
        description="Folder on the server with config.json, *.safetensors and tokenizer.json, for the encoder clip.",
    )  # fmt: skip

    def read_by(self) -> Sentences | None:
        """The encoder, where the network is told text.

        Raises:
            InvalidConfig, DataMissing: as :func:`model.sentences.sentences`.
        """
        return sentences(self.encoder, self.path) if self.condition == "text" else None


class LatentMlpOptions(DenoiserOptions):
    components: int = Field(
        128, ge=8, le=2048, title="Components", description="Principal components of a window that are modelled."
    )
    whitening: float = Field(
        0.25, ge=0, le=1, title="Whitening", description="0 keeps the components' proportions, 1 makes them equal."
    )
    width: int = Field(256, ge=16, le=4096, title="Width")
    layers: int = Field(4, ge=1, le=32, title="Layers")


class TransformerOptions(DenoiserOptions):
    width: int = Field(128, ge=16, le=2048, title="Width")
    layers: int = Field(4, ge=1, le=32, title="Layers")
    heads: int = Field(4, ge=1, le=32, title="Heads", description="Must divide the width.")
    patch: int = Field(4, ge=1, le=40, title="Frames per token", description="Must divide the frames of a window.")
    dropout: float = Field(
        0.0, ge=0, lt=1, exclude_if=lambda share: share == 0, title="Dropout", description="While training; MDM: 0.1."
    )


def _condition(options: DenoiserOptions, reader: Sentences | None, classes: int, width: int) -> "Condition":
    from model.denoisers.conditioning import Condition

    return Condition(reader.width if reader else classes, width, options.condition, options.levels)


def _latent_mlp(options: LatentMlpOptions) -> Design:
    reader = options.read_by()

    def network(shape: tuple[int, ...], classes: int) -> "nn.Module":
        from model.denoisers.latent_mlp import LatentMlp

        condition = _condition(options, reader, classes, options.width)
        return LatentMlp(shape[0], condition, options.width, options.layers)

    return Design(options.components, options.whitening, options.levels, network, options.condition, reader)


def _transformer(options: TransformerOptions) -> Design:
    if options.width % options.heads:
        raise InvalidConfig(
            f"{options.heads} heads do not divide a width of {options.width}.",
            "Choose a width that is a multiple of the heads.",
            "model.options.heads",
        )
    reader = options.read_by()

    def network(shape: tuple[int, ...], classes: int) -> "nn.Module":
        from model.denoisers.transformer import MotionTransformer

        if shape[0] % options.patch:
            raise InvalidConfig(
                f"{options.patch} frames per token do not divide windows of {shape[0]} frames.",
                "Choose a divisor of the window's frames.",
                "model.options.patch",
            )
        condition = _condition(options, reader, classes, options.width)
        return MotionTransformer(
            shape, condition, options.width, options.layers, options.heads, options.patch, options.dropout
        )

    return Design(0, 0.0, options.levels, network, options.condition, reader)


MODELS: dict[str, Part] = {
    "latent-mlp": Part(
        "Latent MLP",
        "Diffusion in a linear latent of whole windows by a residual MLP: minutes on a CPU.",
        LatentMlpOptions,
        _latent_mlp,
    ),
    "transformer": Part(
        "Motion transformer",
        "Transformer encoder on frames, for a GPU and paper-sized runs; as large as MDM (Tevet et al. 2023) with width "
        "512, 8 layers, 4 heads, 1 frame per token, dropout 0.1 and 1000 noise levels.",
        TransformerOptions,
        _transformer,
    ),
}
