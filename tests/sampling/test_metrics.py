"""Metrics against values worked out by hand."""

import math

import pytest
import torch

from playground.sampling import metrics

FAIR, SURE, SKEWED = ([0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.5, 0.25, 0.125, 0.125])


@pytest.mark.parametrize(("probs", "bits"), [(FAIR, 2.0), (SURE, 0.0), (SKEWED, 1.75)])
def test_entropy_and_effective_choices(probs, bits):
    row = torch.tensor(probs)
    assert float(metrics.entropy_bits(row)) == pytest.approx(bits)
    assert float(metrics.effective_choices(row)) == pytest.approx(2**bits)
    assert metrics.entropy_bits(row).dtype == torch.float64


def test_kl():
    sure, fair, skewed = (torch.tensor(each) for each in (SURE, FAIR, SKEWED))
    assert float(metrics.kl_bits(sure, fair)) == pytest.approx(2.0)
    assert float(metrics.kl_bits(skewed, fair)) == pytest.approx(0.25)
    assert float(metrics.kl_bits(fair, sure)) == math.inf
    assert float(metrics.kl_bits(skewed, skewed)) == 0.0


def test_tvd_and_surprisal():
    assert float(metrics.tvd(torch.tensor(SURE), torch.tensor(FAIR))) == pytest.approx(0.75)
    assert float(metrics.surprisal_bits(0.125)) == 3.0
    assert float(metrics.surprisal_bits(0.0)) == math.inf


def test_a_batch_has_one_value_a_row():
    assert metrics.entropy_bits(torch.tensor([FAIR, SURE])).tolist() == pytest.approx([2.0, 0.0])
