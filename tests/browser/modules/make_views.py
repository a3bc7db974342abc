"""Writes the golden views the drawing tests use: a plausible vocabulary of 49,152 run through real arithmetic.

Knows nothing about the package: the modules must draw any view of this shape. `python make_views.py` rewrites views/.
"""

from __future__ import annotations

import json
import math
import random
from itertools import accumulate
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "views"
V = 49_152
FLOOR = 1e-30

WORDS = (  # noqa: SIM905 (a list of one word a line says no more)
    "dragon city king King sea Emperor people French wind beast fire castle sun world river lion town Lion "
    "queen Spanish princess emperor dragons royal sound sky other kingdom throne rest English first great whole "
    "President air colors army only two earth British German moon great next ship"
).split()

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "${alert(1)}",
    "</script><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    '"><svg onload=alert(1)>',
    "`${alert(1)}`",
    "␣שלום",
    "مرحبا",
    "👩🏽‍🚀",
    "<0x00>",
    "<0xE2>",
    "␣␣␣␣",
    "↵↵",
    "⇥",
    "<|im_start|>",
    "javascript:alert(1)",
    "\\u003cscript\\u003e",
    "नमस्ते",
    "a" * 120,
    "=1+1",
]


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    exps = [math.exp(s - top) if s > -math.inf else 0.0 for s in scores]
    total = sum(exps)
    return [e / total for e in exps]


def entropy_bits(p: list[float]) -> float:
    return -sum(x * math.log2(x) for x in p if x > 0)


def log10s(p: list[float], ranks: list[int]) -> list[float | None]:
    return [round(math.log10(p[r - 1]), 3) if p[r - 1] > 0 else None for r in ranks]


def log_ranks(size: int, points: int = 200) -> list[int]:
    steps = {round(math.exp(i * math.log(size) / (points - 1))) for i in range(points)}
    return sorted(steps | {1, size})


def base_scores(rng: random.Random, words: list[str]) -> tuple[list[float], list[float], list[str]]:
    """Prompt and negative logits in descending order of the prompt's, with labels."""
    prompt = [-3.0 - 1.15 * math.log1p(i / 4) - (i / V) * 9 + rng.gauss(0, 0.07) for i in range(V)]
    prompt.sort(reverse=True)
    negative = [s + rng.gauss(-0.1, 0.9) - (2.2 if i % 7 == 0 and i < 300 else 0.0) for i, s in enumerate(prompt)]
    labels = [words[i] if i < len(words) else f"␣w{i}" for i in range(V)]
    return prompt, negative, labels


def stage(view_stage: dict[str, Any], before: list[float], after: list[float], ranks: list[int], guided: list[float]):
    cumulative = list(accumulate(before))
    bits = (entropy_bits(before), entropy_bits(after))
    alive = [p > 0 for p in after]
    return {
        "title": view_stage["id"].replace("_", "-").capitalize(),
        "name": view_stage["id"],
        "note": "",
        "on": True,
        "cut": {"axis": "none", "value": None, "high": None},
        **view_stage,
        "before": log10s(before, ranks),
        "after": log10s(after, ranks),
        "cumulative": [round(cumulative[r - 1], 6) for r in ranks] if view_stage["id"] == "top_p" else [],
        "support_before": sum(p > 0 for p in before),
        "support": sum(alive),
        "choices_before": 2 ** bits[0],
        "choices": 2 ** bits[1],
        "entropy_before_bits": bits[0],
        "entropy_bits": bits[1],
        "kept_mass": sum(p for p, a in zip(before, alive, strict=True) if a),
        "kl_bits": 0.1,
        "mass_alive": sum(p for p, a in zip(guided, alive, strict=True) if a),
    }


def keep(p: list[float], wanted: set[int]) -> list[float]:
    total = sum(p[i] for i in wanted)
    return [x / total if i in wanted else 0.0 for i, x in enumerate(p)]


def run(
    name: str, words: list[str], *, scale: float, temperature: float, top_p: float, top_k: int, min_p: float, u: float
):
    rng = random.Random(7)
    prompt, negative, labels = base_scores(rng, words)
    ranks = log_ranks(V)
    raw, neg = softmax(prompt), softmax(negative)
    stages: list[dict[str, Any]] = []
    gap = [math.log(max(a, FLOOR)) - math.log(max(b, FLOOR)) for a, b in zip(raw, neg, strict=True)]
    guided = softmax([s + (scale - 1) * d for s, d in zip(prompt, gap, strict=True)])
    removed_by: dict[int, str] = {}
    current, path = guided, [raw, guided]

    def add(spec: dict[str, Any], after: list[float]) -> None:
        nonlocal current
        for i, (a, b) in enumerate(zip(current, after, strict=True)):
            if a > 0 and b == 0:
                removed_by.setdefault(i, spec["id"])
        stages.append(stage(spec, current, after, ranks, guided))
        current = after
        path.append(after)

    stages.append(
        stage(
            {"id": "guidance", "title": "Guidance", "kind": "guidance", "params": {"scale": scale}, "on": scale != 1},
            raw,
            guided,
            ranks,
            guided,
        )
    )
    if temperature != 1:
        warm = softmax([math.log(max(p, FLOOR)) / temperature for p in current])
        add({"id": "temperature", "kind": "shape", "params": {"temperature": temperature}}, warm)
    if scale != 1 and not top_k:
        stages.append(
            stage(
                {"id": "top_k", "title": "Top-k", "kind": "truncate", "params": {}, "on": False},
                current,
                current,
                ranks,
                guided,
            )
        )
        path.append(current)
    order = sorted(range(V), key=lambda i: (-current[i], i))
    if top_k:
        add(
            {
                "id": "top_k",
                "title": "Top-k",
                "kind": "truncate",
                "params": {"top_k": top_k},
                "cut": {"axis": "rank", "value": top_k, "high": None},
            },
            keep(current, set(order[:top_k])),
        )
    if top_p < 1:
        total, kept = 0.0, set()
        for i in order:
            kept.add(i)
            total += current[i]
            if total >= top_p:
                break
        add(
            {
                "id": "top_p",
                "title": "Top-p",
                "kind": "truncate",
                "params": {"top_p": top_p},
                "cut": {"axis": "cumulative", "value": top_p, "high": None},
            },
            keep(current, kept),
        )
    if min_p > 0:
        line = min_p * max(current)
        add(
            {
                "id": "min_p",
                "title": "Min-p",
                "kind": "truncate",
                "params": {"min_p": min_p},
                "cut": {"axis": "probability", "value": line, "high": None},
            },
            keep(current, {i for i, p in enumerate(current) if p >= line}),
        )

    final = current
    token_ids = [(i * 7919 + 13) % V for i in range(V)]
    by_final = sorted(range(V), key=lambda i: (-final[i], i))
    start, segments, drawn = 0.0, [], by_final[0]
    for i in by_final:
        if final[i] <= 0:
            break
        if len(segments) < 40:
            segments.append({"token_id": token_ids[i], "text": labels[i], "start": start, "p": final[i]})
        if start <= u < start + final[i]:
            drawn = i
        start += final[i]
    shown = [i for i in by_final[:20] if final[i] > 0]
    cut = sorted(removed_by, key=lambda i: (-raw[i], i))[:5]
    shown += [i for i in [*cut, drawn] if i not in shown]
    rows = [
        {
            "token_id": token_ids[i],
            "text": labels[i],
            "rank": i + 1,
            "p_raw": raw[i],
            "p_final": final[i],
            "removed_by": removed_by.get(i, ""),
            "drawn": i == drawn,
            "chosen": i == shown[3],
            "pinned": False,
            "journey": [p[i] for p in path],
        }
        for i in shown
    ]
    base = {"support": V, "choices": 2 ** entropy_bits(raw), "entropy_bits": entropy_bits(raw)}
    last = {
        "support": sum(p > 0 for p in final),
        "choices": 2 ** entropy_bits(final),
        "entropy_bits": entropy_bits(final),
    }
    plausible = [i for i in range(2000) if raw[i] >= 0.001 * raw[0]]
    ratios = sorted(plausible, key=lambda i: guided[i] / raw[i])
    negative_text = words[-1] if words is not WORDS_LABELLED else "The plane flew over Paris, France, and the"

    def mark(i: int) -> dict[str, Any]:
        name = {"token_id": token_ids[i], "text": labels[i]}
        return {**name, "p_prompt": raw[i], "p_others": [neg[i]], "p_guided": guided[i], "ratio": guided[i] / raw[i]}

    def branch(name: str, words: str, text: str, weight: float, p: list[float]) -> dict[str, Any]:
        facts = {"rendered": text, "is_text": True, "model": "", "temperature": 1.0, "weight_at_full": weight}
        figures = {"weight": weight, "entropy_bits": entropy_bits(p), "curve": log10s(p, ranks)}
        return {"name": name, "words": words, "text": text, **facts, **figures}

    view = {
        "version": 1,
        "key": "golden",
        "title": "…France, and the",
        "at_end": True,
        "recomputed": False,
        "vocabulary_size": V,
        "ranks": ranks,
        "base": base,
        "final": last,
        "guided": {"support": V, "choices": 2 ** entropy_bits(guided), "entropy_bits": entropy_bits(guided)},
        "kept_mass": sum(r for r, f in zip(raw, final, strict=True) if f > 0),
        "stages": stages,
        "rows": rows,
        "others": {
            "count": V - len(rows),
            "p_raw": 1 - sum(r["p_raw"] for r in rows),
            "p_final": max(0.0, 1 - sum(r["p_final"] for r in rows)),
        },
        "dart": {
            "u": u,
            "seed": 7,
            "step": 0,
            "token_id": token_ids[drawn],
            "text": labels[drawn],
            "p": final[drawn],
            "segments": segments,
        },
        "guidance": None
        if scale == 1
        else {
            "preset": "cfg",
            "title": "CFG",
            "formula": "γ·log p(prompt) + (1 − γ)·log p(other)",
            "scale": scale,
            "scale_is": "the scale is γ",
            "off": False,
            "strength": 1.0,
            "weight_sum": 1.0,
            "branches": [
                branch("prompt", "the prompt", "", scale, raw),
                branch("negative", "the other text", negative_text, 1 - scale, neg),
            ],
            "gate": "",
            "schedule": "",
            "mask": "",
            "promoted": [mark(i) for i in ratios[:-8:-1]],
            "suppressed": [mark(i) for i in ratios[:7]],
            "promoted_anywhere": [mark(i) for i in ratios[:-5:-1]],
            "suppressed_anywhere": [mark(i) for i in ratios[:4]],
            "curve_guided": log10s(guided, ranks),
            "cost_ms": 34.2,
        },
        "sentence": [
            {"text": "The model wavered between about ", "kind": "text"},
            {"text": f"{base['choices']:.0f}", "kind": "figure"},
            {"text": " tokens; min-p left ", "kind": "text"},
            {"text": f"{last['support']:,}", "kind": "figure"},
            {"text": "; the dart hit ", "kind": "text"},
            {"text": labels[drawn], "kind": "token"},
            {"text": f" ({100 * final[drawn]:.1f} %).", "kind": "text"},
        ],
        "cost_ms": 6.0,
    }
    write(name, view)


def write(name: str, value: Any) -> None:
    (HERE / f"{name}.json").write_text(
        json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8"
    )


WORDS_LABELLED = ["␣" + word for word in WORDS]

PROMPT = ["The", " dragon", " flew", " over", " Paris", ",", " France", ",", " and", " the"]
OUTPUT = (  # noqa: SIM905
    " Emperor| Paris| was| defeated|.| In| fact|,| he| had| a| dragon| that| was| larger| than| him|,| and| it| flew"
    "| over| the| E|iff|el| Tower| to| the| top|.| The| King| of| France| was| defeated|.|\n|\n|“|Bonjour|”|,| said"
    "| the| dragon|,| and| then| left| for| Москва| in| 1|9|8|4|."
).split("|")


def label(text: str) -> str:
    return text.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


def text_view() -> None:
    rng = random.Random(3)
    prompt = [
        {
            "index": i,
            "token_id": 100 + i,
            "text": t,
            "label": label(t),
            "prompt": True,
            "special": False,
            "key": "",
            "surprisal_bits": None,
            "entropy_bits": None,
            "p_raw": None,
            "p_final": None,
        }
        for i, t in enumerate(PROMPT)
    ]
    output = []
    for i, t in enumerate(OUTPUT):
        surprisal = abs(rng.gauss(0, 3.2)) if i else 5.6
        output.append(
            {
                "index": i,
                "token_id": 1000 + i % 40,
                "text": t,
                "label": label(t),
                "prompt": False,
                "special": False,
                "key": f"k{i}",
                "surprisal_bits": round(surprisal, 3),
                "entropy_bits": 4.0,
                "p_raw": 2**-surprisal,
                "p_final": min(1, 1.4 * 2**-surprisal),
            }
        )
    for text, name, special in [
        ("", "<0xE2>", False),
        ("", "<0x9C>", False),
        ("✓", "<0x93>", False),
        ("", "<|im_end|>", True),
    ]:
        output.append({**output[-1], "index": len(output), "text": text, "label": name, "special": special, "key": "e"})
    write("text", {"prompt": prompt, "output": output})


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    run("dragon", WORDS_LABELLED, scale=1.5, temperature=1.4, top_p=0.95, top_k=0, min_p=0.1, u=0.496)
    run("plain", WORDS_LABELLED, scale=1.0, temperature=1.0, top_p=1.0, top_k=20, min_p=0.0, u=0.93)
    run("first", WORDS_LABELLED, scale=1.0, temperature=1.0, top_p=0.9, top_k=0, min_p=0.05, u=0.31)
    run("hostile", HOSTILE, scale=2.0, temperature=0.8, top_p=1.0, top_k=0, min_p=0.02, u=0.2)
    text_view()
