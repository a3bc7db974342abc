"""Interop: a chain and all around it as each engine's own settings, and any of those read back.

Knows nothing about models, files or pages. A new target is a new file in ``targets``.
"""

from playground.sampling.interop.registry import TARGETS, export, parse
from playground.sampling.interop.values import Export, Setup, Taken

__all__ = ["TARGETS", "Export", "Setup", "Taken", "export", "parse"]
