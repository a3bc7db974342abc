// The beam tree: one column a step, its candidates best first, a line from each to its parent; the winner stands out.
// Knows nothing about how texts are scored.

import { el, keep, setClass, svg } from "./dom.js";
import { percent } from "./format.js";

const states = new WeakMap();
const COLUMN = 118, ROW = 27, NODE = 96, TOP = 22;
const FATES = { kept: "kept", ended: "a complete text", dropped: "dropped" };

/** steps: FoundViews of kind beam, in order. options: {onNode(index, tokenId, isBest), done}. */
export function render(node, steps, options = {}) {
  const state = keep(states, node, build);
  state.options = options;
  if (state.steps.length > steps.length || state.first !== steps[0]) clear(state, steps[0]);
  const begun = state.steps.length;
  for (const step of steps.slice(begun)) addColumn(state, step);
  const deepest = Math.max(1, ...state.steps.map((step) => step.nodes.length));
  const width = state.steps.length * COLUMN, height = TOP + deepest * ROW;
  state.canvas.style.width = `${width}px`;
  state.canvas.style.height = `${height}px`;
  state.lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  state.lines.setAttribute("width", width);
  state.lines.setAttribute("height", height);
  mark(state);
  // It follows while it grows, and stands at its beginning when it is whole.
  const grown = steps.length > begun, whole = Boolean(options.done) && !state.whole;
  if ((grown || whole) && !state.canvas.contains(document.activeElement)) state.scroller.scrollLeft = options.done ? 0 : width;
  state.whole = Boolean(options.done);
}

function build(parent) {
  const root = el("div", "pg-beams", parent);
  const scroller = el("div", "pg-beams-scroll", root);
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-label", "Beam tree: arrows left and right go along a text, up and down among the candidates of a step");
  const canvas = el("div", "pg-beams-canvas", scroller);
  const lines = svg("svg", { "aria-hidden": "true" }, canvas);
  const said = el("p", "pg-beams-said pg-quiet", root);
  said.setAttribute("aria-live", "polite");
  const state = { root, scroller, canvas, lines, said, steps: [], columns: [], first: null, options: {} };
  canvas.addEventListener("click", (event) => {
    const at = place(state, event.target);
    if (at) pick(state, ...at);
  });
  canvas.addEventListener("keydown", (event) => move(state, event));
  canvas.addEventListener("focusin", (event) => {
    const at = place(state, event.target);
    if (at) tell(state, ...at);
  });
  return state;
}

function clear(state, first) {
  state.canvas.replaceChildren(state.lines);
  state.lines.replaceChildren();
  Object.assign(state, { steps: [], columns: [], first });
  state.said.textContent = "";
}

/** Which node of the step before each kept parent is: its place among all of them. */
const keptPlaces = (step) => step ? step.nodes.flatMap((node, at) => (node.fate === "kept" ? [at] : [])) : [0];

function addColumn(state, step) {
  const depth = state.steps.length;
  const parents = keptPlaces(state.steps[depth - 1]);
  const left = depth * COLUMN;
  const heading = el("span", "pg-beams-step", state.canvas, String(step.index + 1));
  heading.style.left = `${left}px`;
  const column = step.nodes.map((one, at) => {
    const parent = depth ? parents[one.parent] : null;
    const button = el("button", `pg-beam pg-beam-${one.fate}`, state.canvas);
    button.type = "button";
    button.style.left = `${left}px`;
    button.style.top = `${TOP + at * ROW}px`;
    button.tabIndex = depth || at ? -1 : 0;
    button.dataset.place = `${depth},${at}`;
    el("bdi", "pg-token", button, one.label);
    el("span", "pg-beam-p", button, percent(one.p));
    const words = `Step ${step.index + 1}: ${one.label}, ${percent(one.p)}, text log p ${one.log_prob.toFixed(2)}, ${FATES[one.fate]}`;
    button.setAttribute("aria-label", words);
    button.title = `p ${percent(one.p)} · text log p ${one.log_prob.toFixed(3)} nats · ${FATES[one.fate]}`;
    let line = null;
    if (parent !== null && parent !== undefined) {
      const from = [left - COLUMN + NODE, TOP + parent * ROW + 11], to = [left, TOP + at * ROW + 11], half = (COLUMN - NODE) / 2;
      line = svg("path", { class: `pg-beam-line pg-beam-${one.fate}`,
        d: `M${from} C${from[0] + half},${from[1]} ${to[0] - half},${to[1]} ${to}` }, state.lines);
    }
    return { button, line, parent, one };
  });
  state.steps.push(step);
  state.columns.push(column);
}

/** The nodes of the text that wins now, one a column from the first. */
function bestPath(state) {
  const best = state.steps.at(-1)?.best ?? [];
  const path = [];
  for (let depth = 0; depth < Math.min(best.length, state.columns.length); depth++) {
    const at = state.columns[depth].findIndex(({ one, parent }) => one.token_id === best[depth] && (!depth || parent === path[depth - 1]));
    if (at < 0) break;
    path.push(at);
  }
  return path;
}

function mark(state) {
  const path = bestPath(state);
  state.columns.forEach((column, depth) => column.forEach(({ button, line }, at) => {
    setClass(button, "pg-best", path[depth] === at);
    if (line) setClass(line, "pg-best", path[depth] === at);
  }));
  state.path = path;
}

function place(state, target) {
  const at = target.closest?.(".pg-beam")?.dataset.place?.split(",").map(Number);
  return at && state.columns[at[0]]?.[at[1]] ? at : null;
}

function pick(state, depth, at) {
  focus(state, depth, at);
  const { one } = state.columns[depth][at];
  state.options.onNode?.(state.steps[depth].index, one.token_id, state.path[depth] === at);
}

/** The whole text behind a node, in words. */
function tell(state, depth, at) {
  const labels = [];
  const { one } = state.columns[depth][at];
  for (let column = depth, row = at; column >= 0; row = state.columns[column].at(row).parent, column--) {
    labels.unshift(state.columns[column][row].one.label);
  }
  state.said.replaceChildren();
  el("bdi", "pg-token", state.said, labels.join(""));
  state.said.append(` · log p ${one.log_prob.toFixed(2)} nats · ${FATES[one.fate]}`);
  state.columns.forEach((column, step) => column.forEach(({ button }, row) => setClass(button, "pg-traced", false)));
  for (let column = depth, row = at; column >= 0; row = state.columns[column][row].parent, column--) {
    setClass(state.columns[column][row].button, "pg-traced", true);
  }
}

function focus(state, depth, at) {
  const target = state.columns[depth]?.[at]?.button;
  if (!target) return;
  state.canvas.querySelector('.pg-beam[tabindex="0"]')?.setAttribute("tabindex", "-1");
  target.tabIndex = 0;
  target.focus();
  target.scrollIntoView?.({ block: "nearest", inline: "nearest" });
}

function move(state, event) {
  const here = place(state, event.target);
  if (!here) return;
  const [depth, at] = here;
  const child = state.columns[depth + 1]?.findIndex(({ parent }) => parent === at) ?? -1;
  const there = { ArrowUp: [depth, at - 1], ArrowDown: [depth, at + 1], ArrowLeft: [depth - 1, state.columns[depth][at].parent],
    ArrowRight: child >= 0 ? [depth + 1, child] : null, Home: [0, state.path[0] ?? 0] }[event.key];
  if (!there) return;
  event.preventDefault();
  focus(state, ...there);
}
