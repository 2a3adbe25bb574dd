"""Cards of recursively fitted Gaussians: everything about them is known in closed form, or nearly so."""

from typing import Any

from backend.lab.card import Card
from backend.lab.findings import Findings, Verdict, above, changes, median_near, meets, near, ordered, steady

SHUMAILOV = "Shumailov et al. 2024, AI models collapse when trained on recursively generated data (Nature 631)"
GILLMAN = "Gillman et al. 2024, Self-Correcting Self-Consuming Loops (ICML), arXiv:2402.07087"
BERTRAND = "Bertrand et al. 2024, Stability of Iterative Retraining (ICLR)"
KAZDAN = "Kazdan et al. 2024, Collapse or Thrive"

GAMMAS = (0.0, 0.1, 0.3, 1.0, 5.0)
TOY_W2 = (0.535, 0.390, 0.293, 0.145, 0.059)
"""W2 at generation 150 from the paper's own code, seeded, 3 seeds (shared/SEEDS.md), in the order of GAMMAS."""
BEYOND = ("lambda = 1", "lambda = 2", "lambda = 4", "lambda = 8")
"""Labels of the loops that the sufficient condition lambda < 1/2 does not cover."""
LAMBDAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def gaussian(policy: str = "replace", options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A plain config of the domain; ``options`` are the policy\'s."""
    return {"domain": "gaussian", "policy": {"kind": policy, "options": options or {}}, **more}


def _collapse() -> Card:
    settings: dict[str, Any] = {"n": 100, "generations": 119, "replicates": 1000}

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *meets(findings, "Replace", "spread", (10, 100), "Var(X_n)"),
            *median_near(findings, "Replace", "std", (10, 100), "the fitted std"),
            *meets(findings, "Replace", "w2_squared", (10, 100), "E[W2²]"),
            *meets(findings, "Accumulate", "variance", (10, 100), "E[fitted variance]"),
            *above(findings, "Replace", "Accumulate", "w2_squared", "E[W2²]"),
        ]

    return Card(
        title="Gaussian collapse",
        question="What becomes of a Gaussian that is fitted to its own samples, again and again?",
        shows=(
            "Under replace, measured over 1000 seeds with M = 100 samples per fit: Var(X_n) is 1.10 at n = 10 and"
            " 2.07 ± .11 at n = 100 (theory 1.10 and 2.00), and the median of the fitted std is .953 and .583 "
            "(theory .952 and .604): most chains shrink while a few wander far. Under accumulate E[W2²] levels "
            "off at .024. It says nothing about models without a closed form."
        ),
        minutes=0.1,
        paper=SHUMAILOV,
        metric="spread",
        plans=(("Replace", gaussian(**settings)), ("Accumulate", gaussian("accumulate", **settings))),
        edits=("n", "data.options.d", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _biased() -> Card:
    model = {"kind": "gaussian-fit", "options": {"estimator": "biased"}}
    settings: dict[str, Any] = {"n": 100, "generations": 119, "replicates": 1000, "model": model}

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *meets(findings, "Replace", "variance", (10, 100), "E[fitted variance]"),
            *meets(findings, "Accumulate", "variance", (10, 100), "E[fitted variance]"),
            *changes(findings, "Replace", "std", "the fitted std", up=False),
            *above(findings, "Accumulate", "Replace", "variance", "E[fitted variance]"),
        ]

    return Card(
        title="Biased fits",
        question="How fast does the variance go if every fit divides by n instead of n - 1?",
        shows=(
            "Dividing by n loses a share 1/n of the variance per fit. Measured over 1000 seeds with M = 100: the "
            "mean fitted variance under replace is .897 at n = 10 and .371 ± .023 at n = 100 (theory .904 and "
            ".366); under accumulate it stays at .975. The tail's mass does not fall with it on average, because "
            "the mean wanders away."
        ),
        minutes=0.1,
        paper=SHUMAILOV,
        metric="variance",
        plans=(("Replace", gaussian(**settings)), ("Accumulate", gaussian("accumulate", **settings))),
        edits=("n", "data.options.d", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _gamma() -> Card:
    labels = [f"gamma = {gamma:g}" for gamma in GAMMAS]
    settings: dict[str, Any] = {
        "n": 50, "data": {"kind": "normal", "options": {"d": 2}}, "policy": "augment",
        "options": {"lam": 0.5, "source": "all past"}, "generations": 150, "replicates": 40,
    }  # fmt: skip
    corrected = [{"kind": "idealized", "options": {"gamma": gamma, "form": "rejection"}} for gamma in GAMMAS]
    plans = tuple((label, gaussian(**settings, corrector=part)) for label, part in zip(labels, corrected, strict=True))

    def verdicts(findings: Findings) -> list[Verdict]:
        figures = zip(labels, TOY_W2, strict=True)
        return [
            *ordered(findings, labels, "w2", "W2"),
            *(
                v
                for label, value in figures
                for v in near(findings, label, "w2", 150, value, 0.15, "W2 at generation 150")
            ),
        ]

    return Card(
        title="Correction strength",
        question="How much correction keeps a self-consuming Gaussian near the truth?",
        shows=(
            "The published toy (50 real samples in the plane, lambda = .5, synthetic sets of all past "
            "generations): W2 at generation 150 falls from .576 at gamma = 0 over .429, .289 and .142 to .054 at "
            "gamma = 5, means of 40 seeds; the paper's own code, 3 seeds, gave .535, .390, .293, .145 and .059. Two "
            "things to know: the published sampler loses far samples even at gamma = 0, so that without any "
            "corrector the loop ends nearer to the truth (.33 ± .02); and it draws from the true density, which no "
            "real corrector knows."
        ),
        minutes=0.1,
        paper=GILLMAN,
        metric="w2",
        plans=plans,
        edits=("n", "policy.options.lam", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _kazdan() -> Card:
    settings: dict[str, Any] = {
        "n": 100, "generations": 99, "replicates": 100, "data": {"kind": "normal", "options": {"d": 10}},
        "model": {"kind": "gaussian-fit", "options": {"estimator": "biased"}},
    }  # fmt: skip

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *meets(findings, "Replace", "variance", (10, 100), "E[fitted variance]"),
            *meets(findings, "Accumulate", "variance", (10, 100), "E[fitted variance]"),
            *above(findings, "Replace", "Accumulate-subsample", "w2", "W2"),
            *above(findings, "Accumulate-subsample", "Accumulate", "w2", "W2"),
        ]

    return Card(
        title="Replace or accumulate: Gaussian",
        question="Does a Gaussian in 10 dimensions survive if the old data stay, and if only a sample of them is used?",
        shows=(
            "In 10 dimensions with 100 samples per fit, 100 seeds: W2 at generation 99 is 3.76 under replace, "
            "1.02 when 100 samples are drawn from everything so far, and .77 when everything is used. The mean "
            "variance follows its closed forms under replace and accumulate; for the fixed budget there is none."
        ),
        minutes=0.1,
        paper=KAZDAN,
        metric="variance",
        plans=(
            ("Replace", gaussian(**settings)),
            ("Accumulate", gaussian("accumulate", **settings)),
            ("Accumulate-subsample", gaussian("accumulate-subsample", **settings)),
        ),
        edits=("n", "data.options.d", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _lambda_map() -> Card:
    labels = [f"lambda = {lam:g}" for lam in LAMBDAS]
    plans = tuple(
        (
            label,
            gaussian(
                n=100, policy="augment", options={"lam": lam}, generations=100, replicates=400
            ),
        )
        for label, lam in zip(labels, LAMBDAS, strict=True)
    )  # fmt: skip

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *(v for label in labels for v in meets(findings, label, "w2_squared", (101,), "E[W2²], to first order,")),
            *above(findings, labels[-1], labels[0], "w2_squared", "E[W2²]"),
            *(v for label in labels if label in BEYOND for v in steady(findings, label, "w2_squared", "E[W2²]")),
        ]

    return Card(
        title="Lambda map",
        question="How much synthetic data per real sample can a loop take before it leaves the truth?",
        shows=(
            "With 100 real samples in every training set no lambda up to 8 lets the Gaussian drift: E[W2²] at "
            "generation 100 grows from .015 (lambda = .1) to .021 (lambda = 8), as predicted to first order, and "
            "no more over the second half of the run. The condition lambda < 1/2 is sufficient, not necessary; "
            "this model is too simple to break beyond it."
        ),
        minutes=0.1,
        paper=BERTRAND,
        metric="w2_squared",
        plans=plans,
        edits=("n", "data.options.d", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _fresh_real() -> Card:
    settings: dict[str, Any] = {"n": 100, "generations": 100, "replicates": 1000}
    shares = (0.1, 0.5)
    fresh = tuple((f"{share:.0%} fresh", gaussian("fresh-real", {"share": share}, **settings)) for share in shares)

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *(v for label, _ in fresh for v in meets(findings, label, "w2_squared", (101,), "E[W2²], to first order,")),
            *ordered(findings, ["None fresh", "10% fresh", "50% fresh"], "w2_squared", "E[W2²]"),
            *above(findings, "10% kept", "10% fresh", "w2_squared", "E[W2²]"),
        ]

    return Card(
        title="Fresh data",
        question="How little new real data per generation keeps a loop from collapsing, and is kept old data as good?",
        shows=(
            "Measured over 1000 seeds at generation 100: E[W2²] is 1.5 with no real data, .082 with 10 % new "
            "real data per generation, .021 with 50 %; a tenth of the training set kept from the original data "
            "gives .095, a little worse than new data. All training sets have 100 samples."
        ),
        minutes=0.1,
        paper=f"Alemohammad et al. 2024, Self-Consuming Generative Models Go MAD (ICLR); the share kept: {SHUMAILOV}",
        metric="w2_squared",
        plans=(
            ("None fresh", gaussian(**settings)),
            *fresh,
            ("10% kept", gaussian("replace", {"real_kept": 0.1}, **settings)),
        ),
        edits=("n", "data.options.d", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


def _quality() -> Card:
    settings: dict[str, Any] = {
        "n": 100,
        "generations": 50,
        "replicates": 100,
        "data": {"kind": "normal", "options": {"d": 2}},
    }
    filtered = {"kind": "quality", "options": {"share": 0.8}}

    def verdicts(findings: Findings) -> list[Verdict]:
        return [
            *above(findings, "No filter", "Best 80%", "variance", "E[fitted variance]"),
            *above(findings, "No filter", "Best 80%", "tail", "the tail's mass"),
        ]

    return Card(
        title="Keeping the best",
        question="What does a filter that keeps the most typical 80 % of each synthetic set do to diversity?",
        shows=(
            "The real data stay (lambda = 1) and the least typical fifth of every synthetic set is dropped: the "
            "fitted variance settles at .81 instead of .99 and the tail's mass at .027 instead of .050, 100 "
            "seeds. Typicality is the distance to the nearest real sample; a score that rewards something else "
            "would do something else."
        ),
        minutes=0.1,
        paper="The practice of filtering synthetic data by a score; no single paper",
        metric="variance",
        plans=(
            ("No filter", gaussian("augment", **settings)),
            ("Best 80%", gaussian("augment", corrector=filtered, **settings)),
        ),
        edits=("n", "policy.options.lam", "generations", "replicates", "seed"),
        verdicts=verdicts,
    )


CARDS: dict[str, Card] = {
    "gaussian-collapse": _collapse(),
    "gaussian-biased": _biased(),
    "gaussian-gamma": _gamma(),
    "kazdan-gaussian": _kazdan(),
    "lambda-map": _lambda_map(),
    "fresh-real": _fresh_real(),
    "quality": _quality(),
}
