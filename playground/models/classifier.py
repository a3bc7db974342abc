"""A sequence classifier by hub id or folder: its labels, and the probability of each of them for texts.

Knows nothing about features, pools or what a label is good for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.models.catalogue import HUB_ID
from playground.models.loading import placement
from playground.models.memory import refuse_if_no_room
from playground.models.progress import quiet_transformers

BATCH = 16
MAX_TOKENS = 512
"""Of a text: what most classifiers were trained on; the rest is cut off."""
SAME = 1e-4
"""How far a probability may move where another text is read beside it."""
RETRY_S = 60.0
"""So long what could not be had is not tried again: a hub that does not answer takes its time to say so."""
TRIED = ("yes", "a text that is rather longer than the other one, so that the short one is filled up")
Score = Callable[[Sequence[str]], list[float]]


@dataclass(frozen=True)
class _Loaded:
    labels: tuple[str, ...]
    tokenizer: Any
    model: Any
    batched: bool = False
    """Whether texts may share a forward pass: filled up to one length, they must get what they get alone."""


@dataclass
class Classifier:
    """A classifier behind a folder or a hub id, loaded when it is first wanted; any thread may ask, one is answered."""

    location: str
    name: str = ""
    """What people are told; the location where nothing is given."""
    device: str = "auto"
    _loaded: _Loaded | None = None
    _labels: tuple[str, ...] | None = None
    _failure: tuple[float, PlaygroundError] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.name = self.name or self.location

    def load(self) -> None:
        """Read the weights, once. PlaygroundError where that cannot be; it is tried again after a minute."""
        with self._tried():
            if self._loaded is None:
                self._loaded = _load(self.location, self.name[:80], self.device)
                self._labels = self._loaded.labels

    def labels(self) -> tuple[str, ...]:
        """Its labels, from its configuration alone where the weights have not been read; PlaygroundError where it is
        no classifier."""
        with self._tried():
            if self._labels is None:
                self._labels = _labels_of(self.location, self.name[:80])
            return self._labels

    @contextmanager
    def _tried(self) -> Iterator[None]:
        """One at a time; what has just failed is not tried again at every drag."""
        with self._lock:
            if self._failure is not None and time.monotonic() - self._failure[0] < RETRY_S:
                raise PlaygroundError(str(self._failure[1]))
            try:
                yield
            except PlaygroundError as error:
                self._failure = (time.monotonic(), error)
                raise

    def index(self, label: str) -> int:
        """The number of a label by its name, capitals aside; its number as text does as well."""
        labels = self.labels()
        known = {one.casefold(): index for index, one in enumerate(labels)}
        index = known.get(label.casefold(), int(label) if label.isdecimal() and len(label) < 6 else -1)
        if not 0 <= index < len(labels):
            shown = ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")
            raise PlaygroundError(f"{self.name[:80]} has no label {label[:40]!r}; it has {shown}.")
        return index

    def probabilities(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """For each text p of every label: a softmax, or one sigmoid each where several labels may hold at once."""
        self.load()
        assert self._loaded is not None
        size = BATCH if self._loaded.batched else 1
        found: list[tuple[float, ...]] = []
        for start in range(0, len(texts), size):
            with self._lock:  # a tokenizer is not safe for two threads
                try:
                    found += _read(self._loaded, list(texts[start : start + size]))
                except (MemoryError, torch.OutOfMemoryError) as error:
                    raise PlaygroundError(f"{self.name[:80]} ran out of memory.") from error
        return found


@torch.no_grad()
def _read(loaded: _Loaded, texts: list[str]) -> list[tuple[float, ...]]:
    config, tokenizer = loaded.model.config, loaded.tokenizer
    limits = (getattr(config.get_text_config(), "max_position_embeddings", None), tokenizer.model_max_length)
    longest = min(MAX_TOKENS, *(int(limit) for limit in limits if limit))
    read = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1, truncation=True, max_length=longest)
    logits = loaded.model(**read.to(loaded.model.device)).logits.double()
    several = logits.shape[-1] == 1 or config.problem_type == "multi_label_classification"
    return [tuple(row) for row in (logits.sigmoid() if several else logits.softmax(-1)).tolist()]


def _load(location: str, name: str, device: str) -> _Loaded:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = _folder(location, name)
    _labels_of(location, name)  # refused before its weights are read
    device, dtype = placement(device, "float32")  # so that it answers the same beside other texts
    if folder is not None:
        refuse_if_no_room(name, Path(folder), dtype, device, "Name a smaller classifier.")
    told: dict[str, Any] = {"trust_remote_code": False, "local_files_only": folder is not None}
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder or location, **told)
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder or location, use_safetensors=True, dtype=getattr(torch, dtype), output_loading_info=True, **told
            )
            model = model.eval().to(device)
    except Exception as error:
        raise _unloadable(name, folder is None, error) from error
    if missing := sorted({*map(str, report["missing_keys"]), *map(str, report["mismatched_keys"])}):
        raise PlaygroundError(
            f"{name} has no weights for its labels ({missing[0][:60]}): it would answer at random. Name a model that "
            "was trained as a classifier."
        )
    if model.config.problem_type == "regression":
        raise PlaygroundError(f"{name} answers a number and no probabilities of labels. Name a classifier.")
    loaded = _Loaded(_labels(model.config), tokenizer, model)
    return replace(loaded, batched=tokenizer.pad_token is not None and _is_batchable(loaded))


def _is_batchable(loaded: _Loaded) -> bool:
    """Found by trying: some models take the filling for text, or refuse it."""
    try:
        alone, together = [_read(loaded, [text])[0] for text in TRIED], _read(loaded, list(TRIED))
    except Exception:
        return False
    pairs = (pair for rows in zip(alone, together, strict=True) for pair in zip(*rows, strict=True))
    return all(abs(one - other) < SAME for one, other in pairs)


def _labels_of(location: str, name: str) -> tuple[str, ...]:
    from transformers import AutoConfig

    folder = _folder(location, name)
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(
                folder or location, trust_remote_code=False, local_files_only=folder is not None
            )
    except Exception as error:
        raise _unloadable(name, folder is None, error) from error
    kinds = [str(kind) for kind in getattr(config, "architectures", None) or []]
    if kinds and not any("ForSequenceClassification" in kind for kind in kinds):
        raise PlaygroundError(
            f"{name} is no classifier: it is a {kinds[0][:60]}, which has no labels. Name a model that was made for "
            "sequence classification."
        )
    return _labels(config)


def classifier(location: str, label: str) -> Score:
    """The function from texts to p(``label``), for scripts. ``label``: one of the model's names, or its number."""
    made = _kept(location)
    made.load()
    index = made.index(label)
    return lambda texts: [row[index] for row in made.probabilities(texts)]


@lru_cache(maxsize=4)
def _kept(location: str) -> Classifier:
    return Classifier(location)


def _folder(location: str, name: str) -> str | None:
    """The folder that is meant, or None for a hub id."""
    path = Path(location).expanduser()
    if path.is_dir():
        return str(path)
    if not HUB_ID.fullmatch(location):
        raise PlaygroundError(f"{name} is no folder here (any more), and a hub id looks like org/name.")
    return None


def _labels(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label.get(index, index)) for index in range(config.num_labels))


def _unloadable(name: str, is_hub: bool, error: Exception) -> PlaygroundError:
    if is_hub and isinstance(error, OSError):
        return PlaygroundError(
            f"{name} could not be fetched from the hub: check the name, the network and that it has *.safetensors "
            "weights, or name a folder instead."
        )
    return PlaygroundError(
        f"{name} could not be loaded as a classifier ({type(error).__name__}). It must be a folder or a hub id of "
        "a sequence classification model with its tokenizer and *.safetensors weights."
    )
