"""The example chips: one click sets the page up, one sentence says what to watch.

Knows nothing about the page: an example is data that the page's own state understands.
"""

from __future__ import annotations

from typing import Any

_LONG_PASSAGE = (
    "Nora had carried the brass compass through every storm since she was nine. Her grandfather had pressed it into "
    "her hand on the quay and told her that it would always know the way home. The needle had rusted, the glass had "
    "cracked, and the sailors laughed at it, but she never went aboard without it. Now the fog was so thick that the "
    "bow had vanished, the radio was dead, and the captain was asking for anything that could tell north from south. "
    "Nora reached into her coat and took out the brass"
)


def _strip(temperature: float = 1.0, **on: float) -> list[dict[str, Any]]:
    """The opening strip with a temperature and the truncations named in ``on``; the rest is off."""
    stages: list[dict[str, Any]] = [{"id": "temperature", "on": temperature != 1, "temperature": temperature}]
    for name in ("top_k", "top_p", "min_p"):
        stages.append({"id": name, "on": name in on, **({name: on[name]} if name in on else {})})
    return stages


def example(title: str, watch: str, prompt: str, chip: str = "", **state: Any) -> dict[str, Any]:
    """One click; ``state`` overrides the neutral page (negative, scale, guidance, strip, chat, system, search, ...).

    Examples with the same ``chip`` are halves of one chip: the same sentence in two languages, the same heat twice.
    """
    neutral = {
        "negative": "",
        "scale": 1.0,
        "strip": _strip(min_p=0.05),
        "chat": False,
        "system": "",
        "max_tokens": 64,
        "seed": 7,
    }
    return {"title": title, "watch": watch, "chip": chip or title, "state": {**neutral, "prompt": prompt, **state}}


EXAMPLES: list[dict[str, Any]] = [
    example(
        "A daughter's name",
        "Many right answers: watch how many names min-p leaves and how top-k cuts a flat list in the middle.",
        "They decided to name their daughter",
        "name",
        strip=_strip(),
    ),
    example(
        "по-русски",
        "The same sentence in Russian: the tokens are shorter pieces, and the model knows less.",
        "Они решили назвать свою дочь",
        "name",
        strip=_strip(),
    ),
    example(
        "A sure fact",
        "One token takes nearly everything: no sampler can do much harm here.",
        "The capital of France is",
        max_tokens=24,
    ),
    example(
        "Hot, under top-p",
        "Temperature 2 floods the tail and top-p 0.95 lets thousands of tokens through: generate and read.",
        "Once upon a time, in a village by the sea,",
        "hot",
        strip=_strip(2.0, top_p=0.95),
    ),
    example(
        "under min-p",
        "The same heat, but min-p 0.1 measures against the best token: the text holds.",
        "Once upon a time, in a village by the sea,",
        "hot",
        strip=_strip(2.0, min_p=0.1),
    ),
    example(
        "The dragon and the plane",
        "Guidance away from a plane: watch beast, throne and kingdom rise.",
        "The dragon flew over Paris, France, and the",
        negative="The plane flew over Paris, France, and the",
        scale=1.5,
        strip=_strip(1.4, top_p=0.95, min_p=0.1),
    ),
    example(
        "Step by step",
        "A sum in words: look for the uncertain steps, where a different dart changes the answer.",
        "Question: Tom has 3 boxes with 4 apples each. He eats 2 apples. How many apples are left?\n"
        "Answer: Let's think step by step.",
        strip=_strip(0.7, min_p=0.1),
        max_tokens=96,
    ),
    example(
        "A code stub",
        "Code is nearly certain at most tokens and open at a few: see the timeline.",
        'def is_prime(n):\n    """Return True if n is a prime number."""\n',
        strip=_strip(0.7, min_p=0.1),
        max_tokens=96,
    ),
    example(
        "The last word",
        "The missing word stands only at the beginning: guidance from the last token helps the model use its context.",
        _LONG_PASSAGE,
        scale=1.5,
        max_tokens=12,
    ),
    example(
        "Trust the passage",
        "The passage says Denver, the model's memory California. Context-aware decoding takes away what the question "
        "alone would answer: move the scale from 1 to 2.5 and watch Denver win.",
        "The company was sold last year. Since then, the headquarters of Apple have been in Denver.\n\n"
        "The headquarters of Apple are in",
        negative="The headquarters of Apple are in",
        guidance={"preset": "cad"},
        scale=2.5,
        strip=_strip(min_p=0.05),
        max_tokens=24,
    ),
    example(
        "A pirate and its opposite",
        "A system prompt against its opposite: raise the scale and watch the voice change.",
        "How do I make a cup of tea?",
        chat=True,
        system="You are a pirate. Answer every question in pirate speech.",
        negative="You are a polite butler. Answer every question formally.",
        scale=2.0,
        strip=_strip(0.8, min_p=0.1),
        max_tokens=96,
    ),
    example(
        "Beams go round",
        "The most probable text is a dull one: four beams agree on a sentence that repeats itself. See the tree.",
        "My favourite animal is the cat because",
        "search",
        strip=_strip(),
        search={"search": "beam", "num_beams": 4},
    ),
    example(
        "contrastive does not",
        "The same model, without chance: each candidate pays for resembling what stands there. Click a token.",
        "My favourite animal is the cat because",
        "search",
        strip=_strip(),
        search={"search": "contrastive", "top_k": 6, "alpha": 0.6},
    ),
]
