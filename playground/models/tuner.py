"""The gradient step: texts and one coefficient a text in, an adapter that descends Σ c_i log π(x_i) out.

Knows nothing about divergences, targets or where texts come from. It works on modules of its own; what the engine
serves shares their frozen tensors and nothing else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from playground.errors import PlaygroundError
from playground.models.adapters import AdapterShelf, Shape, adapter_weights, put_weights, shared_copy, with_adapter
from playground.models.backend import Backend, Model
from playground.models.choosing import choose_backend

Text = tuple[Sequence[int], Sequence[int]]
"""A prompt's token ids, and the ids written after it (an end token, where it was drawn, included)."""

MAX_GRADIENT_NORM = 1.0
PIECE_OF_WORK = {"cpu": 1.2e10, "cuda": 1e13}
"""Weights times tokens that are read forwards and backwards at once: half a second or less on one core."""
MAX_TEXTS_AT_ONCE = 32


class Tuner:
    """One adapter in training; not for several threads at once."""

    def __init__(self, model: Model, shape: Shape | None = None) -> None:
        if model.hf_model is None:
            raise PlaygroundError(f"{model.name} has no weights that could be tuned. Load a transformers model.")
        self.model = model
        self.shape = shape or Shape()
        self.num_steps = 0
        self._adapted = with_adapter(model.hf_model, self.shape)
        self._base = shared_copy(model.hf_model)
        self._trained = [weight for weight in self._adapted.parameters() if weight.requires_grad]
        # The adapter is small and starts at zero: decay would only pull it back to the base, which the loss weighs.
        self._optimizer = torch.optim.AdamW(self._trained, lr=0.0, weight_decay=0.0)
        self._backend: Backend | None = None

    @property
    def backend(self) -> Backend:
        """The policy as it stands, for drawing what the next step learns from. Only between steps, by the tuner's own
        thread, and every lane released before the next step: everybody else is given a ``snapshot``."""
        if self._backend is None:
            self._backend, _ = _backend_over(self._adapted, self.model)
        return self._backend

    @property
    def num_weights(self) -> int:
        """Numbers that are trained."""
        return sum(weight.numel() for weight in self._trained)

    def texts_at_once(self, num_tokens: int) -> int:
        """How many texts of that length make one piece of work: by size, not by the clock, so that a run is a function
        of its seed alone (the order in which gradients are added is part of it)."""
        hf_model = self.model.hf_model
        budget = PIECE_OF_WORK.get(hf_model.device.type, PIECE_OF_WORK["cuda"])
        return max(1, min(MAX_TEXTS_AT_ONCE, int(budget / (hf_model.num_parameters() * max(1, num_tokens)))))

    # The step

    def accumulate(self, texts: Sequence[Text], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add the gradient of Σ c_i log π(x_i) over a few texts; float64[N], their log π, nats."""
        with torch.enable_grad():
            log_probs = _log_probs(self._adapted, texts, self.model.backend.max_context)
            wanted = torch.as_tensor(coefficients, dtype=torch.float64, device=log_probs.device)
            (wanted * log_probs).sum().backward()
        return log_probs.detach().cpu().numpy()

    def step(self, learning_rate: float, max_gradient_norm: float = MAX_GRADIENT_NORM) -> float:
        """One AdamW step along what was accumulated, and its gradient's norm before clipping.

        A gradient that is no number is dropped and said: one such step would destroy the adapter."""
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained, max_gradient_norm))
        if not math.isfinite(norm):
            self.forget_gradient()
            raise PlaygroundError("The gradient overflowed, so this step was not taken. Lower the learning rate.")
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()
        self.forget_gradient()
        self.num_steps += 1
        return norm

    def forget_gradient(self) -> None:
        """Drop what was accumulated (a cancelled step)."""
        self._optimizer.zero_grad(set_to_none=True)

    # Reading

    def log_policy(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """float64[N], nats: log π of each text, its end token counted once where it is part of the text."""
        return self._read(self._adapted, texts)

    def log_base(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """float64[N], nats: the same under the untouched model."""
        return self._read(self._base, texts)

    def _read(self, module: Any, texts: Sequence[Text]) -> NDArray[np.float64]:
        with torch.no_grad():
            return _log_probs(module, texts, self.model.backend.max_context).cpu().numpy()

    def snapshot(self) -> Model:
        """The model as tuned so far, to propose or to write from: its own module around the shared tensors and a copy
        of the adapter, so that no later step changes a text that is being written with it."""
        adapted = with_adapter(self.model.hf_model, self.shape)
        put_weights(adapted, adapter_weights(self._adapted))
        for weight in adapted.parameters():
            weight.requires_grad_(False)
        backend, batching = _backend_over(adapted, self.model)
        note = f"{self.model.note.split(';')[0]} with a tuned adapter of {self.num_weights:,} weights; {batching}"
        module = adapted.get_base_model()
        return replace(self.model, name=f"{self.model.name}, tuned", backend=backend, note=note, hf_model=module)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the adapter as it stands, for ``restore``."""
        return adapter_weights(self._adapted)

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Go back to earlier weights; AdamW starts anew, because its memory belongs to where it came from."""
        put_weights(self._adapted, weights)
        self._optimizer.state.clear()

    # Files

    def save(self, shelf: AdapterShelf, about: dict[str, Any]) -> str:
        """Write adapter, optimiser and notes; the generated name."""
        notes = {**about, "num_steps": self.num_steps}
        return shelf.save(self._adapted, self.model.name, self.shape, self._optimizer_tensors(), notes)

    @classmethod
    def load(cls, model: Model, shelf: AdapterShelf, name: str) -> tuple[Tuner, dict[str, Any]]:
        """A tuner that goes on where the saved one stood, and the notes saved with it."""
        saved = shelf.load(name, model.name)
        tuner = cls(model, saved.shape)
        put_weights(tuner._adapted, saved.weights)
        tuner._put_optimizer_tensors(saved.optimizer)
        tuner.num_steps = int(saved.about.get("num_steps", 0))
        return tuner, saved.about

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        """AdamW's memory, ``place.part`` -> tensor; empty before the first step. No pickle is written or read."""
        state = self._optimizer.state_dict()["state"]
        return {f"{place}.{part}": value.clone() for place, parts in state.items() for part, value in parts.items()}

    def _put_optimizer_tensors(self, tensors: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            place, _, part = name.partition(".")
            state.setdefault(int(place), {})[part] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})


def _log_probs(module: Any, texts: Sequence[Text], max_context: int) -> Tensor:
    """float64[N], nats: the log-probability of what was written after each prompt, in one padded forward.

    Padding stands on the right, where a causal model cannot see it. Logits are made only from the end of the shortest
    prompt on, in float32; each text's sum is in float64.
    """
    device = module.get_input_embeddings().weight.device
    lengths = [(len(prompt), len(prompt) + len(written)) for prompt, written in texts]
    if not texts or any(start < 1 or stop <= start for start, stop in lengths):
        raise PlaygroundError("A text to learn from needs a prompt and at least one token written after it.")
    width, first = max(stop for _, stop in lengths), min(start for start, _ in lengths)
    if width > max_context:
        raise PlaygroundError(f"A text is {width:,} tokens long and this model reads at most {max_context:,}.")
    rows = [[*prompt, *written, *[0] * (width - len(prompt) - len(written))] for prompt, written in texts]
    token_ids = torch.tensor(rows, device=device)
    kept = width - first
    arguments: dict[str, Any] = {"use_cache": False}
    if "logits_to_keep" in inspect.signature(_inner(module).forward).parameters:
        arguments["logits_to_keep"] = kept
    logits = module(input_ids=token_ids[:, :-1], **arguments).logits[:, -kept:].float()
    targets = token_ids[:, first:]
    taken = -torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    places = torch.arange(first, width, device=device)[None]
    starts, stops = (torch.tensor(each, device=device)[:, None] for each in zip(*lengths, strict=True))
    return torch.where((places >= starts) & (places < stops), taken.view_as(targets), 0.0).double().sum(-1)


def _backend_over(adapted: Any, model: Model) -> tuple[Backend, str]:
    """The backend that serves an adapted module, and how it batches, in words."""
    backend, batching = choose_backend(adapted.get_base_model(), model.backend.vocabulary, model.backend.max_context)
    for lane in (0, 1):  # those of the check
        backend.release(lane)
    return backend, batching


def _inner(module: Any) -> Any:
    """The transformers model inside a peft model, or the model itself."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module
