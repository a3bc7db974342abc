"""Records what transformers' own contrastive search and DoLa write, into search_fixture.json.

They left the library for repositories with code of their own; run this with one that had them: after
``pip install --target OLD "transformers==4.52.4"``, ``PYTHONPATH=OLD:. python -m tests.engine.make_search_fixture``.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers

from tests.engine.search_cases import CONTRASTIVE, DOLA, NUM_TOKENS, PROMPTS, tiny_llama

PATH = Path(__file__).with_name("search_fixture.json")


def main() -> None:
    cases = []
    model = tiny_llama()
    for prompt in PROMPTS:
        tokens = torch.tensor([prompt])
        shared = {"max_new_tokens": NUM_TOKENS, "do_sample": False, "attention_mask": torch.ones_like(tokens)}
        for top_k, alpha in CONTRASTIVE:
            written = model.generate(tokens, penalty_alpha=alpha, top_k=top_k, **shared)[0, len(prompt) :].tolist()
            cases.append({"prompt": prompt, "top_k": top_k, "alpha": alpha, "tokens": written})
        for layers in DOLA:
            written = model.generate(tokens, dola_layers=layers, **shared)[0, len(prompt) :].tolist()
            cases.append({"prompt": prompt, "dola_layers": layers, "tokens": written})
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    PATH.write_text(f'{{"transformers": "{transformers.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
