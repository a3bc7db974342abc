"""What the branches of a guidance read, in words, as tokens: texts and a recipe in, branches with their labels out.

Knows nothing about lanes, threads or logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.engine.records import Branch
from playground.errors import PlaygroundError
from playground.models.backend import Message, Model
from playground.sampling.presets import PRESETS
from playground.sampling.recipe import Context, Recipe


@dataclass(frozen=True)
class Texts:
    """A prompt as somebody wrote it, with the other text of guidance where there is one."""

    prompt: str
    chat: bool = False
    system: str | None = None
    negative: str | None = None
    """In place of the prompt."""
    negative_system: str | None = None
    """In place of the system text; chat only."""


@dataclass(frozen=True)
class Read:
    """One text as a model reads it."""

    token_ids: tuple[int, ...]
    rendered: str
    """Template included."""


@dataclass(frozen=True)
class OtherBranch:
    """Another branch of guidance: its tokens, and what people are told about it."""

    branch: Branch
    words: str
    """What it reads, in words: "the prompt's last token"."""
    label: str
    """Its text in short: the tokens' labels, or what somebody typed."""
    is_text: bool
    """Somebody typed it."""
    rendered: str
    model: str = ""
    """The model that reads it, where it is not the main one."""


def read_prompt(model: Model, texts: Texts) -> Read:
    """The prompt: the tokenizer's defaults, or one user message through the chat template."""
    return _read(model, texts, texts.system, texts.prompt)


def other_branches(
    models: Sequence[Model], texts: Texts, prompt_ids: tuple[int, ...], recipe: Recipe
) -> tuple[OtherBranch, ...]:
    """The recipe's branches after a prompt that is read already. PlaygroundError where one cannot be had."""
    if recipe.num_models > len(models):
        raise PlaygroundError(
            f"{PRESETS[recipe.name].title if recipe.name in PRESETS else 'This guidance'} needs {recipe.num_models} "
            f"models of one vocabulary and {len(models)} {'is' if len(models) == 1 else 'are'} loaded. "
            "Start with --second-model (and --third-model)."
        )
    return tuple(_other(models, texts, prompt_ids, context, recipe.name) for context in recipe.contexts)


def _other(
    models: Sequence[Model], texts: Texts, prompt_ids: tuple[int, ...], context: Context, preset: str
) -> OtherBranch:
    main, kind = models[0], context.kind
    typed = context.text or texts.negative or texts.negative_system or ""
    default = PRESETS[preset].default_text if preset in PRESETS else ""
    if kind == "other" and typed:
        read, words, label = _instead(main, texts, context), "the other text", typed
    elif kind in ("last", "other"):
        return _last(models, prompt_ids, context)
    elif kind in ("before", "after"):
        label = typed or default
        read = _beside(main, texts, label, kind)
        words = f"a text {kind} the prompt" if label else "the prompt itself: no other text is given"
    elif kind == "no_system":
        if not texts.chat:
            raise PlaygroundError("Without its system text is a chat; in completion mode choose another context.")
        read, words, label = _read(main, texts, None, texts.prompt), "the conversation without its system text", ""
    elif kind == "none" and texts.chat:
        read, words, label = _read(main, texts, None, ""), "an empty conversation", ""
    elif kind in ("bos", "none"):
        token = _border(main, kind)
        label = main.backend.vocabulary.label(token)
        read, words = Read((token,), label), f"the token that {'begins' if kind == 'bos' else 'ends'} a text, alone"
    else:
        read, words, label = read_prompt(main, texts), "the whole prompt", ""
    return _told(models, context, read, words, label, bool(typed) and kind in ("other", "before", "after"))


def _last(models: Sequence[Model], prompt_ids: tuple[int, ...], context: Context) -> OtherBranch:
    """The prompt's last k tokens, by their labels."""
    token_ids = prompt_ids[-context.k :]
    label = "".join(models[0].backend.vocabulary.label(token) for token in token_ids)
    words = "the last prompt token" if len(token_ids) == 1 else f"the last {len(token_ids)} prompt tokens"
    return _told(models, context, Read(token_ids, label), words, label, False)


def _told(models: Sequence[Model], context: Context, read: Read, words: str, label: str, is_text: bool) -> OtherBranch:
    name = models[context.model].name if context.model else ""
    if context.layers:
        words += f", as an earlier layer ({context.layers} half) reads it"
    branch = Branch(read.token_ids, context.model, context.layers)  # type: ignore[arg-type]
    return OtherBranch(branch, words, label, is_text, read.rendered, name)


def _instead(model: Model, texts: Texts, context: Context) -> Read:
    """The other text in place of the prompt; in a chat of the user's or, where so given, of the system text."""
    if not texts.chat:
        return _read(model, texts, None, context.text or texts.negative or texts.negative_system or "")
    if context.text:
        return _read(model, texts, context.text, texts.prompt)
    system = texts.system if texts.negative_system is None else texts.negative_system
    return _read(model, texts, system, texts.prompt if texts.negative is None else texts.negative)


def _beside(model: Model, texts: Texts, text: str, side: str) -> Read:
    """The other text before or after the prompt, a space between them where neither brings one."""
    parts = [text, texts.prompt] if side == "before" else [texts.prompt, text]
    gap = " " if all(parts) and not (parts[0][-1:].isspace() or parts[1][:1].isspace()) else ""
    return _read(model, texts, texts.system, gap.join(parts))


def _read(model: Model, texts: Texts, system: str | None, text: str) -> Read:
    """A text through the tokenizer, or as the user's message through the template. Replacing the system text gives a
    negative branch that is still a plausible conversation; a bare phrase would not be one."""
    if not texts.chat:
        return Read(tuple(model.backend.vocabulary.encode(text)), text)
    if model.chat is None:
        raise PlaygroundError(
            f"{model.name} has no chat template (it is a base model); use completion mode, or a chat model."
        )
    messages = ([] if system is None else [Message("system", system)]) + [Message("user", text)]
    return Read(tuple(model.chat.encode(messages)), model.chat.render(messages))


def _border(model: Model, kind: str) -> int:
    """The token that begins (``bos``) or ends a text; the other one where the model has only that."""
    begin, end = getattr(model.tokenizer, "bos_token_id", None), getattr(model.tokenizer, "eos_token_id", None)
    if end is None:
        end = min(model.backend.vocabulary.eos_ids, default=None)
    first, second = (begin, end) if kind == "bos" else (end, begin)
    token = second if first is None else first
    if token is None:
        raise PlaygroundError("This model has no token that begins or ends a text; choose another context.")
    return int(token)
