"""``load_model``: a name becomes a model, a tokenizer, a backend that serves them, and a note on what was done.

Knows nothing about the environment or the page: every choice is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError
from playground.models.backend import Model
from playground.models.catalogue import Source, find
from playground.models.gguf_files import available_memory_bytes, refuse_if_too_large, summarise
from playground.models.memory import refuse_if_no_room
from playground.models.progress import Progress, console_bar, part, quiet_transformers
from playground.models.toy import TOY_SMALL, load_toy

BACKENDS = ("transformers", "toy")
DTYPES = ("auto", "float32", "bfloat16", "float16")
FALLBACK_CONTEXT = 4096
"""Tokens, for models that state no limit of their own (ALiBi, recurrent ones)."""


def load_model(
    name: str = "default",
    *,
    backend: str = "transformers",
    device: str = "auto",
    dtype: str = "auto",
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """The model called ``name``: ``default``, a hub id, a local folder or a ``.gguf`` file.

    ``device`` auto: a GPU where there is one. ``dtype`` auto: bfloat16 on a GPU, float32 on a CPU. ``cache_dir`` is
    where the default model is kept. ``progress(fraction, message)`` hears of every stage; without it a bar is drawn
    on the console. Nothing falls back to the toy by itself: that is ``backend="toy"``.
    """
    if backend not in BACKENDS or dtype not in DTYPES:
        raise PlaygroundError(f"backend is one of {', '.join(BACKENDS)}; dtype one of {', '.join(DTYPES)}.")
    if backend == "toy":
        return load_toy(is_small=name == TOY_SMALL)
    report = progress or console_bar
    source = find(name, cache_dir, part(report, 0.0, 0.9))
    return _load(source, device, dtype, part(report, 0.9, 1.0))


def _load(source: Source, device: str, dtype: str, progress: Progress) -> Model:
    from playground.models.chat import TokenizerChat
    from playground.models.choosing import choose_backend
    from playground.models.vocabulary import TokenizerVocabulary

    chosen_device, chosen_dtype = placement(device, dtype)
    precision = _precision(source, chosen_dtype)
    if not source.is_hub and source.gguf_file is None:
        refuse_if_no_room(source.title, Path(source.location), chosen_dtype, chosen_device)
    progress(0.0, f"Loading {source.title}")
    # A download from the hub keeps its own bar: it may take minutes, and only the hub knows how far it is.
    with _explained(source), nullcontext() if source.is_hub else quiet_transformers():
        tokenizer = _tokenizer(source)
        hf_model = _hf_model(source, device, chosen_device, chosen_dtype)
    progress(0.8, "Checking how it can be batched")
    width = hf_model.get_output_embeddings().weight.shape[0]
    vocabulary = TokenizerVocabulary(tokenizer, width, eos_ids(hf_model, tokenizer))
    backend, batching = choose_backend(hf_model, vocabulary, max_context(hf_model.config))
    bytes_per_token = backend.bytes_per_token()
    for lane in (0, 1):  # those of the check
        backend.release(lane)
    progress(1.0, f"{source.title} is ready")
    chat = TokenizerChat(tokenizer, vocabulary) if tokenizer.chat_template else None
    note = f"{precision}; on {hf_model.device}; {batching}"
    return Model(source.title, backend, note, bytes_per_token, tokenizer, hf_model, chat)


def placement(device: str, dtype: str) -> tuple[str, str]:
    """``auto`` made definite: (device, dtype)."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device.startswith("cuda") and not torch.cuda.is_available():
        raise PlaygroundError("There is no CUDA device here (or this PyTorch cannot use it). Choose --device cpu.")
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return device, dtype


def _precision(source: Source, dtype: str) -> str:
    """In words, and for a GGUF file the check that it fits."""
    stored = source.stored_precision
    if source.gguf_file is not None:
        path = Path(source.location) / source.gguf_file
        summary = summarise(path)
        # It is dequantised in float32 on the CPU, whatever it becomes afterwards.
        refuse_if_too_large(path, summary.num_parameters, 4, available_memory_bytes())
        stored = summary.precision
    return f"{stored} weights, dequantised to {dtype}" if stored else f"{dtype} weights"


def _tokenizer(source: Source) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source.location, gguf_file=source.gguf_file, trust_remote_code=False)


def _hf_model(source: Source, asked_device: str, device: str, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    # accelerate's "auto" spreads a model over all GPUs and what does not fit over the CPU.
    device_map = "auto" if asked_device == "auto" and device == "cuda" else {"": device}
    hf_model = AutoModelForCausalLM.from_pretrained(
        source.location,
        gguf_file=source.gguf_file,
        dtype=getattr(torch, dtype),
        device_map=device_map,
        trust_remote_code=False,
    )
    return hf_model.eval()


def eos_ids(hf_model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a text: the generation settings', the tokenizer's, and the chat template's end of turn."""
    from playground.models.chat import end_of_turn

    stated = getattr(hf_model.generation_config, "eos_token_id", None)
    ids = list(stated) if isinstance(stated, (list, tuple)) else [stated]
    ids.append(tokenizer.eos_token_id)
    if tokenizer.chat_template:
        ids.append(end_of_turn(tokenizer))
    return frozenset(int(token_id) for token_id in ids if token_id is not None)


def max_context(config: Any) -> int:
    """Tokens the model was built to read."""
    text_config = config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(text_config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return FALLBACK_CONTEXT


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    """What transformers raises, said in a way that helps."""
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise PlaygroundError(_explanation(source, str(error))) from error


def _explanation(source: Source, problem: str) -> str:
    if "trust_remote_code" in problem:
        return f"{source.title} brings its own Python code, which is never run here. Choose another model."
    if "AutoModelForCausalLM" in problem or "Unrecognized" in problem:
        return f"{source.title} is not a causal language model that transformers knows. Choose a text-generation model."
    first_line = problem.strip().split("\n")[0]
    if source.is_hub:
        return (
            f"{source.title} is no local folder and could not be fetched from the hub: check the name, the network, "
            f"and for a gated model your login (`hf auth login`); or give --model a local folder. ({first_line})"
        )
    return f"{source.title} could not be loaded from {source.location}: {first_line}"
