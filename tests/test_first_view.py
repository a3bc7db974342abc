"""The stored first view is what the default model says: the page must not open with a picture of something else."""

from __future__ import annotations

import pytest
import torch

from playground.models import Model
from playground.studies import first_view

TOLERANCE = 1e-4
"""Nats; another machine's float32 sums differ in the last digits."""


def test_it_is_there_and_is_a_distribution():
    view = first_view.load()
    assert view is not None and view.prompt.shape == view.negative.shape == (view.size,)
    assert view.prompt.dtype == view.negative.dtype == torch.float32
    assert torch.isfinite(view.prompt).all() and torch.isfinite(view.negative).all()
    assert b"".join(view.pieces).decode() == first_view.PROMPT and len(view.pieces) == len(view.prompt_ids)


def test_a_checkout_without_it_starts_without_it(tmp_path):
    assert first_view.load(tmp_path / "absent.npz") is None


def test_what_is_saved_is_what_is_read(tmp_path):
    rows = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 3.0])
    stored = first_view.FirstView((1, 0), *rows, labels=("␣é", "↵"), pieces=("é".encode(), b"\n"))
    first_view.save(stored, tmp_path / "view.npz")
    loaded = first_view.load(tmp_path / "view.npz")
    assert loaded is not None and (loaded.labels, loaded.pieces, loaded.prompt_ids) == (
        stored.labels, stored.pieces, stored.prompt_ids)
    assert torch.equal(loaded.prompt, stored.prompt) and torch.equal(loaded.negative, stored.negative)


@pytest.mark.model
def test_it_equals_the_model(default_model: Model):
    stored, computed = first_view.load(), first_view.compute(default_model)
    assert stored is not None
    assert default_model.name == first_view.MODEL_NAME
    assert (stored.prompt_ids, stored.pieces) == (computed.prompt_ids, computed.pieces)
    labels = zip(stored.labels, computed.labels, strict=True)
    different = [(token, kept, said) for token, (kept, said) in enumerate(labels) if kept != said]
    how = "make it again: python -m playground.studies.first_view"
    assert not different, f"{len(different)} labels differ, {different[:3]}; {how}"
    for kept, said in ((stored.prompt, computed.prompt), (stored.negative, computed.negative)):
        assert (kept - said).abs().max() <= TOLERANCE
