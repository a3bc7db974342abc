// What guidance changed: the tokens it promoted and suppressed most, three marks each on one log axis.
// Knows nothing about how the branches are mixed.

import { el, fit, keep, setAttr, setClass, setLabel, setStyle, setText, walkable } from "./dom.js";
import { hue, render as drawBranches } from "./branches.js";
import { decade, percent, ratio } from "./format.js";

const states = new WeakMap();
const LOWEST = -7;

/** The marks of a row, in the order they are painted: the other branches, the prompt, what came of it. */
const marksOf = (guidance) => [...guidance.branches.slice(1).map((_, index) => hue(index + 1)), "prompt", "guided"];

/** guidance: GuidanceView or null (off). options: {light, hold}: hold keeps the axis from shrinking under a drag. */
export function render(node, guidance, options = {}) {
  const state = keep(states, node, build);
  setClass(state.body, "pg-none", !guidance);
  setClass(state.off, "pg-none", Boolean(guidance));
  if (!guidance) return;
  state.guidance = guidance;
  state.options = options;
  const anywhere = state.anywhere.checked;
  const promoted = anywhere ? guidance.promoted_anywhere : guidance.promoted;
  const suppressed = anywhere ? guidance.suppressed_anywhere : guidance.suppressed;
  const axis = axisFor(state, promoted.concat(suppressed), options.hold);
  drawLegend(state, guidance);
  drawBranches(state.branches, guidance);
  const among = anywhere ? " of the whole vocabulary" : " of the plausible";
  const names = guidance.branches.slice(1).map((branch) => branch.name);
  const off = guidance.off;
  drawColumn(state.promoted, off ? "a higher scale would promote" : `most promoted${among}`, promoted, axis, names);
  drawColumn(state.suppressed, off ? "and suppress" : `most suppressed${among}`, suppressed, axis, names);
  setClass(state.body, "pg-guidance-neutral", off || guidance.strength === 0);
  options.light?.touch();
}

function build(parent) {
  const root = el("div", "pg-guidance", parent);
  const off = el("p", "pg-guidance-off", root);
  off.textContent = "Guidance is off: scale 1 is the prompt alone. Move the scale, or write what to steer away from.";
  const body = el("div", "pg-guidance-body", root);
  const branches = el("div", "", body);
  const legend = el("p", "pg-guidance-legend", body);
  const items = el("span", "pg-guidance-marks", legend);
  const toggle = el("label", "pg-guidance-toggle", legend);
  const anywhere = el("input", "", toggle);
  anywhere.type = "checkbox";
  el("span", "", toggle, "whole vocabulary");
  toggle.title = "Rank every token, as the paper does, and not only those with at least a thousandth of the likeliest one's probability";
  const columns = el("div", "pg-guidance-columns", body);
  const state = { root, off, body, branches, items, legend: [], anywhere, axis: null };
  anywhere.addEventListener("change", () => render(parent, state.guidance, { ...state.options, hold: false }));
  state.promoted = column(columns);
  state.suppressed = column(columns);
  return state;
}

function column(parent) {
  const root = el("section", "", parent);
  const head = el("h3", "", root);
  const list = el("ul", "", root);
  walkable(list);
  const axis = el("div", "pg-guidance-axis", root);
  axis.setAttribute("aria-hidden", "true");
  return { root, head, list, axis, rows: [], key: "" };
}

function drawLegend(state, guidance) {
  const marks = marksOf(guidance);
  const names = [...guidance.branches.slice(1).map((branch) => branch.name), "prompt", "guided"];
  fit(state.items, state.legend, marks.length, () => {
    const item = el("span");
    item.pgMark = el("i", "", item);
    item.pgName = el("span", "", item);
    return item;
  });
  marks.forEach((mark, index) => {
    state.legend[index].pgMark.className = `pg-gmark pg-gmark-${mark}`;
    setText(state.legend[index].pgName, names[index]);
  });
}

/** Whole decades around every mark; what lies lower stands at the left end. */
function axisFor(state, marks, hold) {
  let [low, high] = [0, -12];
  for (const mark of marks) {
    for (const p of [mark.p_prompt, ...mark.p_others, mark.p_guided]) {
      if (!(p > 0)) continue;
      const exponent = Math.log10(p);
      low = Math.min(low, Math.floor(exponent));
      high = Math.max(high, Math.ceil(exponent));
    }
  }
  low = Math.max(low, LOWEST);
  high = Math.min(0, Math.max(high, low + 1));
  if (hold && state.axis) [low, high] = [Math.min(low, state.axis[0]), Math.max(high, state.axis[1])];
  state.axis = [low, high];
  return state.axis;
}

function place(p, [low, high]) {
  const share = p > 0 ? (Math.log10(p) - low) / (high - low) : 0;
  return Math.round(Math.min(1, Math.max(0, share)) * 1e4) / 100;
}

function drawColumn(state, title, marks, axis, names) {
  setText(state.head, title);
  drawAxis(state, axis);
  fit(state.list, state.rows, marks.length, makeRow);
  if (marks.length && !state.rows.some((row) => row.tabIndex === 0)) state.rows[0].tabIndex = 0;
  marks.forEach((mark, index) => drawRow(state.rows[index], mark, axis, names));
}

function drawAxis(state, [low, high]) {
  const key = `${low} ${high}`;
  if (state.key === key) return;
  state.key = key;
  state.axis.replaceChildren();
  state.root.style.setProperty("--pg-ticks", high - low);
  const step = Math.ceil((high - low) / 3);
  for (let exponent = high; exponent >= low; exponent -= step) {
    const tick = el("span", "", state.axis, decade(exponent));
    tick.style.left = `${(100 * (exponent - low)) / (high - low)}%`;
  }
}

function makeRow() {
  const root = el("li", "pg-grow");
  root.tabIndex = -1;
  root.pgLabelNode = el("bdi", "pg-token", root);
  const track = el("span", "pg-gtrack", root);
  root.pgStem = el("i", "pg-gstem", track);
  root.pgTrack = track;
  root.pgMarks = [];
  root.pgRatio = el("b", "", root);
  return root;
}

function drawRow(root, mark, axis, names) {
  const values = [...mark.p_others, mark.p_prompt, mark.p_guided];
  const hues = [...names.map((_, index) => hue(index + 1)), "prompt", "guided"];
  fit(root.pgTrack, root.pgMarks, values.length, () => el("i"));
  hues.forEach((name, index) => { root.pgMarks[index].className = `pg-gmark pg-gmark-${name}`; });
  const places = values.map((p) => place(p, axis));
  const [low, high] = [Math.min(...places), Math.max(...places)];
  setAttr(root, "data-token-id", String(mark.token_id));
  setLabel(root.pgLabelNode, mark.text, mark.special);
  places.forEach((at, index) => setStyle(root.pgMarks[index], "left", `${at}%`));
  setStyle(root.pgStem, "left", `${low}%`);
  setStyle(root.pgStem, "width", `${Math.round((high - low) * 100) / 100}%`);
  setText(root.pgRatio, ratio(mark.ratio));
  const told = [...names, "prompt", "guided"].map((name, index) => `${name} ${percent(values[index])}`);
  setAttr(root, "aria-label", `${mark.text}: ${told.join(", ")}, ${ratio(mark.ratio)}`);
}
