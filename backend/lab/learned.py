"""Cards of models that are trained by gradient descent: flows on the plane, digits, text."""

from typing import Any

from backend.lab.card import Card
from backend.lab.findings import Findings, Verdict, above, alike, changes
from backend.lab.gaussians import BERTRAND, GILLMAN, SHUMAILOV

LAMBDAS = (0.25, 1.0, 4.0)


def _flow() -> Card:
    labels = [f"lambda = {lam:g}" for lam in LAMBDAS]

    def verdicts(findings: Findings) -> list[Verdict]:
        figures = (("sliced_w2", "Sliced W2"), ("nll", "Held-out negative log likelihood"))
        return [
            *(v for name, words in figures for v in alike(findings, labels[0], "Real only", name, words)),
            *(v for name, words in figures for v in above(findings, labels[-1], "Real only", name, words)),
        ]

    return Card(
        title="Lambda map: flow",
        question="At which share of synthetic data does a small diffusion model of points on the plane drift away?",
        shows=(
            "After 20 generations, means of 5 seeds: sliced W2 is .066 with real data only, .072, .083 and .111 at "
            "lambda = .25, 1 and 4; the held-out negative log likelihood is 1.21, 1.20, 1.24 and 1.43 (1.27 at "
            "generation 0). At lambda = .25 the loop does as well as the control, at 4 it drifts away. What drifts is "
            "the error of a coarse sampler (4 steps): with a finer one the same loop showed almost nothing. The "
            "condition's constants are not known for such a model, so no threshold is drawn."
        ),
        minutes=0.5,
        paper=BERTRAND,
        metric="sliced_w2",
        plans=(
            ("Real only", {"domain": "flow", "policy": {"kind": "real"}}),
            *(
                (label, {"domain": "flow", "policy": {"kind": "augment", "options": {"lam": lam}}})
                for label, lam in zip(labels, LAMBDAS, strict=True)
            ),
        ),
        edits=("n", "data.options.shape", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _digits(title: str, question: str, shows: str, paper: str, **more: Any) -> Card:
    settings: dict[str, Any] = {
        "domain": "digits", "generations": 20, "policy": {"kind": "augment", "options": {"lam": 1.5}}, **more,
    }  # fmt: skip

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *changes(findings, "Raw", "fid", "FID", up=True),
            *above(findings, "Raw", "K-means corrected", "fid", "FID"),
            *above(findings, "Raw", "Real only", "fid", "FID"),
            *above(findings, "K-means corrected", "Raw", "recall", "Recall"),
        ]

    return Card(
        title=title,
        question=question,
        shows=shows,
        minutes=2,
        paper=paper,
        metric="fid",
        plans=(
            ("Real only", settings | {"policy": {"kind": "real"}}),
            ("Raw", settings),
            ("K-means corrected", settings | {"corrector": {"kind": "kmeans"}}),
        ),
        edits=("n", "policy.options.lam", "generations", "seed"),
        verdicts=verdicts,
        topic="images",
        seeds=(0, 1),
    )


def _text() -> Card:
    settings: dict[str, Any] = {"domain": "text"}

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *changes(findings, "Replace", "perplexity", "perplexity", up=True),
            *above(findings, "Replace", "Replace, 10% real kept", "perplexity", "Perplexity"),
        ]

    return Card(
        title="Text",
        question="Does a language model that learns from its own text lose the real one, and does a tenth of it help?",
        shows=(
            "Perplexity of held-out text under each generation's model, one seed: from 50 to 285 within five "
            "generations under replace, to 107 with a tenth of the real text kept, and 50 with real text only. The "
            "samples themselves become ever more probable: 88 % of them are more predictable than all but 5 % of real "
            "texts. The model is a small transformer with random first weights, and it samples at temperature .9: "
            "what a large pre-trained one would lose is another question."
        ),
        minutes=3.5,
        paper=SHUMAILOV,
        metric="perplexity",
        plans=(
            ("Real only", settings | {"policy": {"kind": "real"}}),
            ("Replace", settings | {"policy": {"kind": "replace"}}),
            ("Replace, 10% real kept", settings | {"policy": {"kind": "replace", "options": {"real_kept": 0.1}}}),
        ),
        edits=("n", "generations", "data.options.path", "seed"),
        verdicts=verdicts,
        topic="text",
    )


CARDS: dict[str, Card] = {
    "flow": _flow(),
    "digits": _digits(
        "Digits",
        "Does an autoencoder drift when it learns from its own digits, and does snapping them to real ones help?",
        (
            "FID at 300 samples, lambda = 1.5, 20 generations, means of two seeds: from 7.4 to 13.7 raw, to 8.4 with "
            "every synthetic digit snapped to the nearest of 16 centres of its class, and to 6.5 with real data only. "
            "Recall ends at .12, .34 and .45: snapping keeps part of the variety, not all of it. The centres are "
            "learned from the same real digits that the model sees."
        ),
        f"{GILLMAN}; the model: {SHUMAILOV}",
        model={"kind": "digits-vae"},
        training={"initial_steps": 6000, "learning_rate": 2e-3},
    ),
    "digits-diffusion": _digits(
        "Digits: diffusion",
        "Does snapping synthetic digits to the nearest of 16 centres per class keep a diffusion loop from drifting?",
        (
            "Not clearly. FID after 20 generations at lambda = 1.5, means of two seeds: 7.6 ± .2 raw, 7.3 ± .2 with "
            "every synthetic digit snapped to the nearest of 16 centres of its class, 5.3 ± .6 with real data only "
            "(5.0 at generation 0). In trial runs of one seed snapping helped a coarse sampler (4 steps: 16.1 to "
            "13.9) and harmed a fine one (25 steps: 6.7 to 7.5)."
        ),
        GILLMAN,
        model={"kind": "digits-diffusion"},
    ),
    "text": _text(),
}
