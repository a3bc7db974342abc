"""A sequence classifier by hub id or folder, as a function: texts in, the probability of one label out.

Knows nothing about features, pools or what the label is good for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.models.catalogue import HUB_ID
from playground.models.progress import quiet_transformers

BATCH = 32
MAX_TOKENS = 512
"""Of a text: what most classifiers were trained on; the rest is cut off."""
Score = Callable[[Sequence[str]], list[float]]


@lru_cache(maxsize=4)
def load_classifier(name: str) -> tuple[Any, Any]:
    """The tokenizer and the model behind a hub id or a folder; PlaygroundError where there is none."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if not Path(name).expanduser().is_dir() and not HUB_ID.fullmatch(name):
        raise PlaygroundError(f"There is no folder {name[:80]!r}, and a hub id looks like org/name.")
    location = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(location)
            model = AutoModelForSequenceClassification.from_pretrained(location, use_safetensors=True)
    except Exception as error:
        raise PlaygroundError(
            f"{name[:80]} could not be loaded as a classifier ({type(error).__name__}). It must be a folder or a hub "
            "id of a sequence classification model with its tokenizer and *.safetensors weights."
        ) from error
    return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def classifier(name: str, label: str) -> Score:
    """The function from texts to p(``label``), softmax over the model's labels (a sigmoid where it has one alone).

    ``label`` is one of the model's names for its labels, or the number of one as text.
    """
    tokenizer, model = load_classifier(name)
    names = {str(known).lower(): int(index) for index, known in model.config.id2label.items()}
    index = names.get(label.lower(), int(label) if label.isdecimal() and len(label) < 6 else -1)
    if not 0 <= index < model.config.num_labels:
        raise PlaygroundError(f"{name[:80]} has no label {label[:40]!r}; it has {', '.join(list(names)[:20])}.")

    def score(texts: Sequence[str]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(texts), BATCH):
            found += _probabilities(tokenizer, model, list(texts[start : start + BATCH]), index)
        return found

    return score


@torch.no_grad()
def _probabilities(tokenizer: Any, model: Any, texts: list[str], index: int) -> list[float]:
    """p of one label for each text of a batch."""
    padded = tokenizer.pad_token is not None
    batches = [texts] if padded else [[text] for text in texts]  # without a padding token one text at a time
    found: list[float] = []
    for batch in batches:
        longest = min(MAX_TOKENS, getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS)
        read = tokenizer(batch, return_tensors="pt", padding=padded, truncation=True, max_length=longest)
        logits = model(**read.to(model.device)).logits.double()
        probs = logits.sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)
        found += probs[:, index].tolist()
    return found
