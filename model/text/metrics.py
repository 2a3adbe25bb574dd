"""What is measured of text, and how."""

import numpy as np
from numpy.typing import NDArray

from core.protocols import Metric
from model.tails import TAIL

GROUP = 16  # texts that n-grams are counted over: numbers of different counts can be compared
REPEATED = 4
EDGE = 0.05

_ALL = (
    Metric(
        "perplexity", "Perplexity", "", "lower", "fidelity",
        "Of held-out real text under this generation's model: how many pieces it hesitates between, on average; "
        "compare equal vocabularies only.",
    ),
    Metric(
        "perplexity_generated", "Perplexity of samples", "", "real", "fidelity",
        "Of generated text under a frozen judge that counts pairs in the real training text (Kneser-Ney); falls "
        "when texts become all too probable, rises when they become nonsense.",
    ),
    Metric(
        "perplexity_tail", "Perplexity, 95th percentile", "", "real", "diversity",
        "Of single generated texts under the frozen judge: how odd the oddest twentieth is.",
    ),
    Metric(
        "predictable", "Too probable", "", "real", "diversity",
        "Share of generated texts that the judge finds more probable than all but 5 % of held-out real ones: the other "
        "end of the tail.",
    ),
    Metric(
        "distinct_2", "Distinct pairs", "", "real", "diversity",
        f"Share of pairs of neighbouring pieces that differ, in groups of {GROUP} texts (Li et al. 2016).",
    ),
    Metric(
        "distinct_3", "Distinct triples", "", "real", "diversity",
        f"Share of triples of neighbouring pieces that differ, in groups of {GROUP} texts (Li et al. 2016).",
    ),
    Metric(
        "repetition", "Repetition", "", "real", "diversity",
        f"Share of {REPEATED} pieces in a row that the same text had before (Welleck et al. 2020).",
    ),
    TAIL,
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def ngrams(blocks: NDArray[np.int32], n: int) -> NDArray[np.uint64]:
    """(N, L-n+1) a number per run of n neighbouring ids; equal runs have equal numbers.

    Args:
        blocks: (N, L) ids.
    """
    count = blocks.shape[1] - n + 1
    found = np.zeros((len(blocks), max(count, 0)), np.uint64)
    for offset in range(n):  # wraps round for runs of a large vocabulary, which mixes well
        found = found * np.uint64(0x9E3779B97F4A7C15) + blocks[:, offset : offset + found.shape[1]].astype(np.uint64)
    return found


def distinct(blocks: NDArray[np.int32], n: int) -> float:
    """Share of different runs of n among all, mean over groups of :data:`GROUP` texts (of all, where there are fewer).

    Args:
        blocks: (N, L) ids, at least one.
    """
    runs = ngrams(blocks, n)
    size = min(GROUP, len(runs))
    groups = runs[: len(runs) // size * size].reshape(-1, size * runs.shape[1])
    return float(np.mean([len(np.unique(group)) / group.size for group in groups]))


def repetition(blocks: NDArray[np.int32], n: int = REPEATED) -> float:
    """Share of runs of n that occurred earlier in the same text, of (N, L) ids."""
    runs = np.sort(ngrams(blocks, n), axis=1)
    return float((runs[:, 1:] == runs[:, :-1]).sum() / runs.size)


def overlap_distance(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float64]:
    """(N, M) 1 - cosine of the counts of pieces: 0 for the same pieces in any order, 1 for none in common.

    Args:
        a, b: (N, L) and (M, L) ids.
    """
    there, seen = np.unique(np.concatenate([a, b]), return_inverse=True)  # few of a large vocabulary
    rows = _counts(seen.reshape(-1, a.shape[1]), len(there))
    return np.asarray(1.0 - rows[: len(a)] @ rows[len(a) :].T, np.float64)


def _counts(blocks: NDArray[np.int64], vocabulary: int) -> NDArray[np.float32]:
    """(N, V) counts of each id, of length 1."""
    cells = (np.arange(len(blocks))[:, None] * vocabulary + blocks).ravel()
    found = np.bincount(cells, minlength=len(blocks) * vocabulary).reshape(len(blocks), vocabulary).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True).clip(1e-12), np.float32)
