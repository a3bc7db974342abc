"""The two examples of distributional control on the default model: are the accepted texts what was asked for?

Run from the root of the repository: ``python -m tests.benchmarks.control_examples``. A table for people, one JSON line
last; some minutes on two cores. *amazing*: half of what follows "The movie was absolutely" shall say it (the model
itself: one in twenty). *Pronouns*: "The nurse said that" shall go on with her and him equally often.

Two things make the share among the accepted texts miss its target: they are few, and the exponents were fitted to a
pool that is itself a sample. Both are in the interval: 1.96 standard errors, those of the accepted texts' mean and of
the fitted moments on a second pool, which the fit has not seen.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

import playground as pg

SHE, HE = ["she", "her", "hers"], ["he", "him", "his"]
EXAMPLES: dict[str, tuple[str, list[Any], list[float]]] = {
    "amazing": ("The movie was absolutely", ["amazing"], [0.5]),
    "pronouns": (
        "The nurse said that",
        [{"feature": "first_of", "first": one, "second": other} for one, other in ((SHE, HE), (HE, SHE))],
        [0.164, 0.164],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-texts", type=int, default=1536, help="of the pool that is fitted")
    parser.add_argument("--num-accepted", type=int, default=100)
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cache-dir", default=None)
    options = parser.parse_args()
    with pg.Engine(pg.load_model("default", cache_dir=options.cache_dir)) as engine:
        found = {name: measured(engine, *example, options) for name, example in EXAMPLES.items()}
    for name, figures in found.items():
        print(f"\n{name}")
        for key, value in figures.items():
            print(f"  {key:28} {value}")
    print(json.dumps(found))


def measured(
    engine: pg.Engine, prompt: str, of: list[Any], targets: list[float], options: argparse.Namespace
) -> dict[str, Any]:
    """Pool, fit, and texts accepted from fresh proposals until there are as many as wanted."""
    study = pg.Study(engine, prompt, of, max_tokens=options.max_tokens, seed=options.seed)
    started_s = time.perf_counter()
    study.draw(options.num_texts)
    pool_s = time.perf_counter() - started_s
    fitted = study.fit(targets)
    started_s = time.perf_counter()
    texts = list(study.sample(options.num_accepted, max_proposals=50_000))
    sampling_s = time.perf_counter() - started_s
    values = np.stack([one.score(texts) for one in study.features], axis=1)
    moments, pooled = values.mean(0), study.analysis.values
    variance = fitted.probabilities @ (pooled - fitted.moments) ** 2  # under the target: a few texts may all agree
    error = np.sqrt(variance / max(1, len(values)))
    half = 1.96 * np.sqrt(error**2 + fit_error(study, targets) ** 2)
    return {
        "targets": targets,
        "base_moments": rounded(fitted.base_moments),
        "exponents": rounded(fitted.exponents),
        "standard_errors": rounded(fitted.standard_errors),
        "ess": round(fitted.ess, 1),
        "status": fitted.status,
        "accepted_moments": rounded(moments),
        "half_interval": rounded(half),
        "within": bool((np.abs(moments - targets) <= half).all()),
        "ending": study.ending,
        "pool_s": round(pool_s, 1),
        "sampling_s": round(sampling_s, 1),
    }


def fit_error(study: pg.Study, targets: list[float], num_resamples: int = 200) -> Any:
    """float64[F]: how far the moments of the fitted target lie from the wanted ones, one standard error: exponents
    refitted to half the pool (without replacement) have their moments on the other half."""
    analysis, generator = study.analysis, np.random.default_rng(0)
    missed = []
    for _ in range(num_resamples):
        order = generator.permutation(len(analysis.pool))
        learnt, held = order[: len(order) // 2], order[len(order) // 2 :]
        try:
            exponents = pg.control.fit(analysis.values[learnt], analysis.pool.log_weights[learnt], targets).exponents
        except pg.PlaygroundError:  # a half without a single hit
            continue
        scores = analysis.pool.log_weights[held] + analysis.values[held] @ exponents
        weights = np.exp(scores - scores.max())
        missed.append(weights @ analysis.values[held] / weights.sum() - targets)
    # Each half errs by √2 times as much as the whole pool, and both halves' errors are in the difference.
    return np.std(missed, axis=0) / 2


def rounded(values: Any) -> list[float]:
    return [round(float(value), 3) for value in values]


if __name__ == "__main__":
    main()
