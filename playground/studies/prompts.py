"""A prompt as people write it, and what the branches of guidance read: the ids, the rendered texts, the labels.

Knows nothing about engines or pages. Completion mode feeds the tokenizer's defaults; chat mode fills the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.engine import OtherBranch, Texts, other_branches, read_prompt
from playground.errors import PlaygroundError
from playground.models import Model
from playground.sampling import Recipe


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
    """The tokens of every branch, and what the page says of them."""

    texts: Texts
    prompt_ids: tuple[int, ...]
    others: tuple[OtherBranch, ...]
    rendered: tuple[tuple[str, str], ...] = ()
    """(name, text) of each branch as the model reads it, template included."""


def texts_of(prompt: Prompt) -> Texts:
    """The boxes as the engine reads them. In a chat the negative box replaces the system text, so that the branch is
    still a plausible conversation."""
    if not prompt.chat:
        return Texts(prompt.text, negative=prompt.negative or None)
    return Texts(prompt.text, True, prompt.system or None, negative_system=prompt.negative or None)


def encode(prompt: Prompt, models: Sequence[Model], recipe: Recipe | None = None) -> EncodedPrompt:
    """Every branch of a prompt. PlaygroundError where the model has no chat template or nothing is left to read."""
    texts = texts_of(prompt)
    read = read_prompt(models[0], texts)
    if not read.token_ids:
        raise PlaygroundError("The prompt holds no token; type the beginning of a text.")
    others = other_branches(models, texts, read.token_ids, recipe or Recipe())
    rendered = (("prompt", read.rendered), *((branch_name(other), other.rendered) for other in others))
    return EncodedPrompt(texts, read.token_ids, others, rendered)


def branch_name(other: OtherBranch) -> str:
    """The caption of a branch's text."""
    by = f" by {other.model}" if other.model else ""
    return f"{other.words}{by}"
