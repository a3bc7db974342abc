"""Progress of a long wait as (fraction 0..1, message), and a bar on the console for it.

Knows nothing about what is being waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float, str], None]

BAR_WIDTH = 30


def console_bar(fraction: float, message: str) -> None:
    """One line, rewritten in place on a terminal; plain lines where the output is a file."""
    filled = round(BAR_WIDTH * fraction)
    line = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {fraction:4.0%} {message}"
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{line}", end="\n" if fraction >= 1 else "", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def part(progress: Progress, start: float, stop: float) -> Progress:
    """A progress callback whose 0..1 fills ``start`` to ``stop`` of ``progress``."""
    return lambda fraction, message: progress(start + (stop - start) * fraction, message)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers draws bars of its own; ours says the same once."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
