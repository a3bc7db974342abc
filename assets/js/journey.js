// The journey of the lit and the pinned tokens over the strip: 2.0 % → 4.1 % → … → 6.9 %, one line a token.
// Knows nothing about the stages but their titles.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";
import { percent } from "./format.js";
import { follow } from "./light.js";

const states = new WeakMap();
const followers = new WeakMap();

/**
 * view: PipelineView. options: {light, hint, stageTitle(id) -> string}. The first line is the lit token's, or the hint, so
 * that pointing moves nothing below (a page that jumps under the pointer would light something else); pinned ones follow.
 */
export function render(node, view, options = {}) {
  const state = keep(states, node, (parent) => {
    const root = el("div", "pg-journey", parent);
    return { root, hint: el("p", "pg-journey-hint", root), first: makeLine(root), lines: [], view: null };
  });
  state.view = view;
  state.title = options.stageTitle;
  setText(state.hint, options.hint ?? "Point at a token, or reach it by Tab and arrows, to follow it through every stage; P pins it.");
  follow(followers, node, options.light, (light) => draw(state, light));
}

function draw(state, light) {
  const { view, title } = state;
  const find = (id) => view.rows.find((row) => row.token_id === id);
  const lit = find(light.lit);
  setClass(state.hint, "pg-none", Boolean(lit));
  setClass(state.first, "pg-none", !lit);
  if (lit) drawLine(state.first, lit, view, light, title);
  const rows = [...light.pinned].map(find).filter(Boolean);
  fit(state.root, state.lines, rows.length, () => makeLine());
  rows.forEach((row, index) => drawLine(state.lines[index], row, view, light, title));
}

/** Where a row's journey stops: the model, then every stage that is on; journey[i + 1] is what leaves stage i. */
export function stops(view, row, title) {
  const path = [{ id: "", title: "model", p: row.journey[0] ?? 0 }];
  view.stages.forEach((stage, index) => {
    if (stage.on === false) return;
    path.push({ id: stage.id, title: title?.(stage.id) ?? stage.title, p: row.journey[index + 1] ?? 0 });
  });
  return path;
}

function makeLine(parent) {
  const line = el("p", "pg-journey-line", parent);
  line.pgName = el("bdi", "pg-token", line);
  line.pgSteps = [];
  return line;
}

function drawLine(line, row, view, light, title) {
  line.classList.toggle("pg-journey-pinned", light.pinned.has(row.token_id));
  setAttr(line, "data-token-id", String(row.token_id));
  setLabel(line.pgName, row.text, row.special);
  const path = stops(view, row, title);
  const dead = row.removed_by ? path.findIndex((stop) => stop.id === row.removed_by) : -1;
  const shown = dead < 0 ? path : path.slice(0, dead + 1);
  fit(line, line.pgSteps, shown.length, () => {
    const step = el("span", "pg-journey-step");
    el("b", "", step);
    el("small", "", step);
    return step;
  });
  shown.forEach((stop, index) => {
    const step = line.pgSteps[index];
    const cut = index === dead;
    setClass(step, "pg-cut", cut);
    setClass(step, "pg-last", !cut && index === path.length - 1);
    setText(step.firstChild, cut ? "✂" : percent(stop.p));
    setText(step.lastChild, stop.title);
  });
}
