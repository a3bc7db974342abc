"""The tuner: its gradient, what it shares with the served model and what it never touches, its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from playground.errors import PlaygroundError
from playground.models import Chunk, load_model
from playground.models import adapters as adapters_module
from playground.models.adapters import AdapterShelf, Shape, shared_copy
from playground.models.tuner import Text, Tuner
from tests.models.served import tiny
from tests.models.tiny import tiny_model

TEXTS: list[Text] = [((5, 6, 7), (8, 9, 10, 2)), ((5, 6, 7), (11,)), ((3,), (4, 5, 6, 7, 8, 9))]
ARCHITECTURES = ("llama", "gpt2", "gemma3")


def by_hand(module: Any, text: Text) -> float:
    """log π of one text, from the plain forward, token by token."""
    prompt, written = text
    with torch.no_grad():
        logs = module(input_ids=torch.tensor([[*prompt, *written]])).logits[0].double().log_softmax(-1)
    return sum(float(logs[len(prompt) - 1 + at, token]) for at, token in enumerate(written))


def bytes_of(module: Any) -> dict[str, bytes]:
    return {name: weight.detach().numpy().tobytes() for name, weight in module.state_dict().items()}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_fresh_adapter_is_the_base(name):
    model = tiny(name)
    tuner = Tuner(model)
    wanted = [by_hand(model.hf_model, text) for text in TEXTS]
    assert tuner.log_base(TEXTS) == pytest.approx(wanted, abs=1e-4)
    assert tuner.log_policy(TEXTS) == pytest.approx(wanted, abs=1e-4)
    assert tuner.log_policy(TEXTS[1:2]) == pytest.approx(wanted[1:2], abs=1e-4), "padding must not be seen"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_second_copy_of_the_weights(name):
    model = tiny(name)
    served = {weight.data_ptr() for weight in model.hf_model.parameters()}
    tuner = Tuner(model)
    snapshot = tuner.snapshot()
    own = [weight for weight in tuner._adapted.parameters() if weight.data_ptr() not in served]
    assert sum(weight.numel() for weight in own) == tuner.num_weights < 9000
    assert all(weight.requires_grad for weight in own)
    assert {weight.data_ptr() for weight in tuner._base.parameters()} == served
    assert len([one for one in snapshot.hf_model.parameters() if one.data_ptr() not in served]) == len(own)
    layers = {id(layer) for layer in model.hf_model.modules()}
    for module in (tuner._adapted, tuner._base, snapshot.hf_model):
        assert not layers & {id(layer) for layer in module.modules()}, "a layer of the served model is in the tuner's"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_steps_move_the_policy_and_nothing_else(name):
    model = tiny(name)
    before, rows = bytes_of(model.hf_model), model.backend.forward([Chunk(0, (5, 6, 7), "all")])
    tuner = Tuner(model)
    old = tuner.log_policy(TEXTS)
    for _ in range(5):
        seen = tuner.accumulate(TEXTS, np.array([-1.0, 0.0, 0.5]))
        assert tuner.step(0.01) > 0
    new = tuner.log_policy(TEXTS)
    assert new[0] > old[0] + 0.5 and new[2] < old[2] - 0.5 and seen[0] > old[0]
    assert tuner.log_base(TEXTS) == pytest.approx(old, abs=1e-6)
    assert bytes_of(model.hf_model) == before and not any(one.requires_grad for one in model.hf_model.parameters())
    model.backend.release(0)
    assert torch.equal(model.backend.forward([Chunk(0, (5, 6, 7), "all")]), rows)
    model.backend.release(0)


def test_the_gradient_is_that_of_the_sum_however_it_is_cut():
    tuner = Tuner(tiny(), Shape(rank=4))
    put_noise(tuner)
    coefficients = np.array([-1.0, 0.7, 0.25])
    tuner.accumulate(TEXTS, coefficients)
    whole = [weight.grad.clone() for weight in tuner._trained]
    tuner.forget_gradient()
    for at in range(3):
        tuner.accumulate(TEXTS[at : at + 1], coefficients[at : at + 1])
    for weight, wanted in zip(tuner._trained, whole, strict=True):
        torch.testing.assert_close(weight.grad, wanted, rtol=1e-4, atol=1e-6)
    weight, size = tuner._trained[0], 1e-2
    with torch.no_grad():  # along one weight, against the difference quotient
        weight[0, 0] += size
        above = float(coefficients @ tuner.log_policy(TEXTS))
        weight[0, 0] -= 2 * size
        below = float(coefficients @ tuner.log_policy(TEXTS))
    assert float(whole[0][0, 0]) == pytest.approx((above - below) / (2 * size), rel=0.05, abs=2e-4)


def test_a_snapshot_stands_still_and_answers_like_the_tuner():
    tuner = Tuner(tiny())
    teach(tuner, 2)
    snapshot, wanted = tuner.snapshot(), tuner.log_policy(TEXTS)
    teach(tuner, 2)
    for (prompt, written), log_prob in zip(TEXTS, wanted, strict=True):
        logits = snapshot.backend.forward([Chunk(3, (*prompt, *written), "all")])
        logs = logits.double().log_softmax(-1)[len(prompt) - 1 : -1]
        assert float(logs.gather(1, torch.tensor(written)[:, None]).sum()) == pytest.approx(log_prob, abs=1e-3)
        snapshot.backend.release(3)
    assert tuner.log_policy(TEXTS) != pytest.approx(wanted, abs=1e-3)
    assert "tuned" in snapshot.name and "adapter" in snapshot.note


def test_training_is_a_function_of_its_seed():
    one, same, other = (Tuner(tiny(), Shape(seed=seed)) for seed in (1, 1, 2))
    for tuner in (one, same, other):
        teach(tuner, 3)
    assert one.log_policy(TEXTS).tolist() == same.log_policy(TEXTS).tolist()
    assert one.log_policy(TEXTS).tolist() != other.log_policy(TEXTS).tolist()


def test_saved_and_resumed_is_as_if_never_interrupted(tmp_path):
    shelf = AdapterShelf(tmp_path)
    tuner = Tuner(tiny(), Shape(rank=4, seed=3))
    teach(tuner, 3)
    name = tuner.save(shelf, {"target": "amazing"})
    resumed, about = Tuner.load(tiny(), shelf, name)
    assert about == {"target": "amazing", "num_steps": 3} and resumed.num_steps == 3
    teach(tuner, 3)
    teach(resumed, 3)
    assert resumed.log_policy(TEXTS).tolist() == tuner.log_policy(TEXTS).tolist()
    forgetful, _ = Tuner.load(tiny(), shelf, name)
    forgetful._optimizer.state.clear()
    teach(forgetful, 3)
    assert forgetful.log_policy(TEXTS).tolist() != tuner.log_policy(TEXTS).tolist(), "AdamW's memory counts"


def test_peft_reads_the_folder(tmp_path):
    from peft import PeftModel

    shelf, tuner = AdapterShelf(tmp_path), Tuner(tiny())
    teach(tuner, 2)
    folder = shelf.folder(tuner.save(shelf, {}))
    theirs = PeftModel.from_pretrained(shared_copy(tiny_model("llama")), str(folder)).eval()
    assert [by_hand(theirs, text) for text in TEXTS] == pytest.approx(tuner.log_policy(TEXTS), abs=1e-4)


NAMES = ["", "..", "../../etc", "a" * 31, "A" * 32, "0" * 32, "0" * 32 + "\n", "0" * 31 + "/", None]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_strangers_reach_no_other_folder(tmp_path, name):
    shelf = AdapterShelf(tmp_path)
    (tmp_path / "adapters").mkdir()
    with pytest.raises(PlaygroundError, match="no saved adapter"):
        shelf.load(name, "tiny llama")


def test_links_foreign_models_and_broken_files(tmp_path):
    shelf, tuner = AdapterShelf(tmp_path), Tuner(tiny(), Shape(rank=2))
    name = tuner.save(shelf, {})
    link = tmp_path / "adapters" / ("f" * 32)
    link.symlink_to(shelf.folder(name))
    with pytest.raises(PlaygroundError, match="no saved adapter"):
        shelf.folder("f" * 32)
    with pytest.raises(PlaygroundError, match="belongs to tiny llama"):
        Tuner.load(tiny("gpt2"), shelf, name)
    with pytest.raises(PlaygroundError, match="another model or rank"):
        Tuner.load(replace(tiny("gpt2"), name="tiny llama"), shelf, name)
    about = shelf.folder(name) / "about.json"
    notes = json.loads(about.read_text())
    about.write_text(json.dumps({**notes, "shape": {"rank": 10**9}}))
    with pytest.raises(PlaygroundError, match="1 to 256"):
        Tuner.load(tiny(), shelf, name)
    about.write_text("{")
    with pytest.raises(PlaygroundError, match="cannot be read"):
        Tuner.load(tiny(), shelf, name)
    shelf.delete(name)
    with pytest.raises(PlaygroundError, match="no saved adapter"):
        shelf.delete(name)


def test_the_oldest_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(adapters_module, "MAX_SAVED", 2)
    shelf, tuner = AdapterShelf(tmp_path), Tuner(tiny(), Shape(rank=1))
    names = [tuner.save(shelf, {}) for _ in range(3)]
    left = {folder.name for folder in (Path(tmp_path) / "adapters").iterdir()}
    assert left == set(names[1:])


def test_what_cannot_be_tuned_is_refused():
    with pytest.raises(PlaygroundError, match="no weights that could be tuned"):
        Tuner(load_model(backend="toy"))
    with pytest.raises(PlaygroundError, match="no low-rank adapter"):
        Tuner(tiny("mamba"))
    tuner = Tuner(tiny())
    for texts in ([], [((), (1,))], [((1,), ())]):
        with pytest.raises(PlaygroundError, match="at least one token"):
            tuner.accumulate(texts, np.zeros(len(texts)))
    with pytest.raises(PlaygroundError, match="reads at most 64"):
        tuner.log_policy([((1,), [3] * 64)])


def test_an_overflowing_gradient_is_dropped():
    tuner = Tuner(tiny())
    before = tuner.log_policy(TEXTS).tolist()
    tuner.accumulate(TEXTS, np.array([np.inf, 0.0, 0.0]))
    with pytest.raises(PlaygroundError, match="Lower the learning rate"):
        tuner.step(0.01)
    assert tuner.log_policy(TEXTS).tolist() == before and tuner.num_steps == 0
    teach(tuner, 1)
    assert tuner.num_steps == 1


def teach(tuner: Tuner, num_steps: int) -> None:
    for _ in range(num_steps):
        tuner.accumulate(TEXTS, np.array([-1.0, 0.3, 0.2]))
        tuner.step(0.01)


def put_noise(tuner: Tuner) -> None:
    """Away from the start, where half of the adapter is zero and its gradient with it."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in tuner._trained:
            weight.normal_(std=0.1, generator=generator)
