// What guidance changed: the tokens it promoted and suppressed most, three marks each on one log axis.
// Knows nothing about how the branches are mixed.

import { el, fit, keep, setAttr, setClass, setLabel, setStyle, setText, walkable } from "./dom.js";
import { decade, percent, ratio } from "./format.js";

const states = new WeakMap();
const MARKS = ["negative", "prompt", "guided"];
const LOWEST = -7;

/** guidance: GuidanceView or null (off). options: {light, hold}: hold keeps the axis from shrinking under a drag. */
export function render(node, guidance, options = {}) {
  const state = keep(states, node, build);
  setClass(state.body, "pg-none", !guidance);
  setClass(state.off, "pg-none", Boolean(guidance));
  if (!guidance) return;
  const axis = axisFor(state, guidance, options.hold);
  drawHead(state, guidance);
  const among = guidance.masked ? " of the plausible" : "";
  const off = guidance.scale === 1;
  drawColumn(state.promoted, off ? "a higher scale would promote" : `most promoted${among}`, guidance.promoted, axis);
  drawColumn(state.suppressed, off ? "and suppress" : `most suppressed${among}`, guidance.suppressed, axis);
  setClass(state.body, "pg-guidance-neutral", guidance.scale === 1);
  options.light?.touch();
}

function build(parent) {
  const root = el("div", "pg-guidance", parent);
  const off = el("p", "pg-guidance-off", root);
  off.textContent = "Guidance is off: scale 1 is the prompt alone. Move the scale, or write what to steer away from.";
  const body = el("div", "pg-guidance-body", root);
  const legend = el("p", "pg-guidance-legend", body);
  for (const name of MARKS) {
    const item = el("span", "", legend);
    el("i", `pg-gmark pg-gmark-${name}`, item);
    el("span", "", item, name);
  }
  const negative = el("p", "pg-guidance-negative", body);
  const columns = el("div", "pg-guidance-columns", body);
  const state = { root, off, body, axis: null };
  state.negativeLead = el("span", "", negative);
  state.negativeText = el("bdi", "pg-token", negative);
  state.cost = el("span", "", negative);
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

function drawHead(state, guidance) {
  const last = guidance.negative_kind === "last_token";
  setText(state.negativeLead, last ? "negative: the last prompt token, " : "negative: ");
  setLabel(state.negativeText, guidance.negative_text);
  const cost = guidance.cost_ms;
  setText(state.cost, cost > 0.5 ? ` · second branch ${cost.toFixed(0)} ms a step` : "");
}

/** Whole decades around every mark; what lies lower stands at the left end. */
function axisFor(state, guidance, hold) {
  let [low, high] = [0, -12];
  for (const mark of guidance.promoted.concat(guidance.suppressed)) {
    for (const p of [mark.p_prompt, mark.p_negative, mark.p_guided]) {
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

function drawColumn(state, title, marks, axis) {
  setText(state.head, title);
  drawAxis(state, axis);
  fit(state.list, state.rows, marks.length, makeRow);
  if (marks.length && !state.rows.some((row) => row.tabIndex === 0)) state.rows[0].tabIndex = 0;
  marks.forEach((mark, index) => drawRow(state.rows[index], mark, axis));
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
  root.pgMarks = MARKS.map((name) => el("i", `pg-gmark pg-gmark-${name}`, track));
  root.pgRatio = el("b", "", root);
  return root;
}

function drawRow(root, mark, axis) {
  const values = [mark.p_negative, mark.p_prompt, mark.p_guided];
  const places = values.map((p) => place(p, axis));
  const [low, high] = [Math.min(...places), Math.max(...places)];
  setAttr(root, "data-token-id", String(mark.token_id));
  setLabel(root.pgLabelNode, mark.text, mark.special);
  places.forEach((at, index) => setStyle(root.pgMarks[index], "left", `${at}%`));
  setStyle(root.pgStem, "left", `${low}%`);
  setStyle(root.pgStem, "width", `${Math.round((high - low) * 100) / 100}%`);
  setText(root.pgRatio, ratio(mark.ratio));
  const [negative, prompt, guided] = values.map(percent);
  setAttr(root, "aria-label", `${mark.text}: negative ${negative}, prompt ${prompt}, guided ${guided}, ${ratio(mark.ratio)}`);
}
