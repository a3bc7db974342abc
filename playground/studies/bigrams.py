"""The toy of control: a language of a, b and an end, three tokens at most, so that all fifteen texts can be listed.

Knows nothing about engines or pages. Every figure about it is exact, because nothing is sampled.
"""

from __future__ import annotations

import numpy as np

from playground.control.features import features
from playground.control.pool import Pool
from playground.control.texts import Text
from playground.sampling.draw import Purpose, uniform
from playground.studies.analysis import Analysis

END, MAX_TOKENS = "$", 3
FIRST = {"a": 0.6, "b": 0.3, END: 0.1}
NEXT = {"a": {"a": 0.5, "b": 0.2, END: 0.3}, "b": {"a": 0.3, "b": 0.3, END: 0.4}}
FEATURES = ({"feature": "contains", "text": "b", "whole_words": False}, {"feature": "num_characters"})
TARGETS = (0.6, 2.2)
PROMPT = "fifteen sequences"


def sequences() -> dict[str, float]:
    """Every text and its probability; END stands where the text ended by itself."""
    found: dict[str, float] = {}

    def extend(text: str, p: float) -> None:
        if text.endswith(END) or len(text) == MAX_TOKENS:
            found[text] = p
            return
        for token, share in (NEXT[text[-1]] if text else FIRST).items():
            extend(text + token, p * share)

    extend("", 1.0)
    return found


def toy() -> Analysis:
    """The fifteen as a pool of everything there is, through "contains b" and "how long"."""
    all_of_them = sequences()
    log_p = np.log(list(all_of_them.values()))
    texts = tuple(
        Text(text.rstrip(END), len(text), -log / np.log(2)) for text, log in zip(all_of_them, log_p, strict=True)
    )
    darts = np.array([uniform(0, number, 0, Purpose.ACCEPT) for number in range(len(texts))])
    pool = Pool(texts, log_p, log_p.copy(), darts, (PROMPT,) * len(texts), ((),) * len(texts))
    made = features(list(FEATURES))
    values = np.array([one.score(texts) for one in made]).T
    return Analysis(pool, made, values, {}, enumerated=True)
