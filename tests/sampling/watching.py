"""Watching what torch is asked to sort: the widths of every sort and selection while something runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch


def sorted_widths(job: Callable[[], Any]) -> list[int]:
    """The width of every row that is sorted, and the k of every partial selection, in order."""
    widths: list[int] = []

    def watch(plain: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            widths.append(int(kwargs.get("k", args[0] if args else 0)) if name == "topk" else tensor.shape[-1])
            return plain(tensor, *args, **kwargs)

        return watched

    names = ("sort", "argsort", "topk")
    owners = [(owner, name) for owner in (torch, torch.Tensor) for name in names]
    patches = [mock.patch.object(owner, name, watch(getattr(owner, name), name)) for owner, name in owners]
    for patch in patches:
        patch.start()
    try:
        job()
    finally:
        for patch in patches:
            patch.stop()
    return widths
