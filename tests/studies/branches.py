"""Another branch of guidance for tests of the views: rows given as they are.

Knows nothing about texts or models.
"""

from __future__ import annotations

import torch

from playground.engine import Branch, OtherBranch
from playground.studies.rows import BranchRow


def beside(*rows: torch.Tensor) -> tuple[BranchRow, ...]:
    """float32[V] each -> the other branches of a StepRows."""
    told = OtherBranch(Branch((67,)), "the last prompt token", "C", False, "C")
    return tuple(BranchRow(row, told) for row in rows)
