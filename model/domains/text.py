"""Text in blocks of tokens, continued from real prompts."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import LoopConfig, Options, digest, parse
from core.draws import Draws
from core.errors import InvalidConfig
from core.policies import NoOptions
from core.protocols import DomainPart, Evaluator, Generator, Labels, Memo, Part, Tick, silent
from model.domains.parts import part_of
from model.text.corpus import Corpus, corpus_of
from model.text.documents import Document, documents_of
from model.text.folder import Pretrained, pretrained
from model.text.metrics import METRICS, overlap_distance

if TYPE_CHECKING:
    from model.text.generator import CausalGenerator
    from model.text.judge import TextEvaluator

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class CorpusOptions(Options):
    path: str = Field(
        "", title="Text file",
        description="A .txt file on the server, in UTF-8; empty = Python's own documentation topics.",
    )  # fmt: skip
    length: int = Field(64, ge=8, le=512, title="Tokens per block", description="L, of samples and real blocks alike.")
    vocabulary: int = Field(
        1024, ge=64, le=16384, title="Vocabulary",
        description="Pieces learned from the training text by byte-pair encoding; a pre-trained model brings its own.",
    )  # fmt: skip


class CausalOptions(Options):
    path: str = Field(
        "", title="Pre-trained model",
        description="Folder on the server with config.json, *.safetensors and the tokenizer, such as OPT-125m's; "
        "empty = random weights of the sizes below.",
    )  # fmt: skip
    width: int = Field(96, ge=16, le=2048, title="Width")
    layers: int = Field(2, ge=1, le=48, title="Layers")
    heads: int = Field(4, ge=1, le=32, title="Heads", description="Must divide the width.")
    dropout: float = Field(0.1, ge=0, lt=1, title="Dropout")
    prompt: int = Field(
        16, ge=1, le=512, title="Prompt",
        description="Real tokens before a block that its sample continues; at most a block.",
    )  # fmt: skip
    temperature: float = Field(
        0.9, gt=0, le=5, title="Temperature",
        description="Of sampling; 1 = as learned, less = safer. At 0.9 texts of generation 0 are about as probable as "
        "real ones.",
    )  # fmt: skip
    top_k: int = Field(0, ge=0, le=100_000, title="Top k", description="Sample from the k likeliest; 0 = from all.")
    beams: int = Field(
        1, ge=1, le=16, title="Beams",
        description="1 = sampling; more = beam search, which draws nothing by chance (Shumailov et al.: 5).",
    )  # fmt: skip


class TextDomain:
    """Implements :class:`core.protocols.Domain`; labels are indices of training blocks, whose prompts they name."""

    def __init__(
        self, config: LoopConfig, corpus: Corpus, options: CausalOptions, source: Pretrained | None, device: str
    ) -> None:
        self.corpus = corpus
        self.class_names = corpus.train.names
        self.digest = digest(["text", VERSION, corpus.digest, source.digest if source else ""])
        self._config, self._options, self._source, self._device = config, options, source, device
        self._generator: CausalGenerator | None = None
        self._evaluator: TextEvaluator | None = None

    def real(self, count: int) -> Draws:
        """The first ``count`` training blocks, in an order that mixes the documents.

        Raises:
            InvalidConfig: when there are fewer.
        """
        return self._blocks(0, count, "n")

    def fresh_real(self, count: int, generation: int) -> Draws:
        """Blocks that come after those of all generations before.

        Raises:
            InvalidConfig: when there are no more.
        """
        return self._blocks(self._config.n + (generation - 1) * count, count, "generations")

    def distance(self, samples: Draws, others: Draws) -> NDArray[np.float64]:
        """(N, M) how few pieces two texts have in common, 0 to 1."""
        return overlap_distance(samples.values[0], others.values[0])

    def body(self) -> dict[str, Any]:
        """The text of each id."""
        pieces = list(self.corpus.tokens.pieces)
        pieces += [""] * (_vocabulary(self.corpus, self._source) - len(pieces))
        return {"view": "text", "pieces": pieces, "class_names": list(self.class_names)}

    def generator(self) -> Generator:
        return self._causal()

    def evaluator(self, tick: Tick = silent) -> Evaluator:
        if self._evaluator is None:
            from model.text.judge import TextEvaluator

            tick(0.0, "Counting the training text")
            vocabulary = _vocabulary(self.corpus, self._source)
            self._evaluator = TextEvaluator(self.corpus, vocabulary, self._options.prompt, self._causal())
        return self._evaluator

    def _causal(self) -> "CausalGenerator":
        if self._generator is None:
            from model.text.generator import CausalGenerator
            from model.text.network import Plan

            config, chosen, length = self._config, self._options, self.corpus.train.length
            plan = Plan(
                _vocabulary(self.corpus, self._source), chosen.prompt + length, chosen.width, chosen.layers,
                chosen.heads, chosen.dropout, self._source,
            )  # fmt: skip
            self._generator = CausalGenerator(
                config.model, plan, self._prompts, length, config.training,
                temperature=chosen.temperature, top_k=chosen.top_k, beams=chosen.beams, device=self._device,
            )  # fmt: skip
        return self._generator

    def _prompts(self, labels: Labels) -> NDArray[np.int32]:
        count = len(self.corpus.train)
        if labels.size and not (0 <= labels.min() and labels.max() < count):
            raise InvalidConfig(
                f"Labels are training blocks 0 to {count - 1}; got {labels.min()} to {labels.max()}.", "", "labels"
            )
        return self.corpus.train.before(labels, self._options.prompt)

    def _blocks(self, first: int, count: int, field: str) -> Draws:
        there = len(self.corpus.train)
        if first + count > there:
            raise InvalidConfig(
                f"{first + count} blocks of real text are asked for; the corpus has {there} to train on.",
                "Choose fewer, shorter blocks or a longer text.",
                field,
            )
        index = np.arange(first, first + count)
        return Draws(self.corpus.train.values(index)[None], index)


def build_text(config: LoopConfig, memo: Memo | None = None, device: str = "auto") -> TextDomain:
    """The text domain of a config. Nothing that it makes is worth a memo.

    Raises:
        UnknownPart, InvalidConfig: when a part is none, or parts do not fit together.
        DataMissing: when files are not there or cannot be read.
    """
    del memo
    documents: tuple[Document, ...] = part_of(DATA, "data set", config.data, "data")()
    options: CausalOptions = part_of(MODELS, "model", config.model, "model")()
    data = parse(CorpusOptions, config.data.options, "data.options")
    source = pretrained(options.path) if options.path.strip() else None
    corpus = corpus_of(documents, data.length, data.vocabulary, source)
    _fit_together(data, options, source, corpus)
    return TextDomain(config, corpus, options, source, device)


def check_text(config: LoopConfig) -> None:
    """What is missing, too short or of no use together is said before anything runs.

    Raises:
        InvalidConfig, DataMissing: as :func:`build_text`; and for several seeds at once.
    """
    if config.replicates > 1:
        raise InvalidConfig(
            f"Loops of text run one seed each; got {config.replicates} at once.",
            "Launch one loop per seed instead.",
            "replicates",
        )
    build_text(config).real(config.n)


def _fit_together(data: CorpusOptions, options: CausalOptions, source: Pretrained | None, corpus: Corpus) -> None:
    if options.prompt > data.length:
        raise InvalidConfig(
            f"A prompt of {options.prompt} tokens is longer than a block of {data.length}.",
            "Choose a shorter prompt or longer blocks.",
            "model.options.prompt",
        )
    if source is None:
        return
    if source.positions is not None and options.prompt + data.length > source.positions:
        raise InvalidConfig(
            f"Prompt and block have {options.prompt + data.length} tokens; the model in {options.path} reads "
            f"{source.positions} at most.",
            "Choose shorter blocks.",
            "data.options.length",
        )
    if len(corpus.tokens) > source.vocabulary:
        raise InvalidConfig(
            f"The tokenizer in {options.path} has {len(corpus.tokens)} pieces, its model {source.vocabulary}.",
            "Give a folder in which both belong together.",
            "model.options.path",
        )


def _vocabulary(corpus: Corpus, source: Pretrained | None) -> int:
    return source.vocabulary if source else len(corpus.tokens)


def _causal_lm(options: CausalOptions) -> CausalOptions:
    """The options, checked.

    Raises:
        InvalidConfig: when they contradict one another.
    """
    if not options.path.strip() and options.width % options.heads:
        raise InvalidConfig(
            f"{options.heads} heads do not divide a width of {options.width}.",
            "Choose a width that is a multiple of the heads.",
            "model.options.heads",
        )
    return options


DATA: dict[str, Part] = {
    "corpus": Part(
        "Text corpus",
        "Python's own documentation topics, or a text file of yours, in blocks of tokens.",
        CorpusOptions,
        lambda options: documents_of(options.path),
    ),
}
MODELS: dict[str, Part] = {
    "causal-lm": Part(
        "Causal transformer",
        "Next-token prediction by a small GPT-2, or by a pre-trained model in a local folder.",
        CausalOptions,
        _causal_lm,
    ),
}

TEXT = DomainPart(
    "Text",
    "Blocks of text, each continued from the real text before it.",
    NoOptions,
    build_text,
    data=DATA,
    models=MODELS,
    metrics=METRICS,
    view="text",
    start={
        "data.kind": "corpus",
        "model.kind": "causal-lm",
        "policy": {"kind": "replace", "options": {}},
        "n": 1024,
        "generations": 5,
        "training.initial_steps": 800,
        "training.steps": 128,
        "training.batch_size": 16,
        "training.learning_rate": 3e-3,
        "training.fine_tune_learning_rate": 1e-3,
        "evaluation.samples": 256,
        "evaluation.panel": 8,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    sections=("training", "evaluation"),
    fields=(
        "training.mode", "training.initial_steps", "training.steps", "training.batch_size", "training.learning_rate",
        "training.fine_tune_learning_rate", "evaluation.samples", "evaluation.panel",
    ),
    check=check_text,
)  # fmt: skip
