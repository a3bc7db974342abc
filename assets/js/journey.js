// The journey of the lit and the pinned tokens over the strip: 2.0 % → 4.1 % → … → 6.9 %, one line a token.
// Knows nothing about the stages but their titles.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";
import { percent } from "./format.js";
import { follow } from "./light.js";

const states = new WeakMap();
const followers = new WeakMap();

/** view: PipelineView. options: {light, hint}: hint is shown while no token is lit, so that nothing below moves. */
export function render(node, view, options = {}) {
  const state = keep(states, node, (parent) => {
    const root = el("div", "pg-journey", parent);
    return { root, hint: el("p", "pg-journey-hint", root), lines: [], view: null };
  });
  state.view = view;
  setText(state.hint, options.hint ?? "Point at a token to follow it through every stage; P pins it.");
  follow(followers, node, options.light, (light) => draw(state, light));
}

function draw(state, light) {
  const { view } = state;
  const rows = light.shown().map((id) => view.rows.find((row) => row.token_id === id)).filter(Boolean);
  setClass(state.hint, "pg-none", rows.length > 0);
  fit(state.root, state.lines, rows.length, makeLine);
  rows.forEach((row, index) => drawLine(state.lines[index], row, view, light));
}

function makeLine() {
  const line = el("p", "pg-journey-line");
  line.pgName = el("bdi", "pg-token", line);
  line.pgSteps = [];
  return line;
}

function drawLine(line, row, view, light) {
  const titles = ["model", ...view.stages.map((stage) => stage.title)];
  line.classList.toggle("pg-journey-pinned", light.pinned.has(row.token_id));
  setAttr(line, "data-token-id", String(row.token_id));
  setLabel(line.pgName, row.text, row.special);
  const dead = row.journey.findIndex((p, index) => index > 0 && !(p > 0));
  const shown = dead < 0 ? row.journey : row.journey.slice(0, dead + 1);
  fit(line, line.pgSteps, shown.length, () => {
    const step = el("span", "pg-journey-step");
    el("b", "", step);
    el("small", "", step);
    return step;
  });
  shown.forEach((p, index) => {
    const step = line.pgSteps[index];
    const cut = index === dead;
    setClass(step, "pg-cut", cut);
    setClass(step, "pg-last", !cut && index === row.journey.length - 1);
    setText(step.firstChild, cut ? "✂" : percent(p));
    setText(step.lastChild, titles[index] ?? "");
  });
}
