"""A random stage as drawn: both sides on its card, the coin under the ruler, and all of it in words."""

from __future__ import annotations

from math import log10
from typing import Any

import pytest

pytestmark = pytest.mark.browser

DRAW = """async (axis) => {
  const card = await import('/assets/js/card.js');
  const ruler = await import('/assets/js/ruler.js');
  const view = await (await fetch('views/plain.json')).json();
  const own = view.stages.at(-1);
  const side = (label, probability, taken) =>
    ({ label, probability, taken, after: own.before, support: 7, choices: 3 });
  const stage = { ...own, title: 'XTC', cut: { axis, value: 0.1 },
    sides: axis === 'ceiling' ? [side('if it acts', 0.25, false), side('if it does not', 0.75, true)] : [] };
  const hosts = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
  hosts[0].className = 'pg-card';
  card.render(hosts[0], stage, { view });
  const coins = [{ id: 'xtc', title: '<b>XTC</b>', u: 0.812, acts: false, says: 'if it does not' }];
  ruler.render(hosts[1], { ...view.dart, coins: axis === 'ceiling' ? coins : [] });
  const path = (name) => hosts[0].querySelector('.pg-' + name).getAttribute('d') || '';
  return { other: path('curve-side'), taken: path('curve-taken'), edge: path('cut-edge'), region: path('cut-region'),
    level: path('cut-level'), says: hosts[0].querySelector('svg').getAttribute('aria-label'),
    coins: hosts[1].querySelector('.pg-ruler-coins').textContent, markup: hosts[1].querySelectorAll('b').length,
    label: hosts[1].querySelector('.pg-ruler-track').getAttribute('aria-label') };
}"""
LINE = f"M0 {round(3 + 59 * -log10(0.1) / 8, 2):g}H172"


def test_both_sides_stand_on_the_card_and_the_coin_under_the_ruler(gallery: Any) -> None:
    drawn = gallery("plain").evaluate(DRAW, "ceiling")
    assert drawn["other"] and drawn["other"] == drawn["taken"]
    assert drawn["edge"] == LINE and drawn["region"].startswith("M0 3H172V")  # what stands above the line goes
    assert "if it acts (25.0 %) 7 tokens; if it does not (75.0 %) 7 tokens" in drawn["says"].replace("\u00a0", " ")
    assert drawn["coins"] == "<b>XTC</b>: coin at 0.812, it does not act; the ruler shows this side"
    assert drawn["markup"] == 0 and drawn["label"].endswith("it does not act")


def test_a_target_is_a_dashed_line_and_nothing_is_said_of_coins(gallery: Any) -> None:
    drawn = gallery("plain").evaluate(DRAW, "target")
    assert drawn["level"] == LINE and drawn["region"] == "" and drawn["taken"] == "" and drawn["coins"] == ""
