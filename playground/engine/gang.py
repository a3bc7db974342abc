"""Lanes that move together: the prompt's, and those of the other branches where guidance needs them.

Knows nothing about queues, logits or chains: it keeps what each lane has paid to the model and what it still owes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from playground.models.backend import Chunk, Wanted
from playground.sampling.search.dola import Bucket, LayerChoice


@dataclass
class Lane:
    """One growing sequence in the backend, and the positions of it whose logits somebody waits for."""

    id: int
    token_ids: list[int]
    wanted: range | None = None
    """Positions in ``token_ids`` whose rows are wanted; None: always the last one."""
    num_paid: int = 0
    model: int = 0
    """Which model's backend it lives in."""
    layers: Bucket | Literal[""] = ""
    """Its rows are those of an earlier layer, chosen at each place."""
    keeps_states: bool = False
    """The last layer's hidden states of every token are wanted."""

    @property
    def num_owed(self) -> int:
        return len(self.token_ids) - self.num_paid

    def pay(self, num_tokens: int) -> Chunk:
        """The chunk that carries the next ``num_tokens`` owed tokens."""
        start, self.num_paid = self.num_paid, self.num_paid + num_tokens
        rows = range(len(self.token_ids) - 1, len(self.token_ids)) if self.wanted is None else self.wanted
        wanted = slice(
            min(max(rows.start - start, 0), num_tokens),
            min(max(rows.stop - start, 0), num_tokens),
        )
        states: Wanted = "all" if self.keeps_states else wanted if self.layers else "none"
        return Chunk(self.id, tuple(self.token_ids[start : self.num_paid]), wanted, states)

    def copy(self, lane_id: int) -> Lane:
        """The same text in a lane of its own."""
        return replace(self, id=lane_id, token_ids=list(self.token_ids))


@dataclass
class Gang:
    """Lanes admitted, stepped and freed together; every lane pays the tokens it owes, prompt and text alike."""

    lanes: list[Lane] = field(default_factory=list)
    layers: tuple[LayerChoice, ...] = ()
    """Which layers its newest rows come from, one value a lane that reads an earlier one."""

    @property
    def num_owed(self) -> int:
        return sum(lane.num_owed for lane in self.lanes)

    @property
    def length(self) -> int:
        """Tokens of its longest lane."""
        return max(len(lane.token_ids) for lane in self.lanes)

    @property
    def settles_at_once(self) -> bool:
        """It owes no more than one token a lane: a text being written, or the very end of a prompt."""
        return self.num_owed <= len(self.lanes)

    def owe(self, token_id: int) -> None:
        """The drawn token goes to every lane: the other branches advance with it too."""
        for lane in self.lanes:
            lane.token_ids.append(token_id)

    def pay(self, num_tokens: int) -> list[Chunk]:
        """Chunks for up to ``num_tokens`` tokens (all of them where the gang settles at once).

        The last token of each lane waits until every lane can pay its own, so that the branches' rows arrive
        in the same step and none has to be kept.
        """
        if self.settles_at_once or num_tokens >= self.num_owed:
            return [lane.pay(lane.num_owed) for lane in self.lanes if lane.num_owed]
        chunks = []
        for lane in self.lanes:
            share = min(lane.num_owed - 1, num_tokens)
            if share > 0:
                chunks.append(lane.pay(share))
                num_tokens -= share
        return chunks

    def restart(self) -> None:
        """The backend has lost these lanes: everything is owed again, nothing written is lost."""
        for lane in self.lanes:
            lane.num_paid = 0
