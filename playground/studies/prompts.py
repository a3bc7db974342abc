"""A prompt as people write it, and what the two branches of guidance read: the ids, the rendered texts, the label.

Knows nothing about engines or pages. Completion mode feeds the tokenizer's defaults; chat mode fills the template.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.errors import PlaygroundError
from playground.models import Message, Model


@dataclass(frozen=True)
class Prompt:
    """What the page's boxes hold. An empty negative means: the prompt's last token alone (arXiv 2306.17806)."""

    text: str
    negative: str = ""
    chat: bool = False
    system: str = ""

    def validated(self, max_chars: int) -> Prompt:
        """Itself, or a PlaygroundError that names the box and the limit."""
        for box, text in (("prompt", self.text), ("negative prompt", self.negative), ("system prompt", self.system)):
            if len(text) > max_chars:
                raise PlaygroundError(f"The {box} has {len(text):,} characters; at most {max_chars:,} fit. Shorten it.")
            if any("\ud800" <= char <= "\udfff" for char in text):
                raise PlaygroundError(f"The {box} holds half of a character (an unpaired surrogate); retype it.")
        if not self.text:
            raise PlaygroundError("The prompt is empty; type the beginning of a text, or choose an example.")
        return self


@dataclass(frozen=True)
class EncodedPrompt:
    """Token ids of both branches, and what the page says of them."""

    prompt_ids: tuple[int, ...]
    negative_ids: tuple[int, ...]
    negative_label: str
    negative_is_text: bool
    rendered: tuple[tuple[str, str], ...]
    """(name, text) of each branch as the model reads it, template included."""


def encode(prompt: Prompt, model: Model) -> EncodedPrompt:
    """Both branches of a prompt. PlaygroundError where the model has no chat template or nothing is left to read."""
    vocabulary = model.backend.vocabulary
    if prompt.chat:
        positive_text, prompt_ids = _chat(model, prompt.system, prompt.text)
    else:
        positive_text, prompt_ids = prompt.text, vocabulary.encode(prompt.text)
    if not prompt_ids:
        raise PlaygroundError("The prompt holds no token; type the beginning of a text.")
    if not prompt.negative:
        label = vocabulary.label(prompt_ids[-1])
        return EncodedPrompt(
            tuple(prompt_ids),
            (prompt_ids[-1],),
            label,
            False,
            (("prompt", positive_text), ("negative: the last token", label)),
        )
    if prompt.chat:
        negative_text, negative_ids = _chat(model, prompt.negative, prompt.text)
    else:
        negative_text, negative_ids = prompt.negative, vocabulary.encode(prompt.negative)
    return EncodedPrompt(
        tuple(prompt_ids),
        tuple(negative_ids),
        prompt.negative,
        True,
        (("prompt", positive_text), ("negative", negative_text)),
    )


def _chat(model: Model, system: str, user: str) -> tuple[str, list[int]]:
    """The conversation through the model's template, as text and as ids. Replacing the system text gives a negative
    branch that is still a plausible conversation; a bare phrase would not be one."""
    if model.chat is None:
        raise PlaygroundError(f"{model.name} has no chat template (it is a base model); use completion mode.")
    messages = ([Message("system", system)] if system else []) + [Message("user", user)]
    return model.chat.render(messages), model.chat.encode(messages)
