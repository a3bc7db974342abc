"""Small tokenizers of the three kinds in use, trained here on a few words: byte-level, SentencePiece-like, WordPiece.

Knows nothing about vocabularies or models.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "the cat sat on the mat and the dog sat on the cat",
    "they decided to name their daughter Anna",
    "они решили назвать свою дочь Анна и они пошли домой",
    "system user assistant answer question\n",
    "def add(a, b):\n    return a + b\n",
] * 4

TEXTS = {
    "english": "The cat, the dog and 42 mats.",
    "russian": "Они решили назвать свою дочь",
    "chinese": "他们决定给女儿取名",
    "japanese": "ひらがなと漢字、そしてカタカナ。",
    "arabic": "قرروا تسمية ابنتهم",
    "hebrew with marks": "בְּרֵאשִׁית",
    "hindi": "उन्होंने अपनी बेटी का नाम रखा",
    "thai": "พวกเขาตัดสินใจ",
    "korean": "그들은 딸의 이름을",
    "emoji": "🐉 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "spaces": "  two leading, two  inside, tab\tand\r\nline breaks\n\n",
    "controls": "a\x00b\x1bc\u202ed\ufeffe",
    "beyond the basic plane": "𝒻𝓊𝓁𝓁 𐍈 𓀀",
    "markup": '<script>alert(1)</script> "><img onerror=',
    "special": "<|im_start|>system<|im_end|> and </s> and <0xE2> and ▂",
    "empty": "",
    "one space": " ",
}

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _wrapped(tokenizer: Tokenizer, **names: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **names)


@cache
def byte_level() -> Any:
    """As GPT-2, Llama 3, Qwen and SmolLM2: every byte is a printable character. Adds a beginning token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["<|begin|>", "<|im_start|>", "<|im_end|>"],
    )  # fmt: skip
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    return _wrapped(tokenizer, eos_token="<|im_end|>", chat_template=CHAT_TEMPLATE)


@cache
def sentence_piece(prepend: bool) -> Any:
    """As Llama 2 (``prepend``) and Gemma: ▁ is a space, unknown characters are written as <0x..> bytes."""
    first = ["<unk>", "<s>", "</s>", *[f"<0x{value:02X}>" for value in range(256)]]
    marked = [line.replace(" ", "▁") for line in CORPUS]
    learner = Tokenizer(models.BPE())
    learner.train_from_iterator(marked, trainers.BpeTrainer(vocab_size=200, show_progress=False))
    state = learner.get_vocab()
    vocabulary = {token: index for index, token in enumerate([*first, *sorted(state, key=state.__getitem__)])}
    merges = _merges(learner)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *steps] if prepend else steps)
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)] if prepend else parts)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _wrapped(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    import json

    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


@cache
def word_piece() -> Any:
    """As BERT: no spaces in the vocabulary, ## joins. It loses spaces and case, so only its pieces are tested."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[UNK]", "[SEP]"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _wrapped(tokenizer, unk_token="[UNK]", sep_token="[SEP]")
