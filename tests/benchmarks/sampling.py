"""Measures the samplers: chains beside transformers' processors on the same batch, a traced chain, each sampler alone.

Run from the root of the repository: ``python -m tests.benchmarks.sampling``. Tables for people, one JSON line last.
Each figure is the least (and, of samplers alone, the middle) of many turns, ours and theirs taking turns; on a CPU it
is the process's own CPU time, which a busy machine disturbs less than the clock on the wall. One thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from playground.settings import Settings, prepare_process

prepare_process(Settings())

import torch  # noqa: E402
from transformers.generation import logits_process as processors  # noqa: E402

from playground.sampling import SAMPLERS, Chain, Sampler, stack  # noqa: E402
from tests.sampling.watching import sorted_widths  # noqa: E402

SIZES, BATCHES = (49_152, 151_936), (1, 8, 64)
LARGEST = SIZES[-1]
CHAINS: dict[str, tuple[str, Callable[[], list[Any]]]] = {
    "default: temperature, min-p": (
        "temperature:0.8,min_p:0.05",
        lambda: [processors.TemperatureLogitsWarper(0.8), processors.MinPLogitsWarper(0.05)],
    ),
    "fuller: temperature, top-k, top-p, min-p": (
        "temperature:0.8,top_k:200,top_p:0.95,min_p:0.02",
        lambda: [
            processors.TemperatureLogitsWarper(0.8),
            processors.TopKLogitsWarper(200),
            processors.TopPLogitsWarper(0.95),
            processors.MinPLogitsWarper(0.02),
        ],
    ),
}
TIMES_FASTER, TRACE_MS, ALONE_MS = 2.0, 12.0, 5.0
SLOWER_MS = {"tail_free": 15.0, "typical_p": 15.0, "mirostat": 15.0}
"""The limits, and the samplers that sort by nature."""

TURN_S = 0.005

SETTINGS: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.8},
    "logit_bias": {"bias": {str(token_id): 1.0 for token_id in range(0, 3000, 10)}},
    "token_ban": {"tokens": list(range(0, 3000, 10))},
}
"""Where the defaults are off."""


def main() -> int:
    options = arguments()
    torch.set_num_threads(options.num_threads)
    figures: dict[str, Any] = {"device": options.device, "num_threads": options.num_threads, "missed": []}
    missed = chains(options, figures)
    if options.device == "cpu":
        missed += traced(options, figures) + alone(options, figures) + sorting(figures)
    figures["missed"] = missed
    print(json.dumps(figures, ensure_ascii=False))
    return 1 if missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    return parser.parse_args()


def logits(num_rows: int, size: int, device: str = "cpu") -> torch.Tensor:
    """float32[B,V], nats: as steep as a language model's, a few hundred tokens above 1e-4."""
    scores = 2.5 * torch.randn(num_rows, size, generator=torch.Generator().manual_seed(size + num_rows))
    scores[:, :50] += 6.0
    return scores.to(device)


def chains(options: argparse.Namespace, figures: dict[str, Any]) -> list[str]:
    """Ours beside theirs, at every size and batch."""
    rows, missed = [], []
    for name, (url, make) in CHAINS.items():
        for size in SIZES:
            for num_rows in BATCHES:
                scores = logits(num_rows, size, options.device)
                plan, theirs = stack([Chain.from_url(url)] * num_rows), make()
                history = torch.zeros(num_rows, 1, dtype=torch.int64, device=options.device)

                def run_theirs(scores=scores, theirs=theirs, history=history) -> None:  # type: ignore[no-untyped-def]
                    out = scores
                    for processor in theirs:
                        out = processor(history, out)

                ours_ms, theirs_ms = milliseconds(
                    [lambda plan=plan, scores=scores: plan.apply(scores), run_theirs], options.turns, options.device
                )
                times = min(theirs_ms) / min(ours_ms)
                figured = [f"{value:.2f}" for value in (min(ours_ms), min(theirs_ms), times)]
                rows.append((name, f"{size:,}", num_rows, *figured))
                figures[f"times_faster {url} V={size} B={num_rows}"] = round(times, 2)
                if times < TIMES_FASTER:
                    missed.append(f"{url} V={size} B={num_rows}: {times:.2f} times")
    table(("chain", "V", "rows", "ours, ms", "transformers, ms", "times faster"), rows)
    return missed


def traced(options: argparse.Namespace, figures: dict[str, Any]) -> list[str]:
    """The default chain, traced over one row of the largest vocabulary."""
    row, chain = logits(1, LARGEST)[0], Chain.from_url(CHAINS["default: temperature, min-p"][0])
    (turns,) = milliseconds([lambda: chain.trace(row)], options.turns)
    figures["trace_ms"] = round(statistics.median(turns), 2)
    print(f"\ndefault chain traced at V = {LARGEST:,}: {statistics.median(turns):.2f} ms (at most {TRACE_MS:g})")
    return [f"trace: {statistics.median(turns):.2f} ms"] if statistics.median(turns) >= TRACE_MS else []


def alone(options: argparse.Namespace, figures: dict[str, Any]) -> list[str]:
    """Each registered sampler, in each flavour, applied alone to one row of the largest vocabulary."""
    scores = logits(1, LARGEST)
    history = [torch.randint(0, LARGEST, (2000,), generator=torch.Generator().manual_seed(1))]
    rows, missed = [], []
    for name, kind in SAMPLERS.items():
        limit = SLOWER_MS.get(name, ALONE_MS)
        for sampler in flavours(kind):
            chain = Chain((sampler,))
            (turns,) = milliseconds([lambda chain=chain: chain.apply(scores, history)], options.turns)
            middle, label = statistics.median(turns), " ".join((name, *sampler.variant))
            rows.append((label, f"{min(turns):.2f}", f"{middle:.2f}", f"{limit:g}"))
            figures[f"alone_ms {label}"] = round(middle, 2)
            if middle >= limit:
                missed.append(f"{label}: {middle:.2f} ms")
    print()
    table((f"alone at V = {LARGEST:,}, one row", "least, ms", "median, ms", "limit, ms"), rows)
    return missed


def flavours(kind: type[Sampler]) -> list[Sampler]:
    """The sampler with settings that do something, in each of its flavours."""
    choices = {name: fact.choices for name, fact in kind.params().items() if fact.kind == "choice"}
    found = [kind(**SETTINGS.get(kind.name, {}))]
    for name, values in choices.items():
        found += [kind(**SETTINGS.get(kind.name, {}), **{name: value}) for value, _ in values[1:]]
    return found


def sorting(figures: dict[str, Any]) -> list[str]:
    """No chain above sorts a whole vocabulary: the widest that is sorted, as a share of V."""
    scores = logits(2, LARGEST)
    missed = []
    for url, _ in CHAINS.values():
        widest = max(sorted_widths(lambda url=url: Chain.from_url(url).apply(scores)), default=0)
        print(f"{url}: sorts at most {widest:,} of {LARGEST:,} tokens")
        figures[f"sorts_at_most {url}"] = widest
        if widest >= LARGEST // 4:
            missed.append(f"{url} sorts {widest} tokens")
    return missed


def milliseconds(jobs: list[Callable[[], Any]], num_turns: int, device: str = "cpu") -> list[list[float]]:
    """How long each job takes, turn by turn, the jobs taking turns; a turn is as many calls as fill some time."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize

    def seconds(job: Callable[[], Any], num_calls: int) -> float:
        wait()
        started = clock()
        for _ in range(num_calls):
            job()
        wait()
        return (clock() - started) / num_calls

    found: list[list[float]] = [[] for _ in jobs]
    num_calls = [max(1, int(TURN_S / min(seconds(job, 1) for _ in range(3)))) for job in jobs]
    for _ in range(num_turns):
        for job, calls, turns in zip(jobs, num_calls, found, strict=True):
            turns.append(seconds(job, calls) * 1000)
    return found


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    lines = [tuple(str(cell) for cell in line) for line in (head, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
