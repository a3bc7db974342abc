// The branches of guidance in words and numbers: weight, text, entropy; the sum of the weights, gate, schedule, mask.
// Knows nothing about how they are mixed.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";
import { bits } from "./format.js";

const states = new WeakMap();

/** The hue a branch has everywhere: the prompt, the first other one, the second. */
export const hue = (index) => ["prompt", "negative", "third", "fourth"][index];

/** guidance: GuidanceView. */
export function render(node, guidance) {
  const state = keep(states, node, build);
  fit(state.list, state.rows, guidance.branches.length, makeRow);
  guidance.branches.forEach((branch, index) => drawRow(state.rows[index], branch, index, guidance));
  drawSum(state.sum, guidance);
  const says = [guidance.gate, guidance.schedule, guidance.mask].filter(Boolean);
  setText(state.says, says.join(" · "));
  setClass(state.says, "pg-gate-closed", guidance.gate.startsWith("gate closed"));
  setText(state.cost, guidance.cost_ms > 0.5 ? `the other branches cost ${guidance.cost_ms.toFixed(0)} ms a step` : "");
}

function build(parent) {
  const root = el("div", "pg-branches", parent);
  const list = el("ul", "", root);
  const foot = el("p", "pg-branches-foot", root);
  return {
    root, list, rows: [], sum: el("span", "pg-badge", foot), says: el("span", "pg-gate", foot),
    cost: el("span", "", foot),
  };
}

function makeRow() {
  const root = el("li", "pg-branch");
  root.pgMark = el("i", "pg-gmark", root);
  root.pgWeight = el("b", "", root);
  root.pgName = el("span", "pg-branch-name", root);
  root.pgText = el("bdi", "pg-token", root);
  root.pgFacts = el("span", "pg-quiet", root);
  return root;
}

const signed = (value) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

function drawRow(root, branch, index, guidance) {
  for (const name of ["prompt", "negative", "third", "fourth"]) setClass(root.pgMark, `pg-gmark-${name}`, name === hue(index));
  setText(root.pgWeight, `${signed(branch.weight)} ·`);
  setAttr(root.pgWeight, "title", branch.weight === branch.weight_at_full ? "its weight"
    : `its weight here; ${signed(branch.weight_at_full)} at full strength`);
  const words = index === 0 ? "prompt" : guidance.branches.length === 2 && !branch.is_text && branch.text
    ? `${branch.name}: ${branch.words}` : branch.words;
  setText(root.pgName, branch.model ? `${words} (${branch.model})` : words);
  setLabel(root.pgText, branch.text);
  const heat = branch.temperature === 1 ? "" : `T ${branch.temperature} · `;
  setText(root.pgFacts, `${heat}${bits(branch.entropy_bits)} bits`);
}

function drawSum(node, guidance) {
  const sum = guidance.weight_sum;
  const neutral = Math.abs(sum - 1) < 1e-9;
  setText(node, `Σw = ${signed(sum).replace(/\.?0+$/, "")}`);
  setClass(node, "pg-badge-odd", !neutral);
  const heat = sum > 0 ? `any other sum also acts as a temperature: here of ${(1 / sum).toFixed(2)}`
    : "a sum of 0 or less compares the branches alone, so it needs a mask";
  setAttr(node, "title", neutral ? "The weights sum to 1: where the branches agree, nothing changes."
    : `1 is neutral where the branches agree; ${heat}.`);
}
