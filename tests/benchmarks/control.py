"""Measures distributional control beside disco-generation 1.1.1: sampling, rescoring, the fit, proposals a second.

Run from the root of the repository: ``python -m tests.benchmarks.control``. A table for people, one JSON line last.

That package is under a non-commercial licence, so nothing of it is here: it lives in an environment of its own, which
``--make-env`` builds outside the repository and patches where it no longer runs (three of the four places that need it;
the fourth, a folder missing from the published package, concerns its tuners alone, which are not measured). Without
that environment the benchmark says so and measures our side only.

Both sides get the same weights, prompt, feature, number and length of texts and threads, in turns within one run, each
in a process of its own; each draws as many texts at once as suits it. Parts are timed apart: ``sampling`` N texts,
``rescoring`` them (ours has none: log a is what they were drawn with), the ``fit`` from one and the same pool, and
quasi-rejection from fresh proposals.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

PACKAGE = "disco-generation==1.1.1"
DEFAULT_ENV = Path(tempfile.gettempdir()) / "disco-generation-1.1.1"
BATCH = 32
"""Its own default for texts drawn at once. It keeps every step's scores, so more would take much memory; ours keeps
none and draws half its lanes at once (--num-lanes)."""
ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    options = arguments()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    if options.make_env:
        make_environment(Path(options.disco_env))
    python = Path(options.disco_env) / "bin" / "python"
    sides = {"ours": sys.executable} | ({"disco": str(python)} if python.exists() else {})
    if "disco" not in sides:
        print(f"disco-generation is not measured: there is no environment {options.disco_env} (--make-env builds it).")
    with tempfile.TemporaryDirectory() as scratch:
        rounds = [
            {side: run_child(side, program, options, Path(scratch) / "pool.json") for side, program in sides.items()}
            for _ in range(options.rounds)
        ]
    figures = summary(rounds, options)
    for name, value in figures.items():
        print(f"{name:44} {value:.4g}" if isinstance(value, float) else f"{name:44} {value}")
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache-dir", default=os.environ.get("PLAYGROUND_CACHE_DIR", "~/.cache/decoding-playground"))
    parser.add_argument("--disco-env", default=str(DEFAULT_ENV))
    parser.add_argument("--make-env", action="store_true", help="build and patch the other package's environment first")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="the sides take turns; the best of each part counts")
    parser.add_argument("--num-texts", type=int, default=256)
    parser.add_argument("--num-tokens", type=int, default=20)
    parser.add_argument("--num-lanes", type=int, default=138, help="of our engine; a pool alone writes 64 texts then")
    parser.add_argument("--num-proposals", type=int, default=128, help="of quasi-rejection")
    parser.add_argument("--prompt", default="The movie was absolutely")
    parser.add_argument("--word", default="amazing")
    parser.add_argument("--target", type=float, default=0.5)
    parser.add_argument("--beta", type=float, default=8.0)
    parser.add_argument("--child", choices=("ours", "disco"), help=argparse.SUPPRESS)
    parser.add_argument("--pool", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_child(side: str, program: str, options: argparse.Namespace, pool: Path) -> dict[str, Any]:
    """One side once, in a fresh process; its last line is JSON. Ours goes first and leaves the pool for the other."""
    names = ("cache_dir", "device", "num_threads", "num_lanes", "num_texts", "num_tokens", "num_proposals", "prompt",
             "word", "target", "beta")  # fmt: skip
    given = [part for name in names for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
                   "OMP_NUM_THREADS": str(options.num_threads)}  # fmt: skip
    done = subprocess.run(
        [program, "-m", "tests.benchmarks.control", "--child", side, "--pool", str(pool), *given],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def summary(rounds: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """The best of each part, and the ratios that are promised."""
    figures: dict[str, Any] = {
        "device": options.device, "num_threads": options.num_threads, "num_texts": options.num_texts,
        "num_tokens": options.num_tokens, "rounds": len(rounds),
    }  # fmt: skip
    for side in rounds[0]:
        for part in ("sampling_s", "rescoring_s", "fit_s", "quasi_rejection_s"):
            figures[f"{side}_{part}"] = min(one[side][part] for one in rounds)
        figures[f"{side}_proposals_per_s"] = options.num_proposals / figures[f"{side}_quasi_rejection_s"]
        figures[f"{side}_exponent"] = rounds[-1][side]["exponent"]
    figures["base_rate"], figures["exact_exponent"] = rounds[-1]["ours"]["base_rate"], rounds[-1]["ours"]["exact"]
    if "disco" in rounds[0]:
        whole = {
            side: sum(figures[f"{side}_{part}_s"] for part in ("sampling", "rescoring", "fit"))
            for side in ("ours", "disco")
        }
        figures["fit_times_faster"] = figures["disco_fit_s"] / figures["ours_fit_s"]
        figures["sampling_times_faster"] = figures["disco_sampling_s"] / figures["ours_sampling_s"]
        figures["pool_and_fit_times_faster"] = whole["disco"] / whole["ours"]
        figures["proposals_times_faster"] = figures["ours_proposals_per_s"] / figures["disco_proposals_per_s"]
    return figures


# Ours


def ours(options: argparse.Namespace) -> dict[str, Any]:
    from playground.settings import Settings, prepare_process

    prepare_process(Settings())
    import numpy as np
    import torch

    from playground import control
    from playground.engine import Engine, Step
    from playground.engine.writing import request_for
    from playground.models import load_model

    torch.set_num_threads(options.num_threads)
    model = load_model("default", cache_dir=options.cache_dir, device=options.device, progress=lambda *_: None)

    def drawn(engine: Engine, num_texts: int, first: int) -> tuple[list[list[int]], Any]:
        """Token ids and log q of so many texts, asked as bulk work as the page's pool is."""
        request = request_for(model, options.prompt, max_tokens=options.num_tokens, seed=1, priority="bulk")
        request = replace(request, num_samples=num_texts, first_sample=first, keep_rows=False)
        ids: list[list[int]] = [[] for _ in range(num_texts)]
        log_q = np.zeros(num_texts)
        for item in engine.submit(request):
            if isinstance(item, Step):
                ids[item.sample - first].append(item.token_id)
                log_q[item.sample - first] += item.logprob_final
        return ids, log_q

    def has_word(ids: list[list[int]]) -> Any:
        texts = [engine.vocabulary.decode(one) for one in ids]
        return np.array([[float(options.word in text)] for text in texts])

    # Bulk work gets half of the lanes, less a few that are kept for newcomers.
    with Engine(model, num_threads=options.num_threads, max_lanes=options.num_lanes) as engine:
        drawn(engine, 4, 10**6)  # the first forward pays for what later ones do not
        (ids, log_q), sampling_s = timed(lambda: drawn(engine, options.num_texts, 0))
        features = has_word(ids)
        fit, first_fit_s = timed(lambda: control.fit(features, np.zeros(len(ids)), [options.target]))
        fit_s = min(first_fit_s, *(timed(lambda: control.fit(features, np.zeros(len(ids)), [options.target]))[1]
                                   for _ in range(20)))  # fmt: skip

        def quasi_rejection() -> int:
            fresh, _ = drawn(engine, options.num_proposals, options.num_texts)
            ratios = has_word(fresh)[:, 0] * float(fit.exponents[0])
            darts = np.random.default_rng(0).random(len(fresh))
            return int((np.log(darts) + np.log(options.beta) < ratios).sum())

        num_accepted, quasi_rejection_s = timed(quasi_rejection)
        texts = [engine.vocabulary.decode(one) for one in ids]
    Path(options.pool).write_text(json.dumps({"ids": ids, "texts": texts, "log_q": log_q.tolist()}))
    rate = float(features.mean())
    return {
        "sampling_s": sampling_s, "rescoring_s": 0.0, "fit_s": fit_s, "quasi_rejection_s": quasi_rejection_s,
        "num_accepted": num_accepted, "exponent": float(fit.exponents[0]), "base_rate": rate,
        "exact": float(np.log(options.target / (1 - options.target)) - np.log(rate / (1 - rate))),
    }  # fmt: skip


# The other package, by its public interface


def disco(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    torch.set_num_threads(options.num_threads)
    distributions = importlib.import_module("disco.distributions")
    boolean_scorer = importlib.import_module("disco.scorers").BooleanScorer
    sampler = importlib.import_module("disco.samplers").QuasiRejectionSampler
    one_context = distributions.SingleContextDistribution
    folder = next(Path(options.cache_dir).expanduser().glob("SmolLM2-135M-Instruct*"))
    base = distributions.LMDistribution(str(folder), length=options.num_tokens, device=options.device)
    feature = boolean_scorer(lambda sample, _: options.word in sample.text)

    def drawn(num_texts: int) -> tuple[list[Any], Any]:
        samples: list[Any] = []
        log_q = []
        while len(samples) < num_texts:
            more, scores = base.sample(context=options.prompt, sampling_size=min(BATCH, num_texts - len(samples)))
            samples += more
            log_q.append(scores)
        return samples, torch.cat(log_q)

    def rescored(samples: list[Any]) -> None:
        # Texts of one batch only, all of one length: its scorer stops at a mixture, which its own batches can meet.
        for start in range(0, len(samples), BATCH):
            base.log_score(samples[start : start + BATCH], context=options.prompt)

    drawn(4)
    (samples, _), sampling_s = timed(lambda: drawn(options.num_texts))
    _, rescoring_s = timed(lambda: rescored(samples))

    pool = json.loads(Path(options.pool).read_text())

    class Same(distributions.BaseDistribution):  # type: ignore[misc, name-defined]
        """The pool that the other side drew, as a distribution that costs nothing."""

        def __init__(self) -> None:
            self.at = 0
            self.log_q = {tuple(ids): log for ids, log in zip(pool["ids"], pool["log_q"], strict=True)}

        def sample(self, sampling_size: int = BATCH, context: str = "") -> tuple[list[Any], Any]:
            rows = slice(self.at, self.at + sampling_size)
            self.at += sampling_size
            pairs = zip(pool["ids"][rows], pool["texts"][rows], strict=True)
            return [kind(torch.tensor(ids), text) for ids, text in pairs], torch.tensor(pool["log_q"][rows])

        def log_score(self, samples: list[Any], context: str = "") -> Any:
            return torch.tensor([self.log_q[tuple(sample.token_ids.tolist())] for sample in samples])

    kind = type(samples[0])
    fitted, fit_s = timed(
        lambda: Same().constrain([feature], [options.target], n_samples=len(pool["ids"]), sampling_size=BATCH,
                                 context_distribution=one_context(options.prompt))
    )  # fmt: skip
    exponent = float(fitted.scorers[1].coefficients[0])
    exponential = type(fitted.scorers[1])
    target = base * exponential([feature], torch.tensor([exponent]))
    quasi = sampler(target, base, beta=options.beta)
    count = options.num_proposals

    def quasi_rejection() -> int:
        num_accepted = 0
        for start in range(0, count, BATCH):
            found, _ = quasi.sample(sampling_size=min(BATCH, count - start), context=options.prompt)
            num_accepted += len(found)
        return num_accepted

    num_accepted, quasi_rejection_s = timed(quasi_rejection)
    return {"sampling_s": sampling_s, "rescoring_s": rescoring_s, "fit_s": fit_s, "exponent": exponent,
            "quasi_rejection_s": quasi_rejection_s, "num_accepted": num_accepted}  # fmt: skip


CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"ours": ours, "disco": disco}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start_s = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - start_s


# Its environment


def make_environment(folder: Path) -> None:
    """Outside the repository; torch and transformers are this interpreter's own, so that both sides run the same."""
    if ROOT in folder.resolve().parents:
        sys.exit("Choose a folder outside the repository: nothing of that package belongs in it.")
    venv.create(folder, with_pip=True)
    packages = next((folder / "lib").glob("python3*/site-packages"))
    (packages / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--ignore-requires-python", PACKAGE], check=True)
    subprocess.run([*pip, "datasets"], check=True)
    for file, old, new in PATCHES:
        path = packages / "disco" / file
        text = path.read_text()
        if old not in text:
            sys.exit(f"{path} is not the file that this benchmark knows: {old!r} is not in it.")
        path.write_text(text.replace(old, new))


PATCHES = (
    ("utils/__init__.py", "import imp\n", ""),
    (
        "distributions/lm_distribution.py",
        "self.network.config.forced_bos_token_id",
        "getattr(self.network.config, 'forced_bos_token_id', None)",
    ),
    ("distributions/lm_distribution.py", "self.network._get_logits_warper(generation_config)", "None"),
    ("distributions/lm_distribution.py", "all_logits[:,i,:] = logits_warper(input_ids[:,:i+1], all_logits[:,i,:])",
     "pass"),
)  # fmt: skip
"""What no longer exists in Python 3.12 and in transformers 5. Its scorer only scores unwarped models, so the warper
that is gone did nothing there."""


if __name__ == "__main__":
    main()
