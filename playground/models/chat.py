"""The model's own chat template: messages to text and to token ids.

Knows nothing about models or lanes; what a user typed never becomes a special token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from playground.errors import PlaygroundError
from playground.models.backend import Message, Vocabulary
from playground.models.checks import utf8
from playground.models.vocabulary import special_tokens

PRIVATE_CHARACTERS = range(0xE000, 0xF900)
"""Unicode's private use area: no text needs all of it, so one of them is free to mark a place."""


class TokenizerChat:
    """A tokenizer's jinja template behind the ChatTemplate seam."""

    def __init__(self, tokenizer: Any, vocabulary: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._special_ids = {text: token_id for token_id, text in special_tokens(tokenizer).items()}
        alternatives = sorted(self._special_ids, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, alternatives)) or r"(?!)")
        self._lock = Lock()

    def render(self, messages: Iterable[Message]) -> str:
        return render(self._tokenizer, list(messages), add_generation_prompt=True)

    def encode(self, messages: Iterable[Message]) -> list[int]:
        conversation = list(messages)
        if not any(self._special.search(message.content) for message in conversation):
            text = self.render(conversation)
            with self._lock:  # the tokenizer keeps switches as state
                return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return self._encode_guarded(conversation)

    def _encode_guarded(self, conversation: Sequence[Message]) -> list[int]:
        """Break the special strings of the contents with a mark, so that those still whole are the template's."""
        written = "".join(message.content for message in conversation)
        mark = next(chr(code) for code in PRIVATE_CHARACTERS if chr(code) not in written)
        guarded = [
            Message(message.role, self._special.sub(lambda found: found[0][0] + mark + found[0][1:], message.content))
            for message in conversation
        ]
        text, token_ids, at = self.render(guarded), list[int](), 0
        for found in self._special.finditer(text):
            token_ids += self._ordinary(text[at : found.start()], mark)
            token_ids.append(self._special_ids[found[0]])
            at = found.end()
        return token_ids + self._ordinary(text[at:], mark)

    def _ordinary(self, text: str, mark: str) -> list[int]:
        return self._vocabulary.encode(text.replace(mark, ""), special=False) if text else []


def render(tokenizer: Any, conversation: Sequence[Message], add_generation_prompt: bool) -> str:
    """The conversation through the tokenizer's template, or what the template objects to."""
    for message in conversation:
        utf8(message.content)
    turns = [{"role": message.role, "content": message.content} for message in conversation]
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except TemplateError as error:
        raise PlaygroundError(
            f"This model's chat template refuses the conversation: {error}. "
            "Try without a system message, or let user and assistant take turns."
        ) from error
    return str(text)


def end_of_turn(tokenizer: Any) -> int | None:
    """The special token the template writes right after an assistant's answer, if it writes one."""
    answer = "answer"
    conversation = [Message("user", "question"), Message("assistant", answer)]
    try:
        text = render(tokenizer, conversation, add_generation_prompt=False)
    except PlaygroundError:
        return None
    tail = text[text.rfind(answer) + len(answer) :].lstrip()
    return next((i for i, name in special_tokens(tokenizer).items() if name and tail.startswith(name)), None)
