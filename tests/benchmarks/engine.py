"""Measures the engine on the default model: against a bare forward loop, against threads, beside one long request.

Run from the root of the repository: ``python -m tests.benchmarks.engine``. A table for people, one JSON line last.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from playground.settings import Settings, prepare_process

prepare_process(Settings())

import torch  # noqa: E402

from playground.engine import Engine, Request, Step, Stream  # noqa: E402
from playground.models import Chunk, Model, load_model  # noqa: E402
from playground.sampling import Chain, cfg  # noqa: E402

NUM_USERS = 16
NUM_SHORT = 15
LONG = 8000
PAGE_CHAIN = Chain.from_json([{"sampler": "temperature", "temperature": 1.0}, {"sampler": "min_p", "min_p": 0.05}])
"""What is on when the page opens."""


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.num_threads)
    model = load_model("default", cache_dir=options.cache_dir, device=options.device, progress=lambda *_: None)
    figures: dict[str, Any] = {"device": options.device, "num_threads": options.num_threads}
    parts = {"plain": plain, "threads": threads, "guidance": guidance, "long": long_beside_short,
             "bulk": one_beside_bulk}
    for name in options.parts:
        figures |= parts[name](model, options)
    if "engine_tokens_per_s" in figures and "threads_tokens_per_s" in figures:
        figures["times_threads"] = figures["engine_tokens_per_s"] / figures["threads_tokens_per_s"]
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}" if isinstance(value, float) else f"{name:32} {value}")
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache-dir", default=Settings().cache_path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--num-threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--num-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=4, help="bare and engine take turns; the best of each counts")
    parser.add_argument("--parts", nargs="+", default=["plain", "threads", "guidance", "long", "bulk"])
    return parser.parse_args()


def plain(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """16 plain requests: a bare loop of transformers, one over our backend, and the engine; prefill in all three."""
    transformers_s, bare_s, engine_s, bare_cpu_s, engine_cpu_s, step_ms = [], [], [], [], [], {}
    for _ in range(options.rounds):
        transformers_s.append(in_thread(options, transformers_loop, model, options.num_tokens))
        start_s = time.process_time()
        bare_s.append(in_thread(options, bare_loop, model, options.num_tokens))
        bare_cpu_s.append(time.process_time() - start_s)
        with Engine(model, num_threads=options.num_threads) as engine:
            start_s = time.process_time()
            engine_s.append(seconds(write, engine, prompts(model), options.num_tokens))
            engine_cpu_s.append(time.process_time() - start_s)
            step_ms = engine.status()["step_ms"]
    num_tokens = NUM_USERS * options.num_tokens
    return {
        "engine_over_bare_in_cpu_s": min(bare_cpu_s) / min(engine_cpu_s),  # steadier on a machine that others use
        "bare_tokens_per_s": num_tokens / min(bare_s),
        "engine_tokens_per_s": num_tokens / min(engine_s),
        "engine_over_bare": min(bare_s) / min(engine_s),
        "transformers_loop_tokens_per_s": num_tokens / min(transformers_s),
        "engine_over_transformers_loop": min(transformers_s) / min(engine_s),
        **{f"{part}_ms": value for part, value in step_ms.items()},
    }


def threads(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """16 Python threads, each calling transformers' ``generate``."""
    num_tokens = min(options.num_tokens, 16)

    def one(token_ids: Sequence[int]) -> None:
        torch.set_num_threads(options.num_threads)
        model.hf_model.generate(
            torch.tensor([token_ids], device=model.hf_model.device),
            attention_mask=torch.ones(1, len(token_ids), device=model.hf_model.device),
            do_sample=True, min_p=0.05, min_new_tokens=num_tokens, max_new_tokens=num_tokens,
            pad_token_id=model.tokenizer.eos_token_id,
        )  # fmt: skip

    workers = [threading.Thread(target=one, args=(token_ids,)) for token_ids in prompts(model)]
    return {"threads_tokens_per_s": NUM_USERS * num_tokens / seconds(start_and_join, workers)}


def guidance(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """What guidance adds for one user, and for sixteen."""
    figures = {}
    for num_users in (1, NUM_USERS):
        with Engine(model, num_threads=options.num_threads) as engine:
            asked = prompts(model)[:num_users]
            plain_s = min(seconds(write, engine, asked, 24) for _ in range(2))
            guided_s = min(seconds(write, engine, asked, 24, 1.5) for _ in range(2))
        figures[f"guided_over_plain_{num_users}"] = guided_s / plain_s
    return figures


def long_beside_short(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """How much longer 15 short requests take while one of 8,000 tokens is read, and while it writes."""
    long = Request(tuple(prompts(model)[0][:1]) * LONG, PAGE_CHAIN, max_tokens=150, ignore_eos=True, keep_rows=False)
    with Engine(model, num_threads=options.num_threads) as engine:
        short = prompts(model)[:NUM_SHORT]

        def shorts() -> float:
            return seconds(write, engine, short, options.num_tokens)

        alone_s = min(shorts() for _ in range(2))
        stream = engine.submit(long)
        reading_s = shorts()
        still_reading = not stream.drain()
        wait_for_first(stream)
        writing_s = shorts()
        still_writing = stream.done is None
        stream.cancel()
        alone_s = min(alone_s, shorts())
    return {
        "slowdown_while_it_reads": reading_s / alone_s,
        "slowdown_while_it_writes": writing_s / alone_s,
        "it_read_and_wrote_all_along": still_reading and still_writing,
    }


def one_beside_bulk(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    """How much longer one person's tokens take beside a pool that is being drawn, what the pool gets meanwhile and what
    alone, and how soon a second session's texts begin beside a large pool."""
    first, second = prompts(model)[:2]

    def pool(session: str, num_samples: int) -> Request:
        return Request(first, max_tokens=60, num_samples=num_samples, priority="bulk", session=session, keep_rows=False)

    with Engine(model, num_threads=options.num_threads) as engine:

        def person() -> float:
            return seconds(write, engine, [second], options.num_tokens)

        alone_s = min(person() for _ in range(2))
        stream = engine.submit(pool("first", 5000))
        wait_for_first(stream)
        time.sleep(2)
        stream.drain()
        beside_s = person()
        num_beside = len(stream.drain())
        time.sleep(10)
        num_alone = len(stream.drain())
        newcomer_s = seconds(wait_for_first, engine.submit(pool("second", 64)))
    return {
        "one_beside_bulk_over_alone": beside_s / alone_s,
        "bulk_tokens_per_s_beside_one": num_beside / beside_s,
        "bulk_tokens_per_s": num_alone / 10,
        "second_session_begins_after_s": newcomer_s,
    }


def bare_loop(model: Model, num_tokens: int) -> None:
    """The least a batch can cost: forwards and an argmax."""
    lanes = {10**6 + n: token_ids for n, token_ids in enumerate(prompts(model))}
    with torch.no_grad():
        logits = model.backend.forward([Chunk(lane, token_ids) for lane, token_ids in lanes.items()])
        for _ in range(num_tokens - 1):
            drawn = logits.argmax(-1).tolist()
            logits = model.backend.forward([Chunk(lane, (token,)) for lane, token in zip(lanes, drawn, strict=True)])
    for lane in lanes:
        model.backend.release(lane)


def transformers_loop(model: Model, num_tokens: int) -> None:
    """The model's own forward with its own cache, left-padded to one batch, and an argmax; nothing of ours in it."""
    asked, device = prompts(model), model.hf_model.device
    width = max(map(len, asked))
    token_ids = torch.tensor([(0,) * (width - len(one)) + one for one in asked], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in asked], device=device)
    positions, cache = (mask.cumsum(-1) - 1).clamp(min=0), None
    with torch.no_grad():
        for _ in range(num_tokens):
            out = model.hf_model(token_ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
                                 use_cache=True, logits_to_keep=1)  # fmt: skip
            cache, token_ids = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
            mask = torch.cat([mask, torch.ones_like(token_ids)], dim=1)
            positions = positions[:, -1:] + 1


def write(engine: Engine, asked: Sequence[tuple[int, ...]], num_tokens: int, scale: float = 1.0) -> None:
    """All requests at once, each to its full length."""
    requests = [
        Request(token_ids, PAGE_CHAIN, num_tokens, seed, cfg(scale), ignore_eos=True)
        for seed, token_ids in enumerate(asked)
    ]
    streams = [engine.submit(request) for request in requests]
    for stream in streams:
        assert stream.result().reason == "length"


def wait_for_first(stream: Stream) -> None:
    assert isinstance(next(iter(stream)), Step)


def prompts(model: Model) -> list[tuple[int, ...]]:
    """16 prompts of different lengths."""
    texts = [f"Story {n}. Once upon a time{', in a far away land' * (n % 4)} there was" for n in range(NUM_USERS)]
    return [tuple(model.backend.vocabulary.encode(text)) for text in texts]


def in_thread(options: argparse.Namespace, work: Callable[..., None], *arguments: Any) -> float:
    """Seconds of the work in a thread of its own, as the engine has one: a thread's OpenMP team is its own too."""
    took_s: list[float] = []

    def run() -> None:
        torch.set_num_threads(options.num_threads)
        took_s.append(seconds(work, *arguments))

    start_and_join([threading.Thread(target=run)])
    return took_s[0]


def start_and_join(workers: Sequence[threading.Thread]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def seconds(work: Callable[..., None], *arguments: Any) -> float:
    start_s = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
