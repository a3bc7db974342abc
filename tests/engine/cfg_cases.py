"""The cases of the CFG comparison with transformers: prompts, negatives and scales, and how transformers answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

NUM_TOKENS = 48
SCALES = (1.0, 1.5, 3.0)
PROMPTS_AND_NEGATIVES = (
    ("The capital of France is", "The capital of Germany is"),
    ("Once upon a time there was a dragon who", "Once upon a time there was a plane that"),
    ("They decided to name their daughter", "They decided to name their dog"),
    ("Они решили назвать свою дочь", "Они решили назвать свою собаку"),
    ("def fibonacci(n):\n    ", "def hello():\n    "),
    ("The weather in London today is", "Weather"),
    ("To bake a good loaf of bread you need", "To repair a bicycle you need"),
    ("In the year 2050, people will", "In the year 1850, people would"),
    ("Q: What is 17 + 25?\nA:", "Q: Who are you?\nA:"),
    ("The three laws of robotics are", "A list:"),
    ("Dear Sir or Madam,\n\nI am writing to", "Hi there,\n\nI just wanted to"),
    ("Water boils at", "Iron melts at"),
    ("She opened the door and saw", "He closed the window and heard"),
    ("The best way to learn a language is", "The worst way to learn a language is"),
    ("import numpy as np\n\n", "import os\n\n"),
    ("1, 1, 2, 3, 5, 8,", "2, 4, 6, 8,"),
    ("El gato negro", "El perro blanco"),
    ("Roses are red,\nViolets are blue,\n", "The report follows.\n"),
    ("Scientists have discovered that the ocean", "Politicians have said that the economy"),
    ("The meaning of life, according to a tired engineer who had just finished a very long day, is", "x"),
)


class Case(NamedTuple):
    """One greedy text under guidance."""

    prompt: str
    negative: str | None
    """None: the default, the last token of the prompt."""
    scale: float


def cases() -> Iterator[Case]:
    """At scale 1 the negative plays no part, so there it is left out."""
    for prompt, negative in PROMPTS_AND_NEGATIVES:
        for scale in SCALES:
            yield Case(prompt, None, scale)
            if scale != 1.0:
                yield Case(prompt, negative, scale)


@torch.no_grad()
def by_transformers(hf_model: Any, tokenizer: Any, case: Case) -> list[int]:
    """What ``generate`` writes, greedily."""
    prompt = tokenizer(case.prompt, return_tensors="pt").to(hf_model.device)
    options: dict[str, Any] = {}
    if case.negative is not None:
        options["negative_prompt_ids"] = tokenizer(case.negative, return_tensors="pt").input_ids.to(hf_model.device)
    output = hf_model.generate(
        **prompt,
        guidance_scale=case.scale,
        do_sample=False,
        max_new_tokens=NUM_TOKENS,
        pad_token_id=tokenizer.eos_token_id,
        **options,
    )
    return list(output[0, prompt.input_ids.shape[1] :].tolist())
