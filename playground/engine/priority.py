"""Priority: the engine's threads step back where the page needs a moment of a core.

Knows nothing about the engine. A redraw takes milliseconds, a step of the model a hundred: whoever waits for a picture
goes first, and the text is none the slower for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICENESS = 5


def give_way() -> None:
    """Lower the calling thread's priority, and with it that of the OpenMP team it will start (Linux only)."""
    if sys.platform == "linux":  # elsewhere niceness belongs to the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
