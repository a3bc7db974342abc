"""Context: what a stage may know besides the scores: each row's history, and which tokens its columns are.

Knows nothing about samplers, models or text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from playground.errors import PlaygroundError


class Seen(NamedTuple):
    """The distinct tokens of each row's window that are still candidates: cell (row, column), and how often."""

    rows: torch.Tensor  # int64[N]
    columns: torch.Tensor  # int64[N]
    counts: torch.Tensor  # float64[N]


@dataclass(frozen=True)
class Context:
    """Rows of a batch. Histories are ragged: the whole sequence of each row, prompt first."""

    vocabulary_size: int
    num_rows: int
    token_ids: tuple[torch.Tensor, ...] | None = None  # int64[T_i] each, on the CPU
    prompt_lengths: tuple[int, ...] = ()  # tokens; serves only flavours that count the output alone
    # int64[B,K]: the token of each column, ascending, padded with vocabulary_size. None: column = token id.
    candidate_ids: torch.Tensor | None = None
    _seen: dict[tuple[int, int, bool], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        scores: torch.Tensor,
        token_ids: torch.Tensor | Sequence[torch.Tensor | Sequence[int]] | None = None,
        prompt_length: int | Sequence[int] = 0,
    ) -> Context:
        """The context of float[B,V] scores; ``token_ids`` is int64[B,T] or B rows of different lengths."""
        num_rows, vocabulary_size = scores.shape
        prompts = _prompt_lengths(prompt_length, num_rows)
        if token_ids is None:
            return cls(vocabulary_size, num_rows, None, prompts)
        if len(token_ids) != num_rows:
            raise PlaygroundError(f"token_ids has {len(token_ids)} rows, scores has {num_rows}; give each its history.")
        rows = tuple(torch.as_tensor(row, dtype=torch.int64, device="cpu").reshape(-1) for row in token_ids)
        return cls(vocabulary_size, num_rows, rows, prompts)

    def at(self, row_indices: Sequence[int]) -> Context:
        """The context of some of the rows, each as often as it is named."""
        histories = None if self.token_ids is None else tuple(self.token_ids[row] for row in row_indices)
        prompts = tuple(self.prompt_lengths[row] for row in row_indices)
        candidates = None if self.candidate_ids is None else self.candidate_ids[list(row_indices)]
        return Context(self.vocabulary_size, len(row_indices), histories, prompts, candidates)

    def among(self, candidate_ids: torch.Tensor) -> Context:
        """The same rows, their columns now being the tokens int64[B,K]."""
        return replace(self, candidate_ids=candidate_ids)

    def window(self, row: int, last_n: int, output_only: bool = False) -> torch.Tensor:
        """int64[T]: the last ``last_n`` tokens of a row, 0 meaning all of them; with or without the prompt's."""
        if self.token_ids is None:
            return torch.empty(0, dtype=torch.int64)
        history = self.token_ids[row][self.prompt_lengths[row] :] if output_only else self.token_ids[row]
        return history[-last_n:] if last_n else history

    def seen(self, last_n: Sequence[int | None], device: torch.device, output_only: bool = False) -> Seen:
        """The distinct tokens in each row's window, counted, located among the columns; None: not that row."""
        empty = torch.empty(0, dtype=torch.int64)
        found = [
            (empty, empty) if size is None else self._count(row, size, output_only) for row, size in enumerate(last_n)
        ]
        rows = torch.cat([torch.full_like(token_ids, row) for row, (token_ids, _) in enumerate(found)])
        rows, columns, kept = self.locate(rows, torch.cat([token_ids for token_ids, _ in found]), device)
        counts = torch.cat([counts for _, counts in found]).to(device, torch.float64)
        return Seen(rows, columns, counts[kept])

    def _count(self, row: int, last_n: int, output_only: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Distinct token ids of a row's window and their counts; kept, as every penalty of a chain asks the same."""
        key = (row, last_n, output_only)
        if key not in self._seen:
            self._seen[key] = torch.unique(self.window(row, last_n, output_only), return_counts=True)
        return self._seen[key]

    def locate(
        self, rows: torch.Tensor, token_ids: torch.Tensor, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Cells (row, token id), int64[N] each -> rows, columns and bool[N]: which of the N are candidates at all."""
        rows, token_ids = rows.to(device), token_ids.to(device)
        if self.candidate_ids is None:
            kept = (token_ids >= 0) & (token_ids < self.vocabulary_size)
            return rows[kept], token_ids[kept], kept
        candidates = self.candidate_ids
        # One sorted line for all rows: row r owns the numbers from r·(V+1) to r·(V+1)+V.
        offset = self.vocabulary_size + 1
        line = (candidates + torch.arange(self.num_rows, device=device)[:, None] * offset).flatten()
        wanted = rows * offset + token_ids
        places = torch.searchsorted(line, wanted).clamp_(max=line.numel() - 1)
        kept = (line[places] == wanted) & (token_ids >= 0) & (token_ids < self.vocabulary_size)
        return rows[kept], places[kept] % candidates.shape[1], kept


def _prompt_lengths(given: Any, num_rows: int) -> tuple[int, ...]:
    """One number for all rows or one for each; NumPy's and torch's numbers are numbers too."""
    given = given.tolist() if hasattr(given, "tolist") else given
    lengths = (given,) * num_rows if isinstance(given, int) else tuple(given)
    if len(lengths) != num_rows or any(length < 0 for length in lengths):
        raise PlaygroundError(f"prompt_length is a number of tokens, or one for each of the {num_rows} rows.")
    return lengths
