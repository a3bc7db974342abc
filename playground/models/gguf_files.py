"""What a GGUF file holds, read from its header: parameters, precision, and the memory it needs when dequantised.

Knows nothing about transformers or how the file is loaded.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PlaygroundError

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USAGE = Path("/sys/fs/cgroup/memory.current")


@dataclass(frozen=True)
class GgufSummary:
    num_parameters: int
    precision: str
    """``4-bit``, ``16-bit``: that of most of its weights."""


def summarise(path: Path) -> GgufSummary:
    """Read the header alone."""
    from gguf import GGUFReader

    try:
        tensors = GGUFReader(path).tensors
    except Exception as error:  # the reader checks little, so a damaged file fails anywhere
        raise PlaygroundError(
            f"{path} cannot be read as a GGUF file ({error}). Download it again, or choose another file."
        ) from error
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.tensor_type.name] += int(tensor.n_elements)
    return GgufSummary(counts.total(), precision_in_words(counts.most_common(1)[0][0] if counts else "F32"))


def precision_in_words(type_name: str) -> str:
    """``Q4_1`` and ``IQ4_XS`` are 4-bit, ``BF16`` is 16-bit."""
    match = re.search(r"\d+", type_name)
    return f"{match[0]}-bit" if match else type_name


def refuse_if_too_large(path: Path, num_parameters: int, bytes_per_parameter: int, available_bytes: int) -> None:
    """transformers dequantises the whole file; better a figure before than the kernel's kill after."""
    needed = num_parameters * bytes_per_parameter
    if needed > available_bytes:
        raise PlaygroundError(
            f"{path.name} needs {needed / 1e9:.1f} GB of memory once dequantised "
            f"({num_parameters / 1e9:.2f} billion parameters, {bytes_per_parameter} bytes each) and only "
            f"{available_bytes / 1e9:.1f} GB are free. Choose a smaller model or a machine with more memory."
        )


def available_memory_bytes() -> int:
    """What this process may still take: the machine's free memory, or a container's if that is less."""
    import psutil  # type: ignore[import-untyped]

    free = int(psutil.virtual_memory().available)
    try:
        return min(free, int(CGROUP_LIMIT.read_text()) - int(CGROUP_USAGE.read_text()))
    except (OSError, ValueError):  # no container, or "max"
        return free
