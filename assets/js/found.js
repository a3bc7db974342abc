// How the text was found: the beam tree, the candidates of a contrastive step, or the layers that DoLa compared, and
// the same figures as a table. Knows nothing about how a search decides.

import { render as drawBeams } from "./beams.js";
import { el, keep, setLabel, setText } from "./dom.js";
import { bits, percent } from "./format.js";

const states = new WeakMap();
const WORDS = {
  beam: ["Beam tree", "each column a step, best first; faint: dropped; ●: complete texts; the winner in colour"],
  contrastive: ["Candidates", "score = (1 − α)·p − α·penalty, the penalty being the likeness to an earlier token"],
  layers: ["Layers", "how far each earlier layer's answer lies from the last one's, bits; the furthest is taken away"],
};

/** view: {steps: FoundViews in order, index: the step on screen or null, done}. options: {onStep(index), onToken}. */
export function render(node, view, options = {}) {
  const state = keep(states, node, build);
  const kind = view.steps[0]?.kind;
  state.root.hidden = !kind;
  if (!kind) return;
  const [title, words] = WORDS[kind];
  setText(state.title, title);
  setText(state.words, words);
  const step = view.steps.find((one) => one.index === view.index) ?? view.steps.at(-1);
  state.tree.hidden = kind !== "beam";
  state.bars.hidden = kind === "beam";
  if (kind === "beam") drawBeams(state.tree, view.steps, { done: view.done, onNode: (index, token, best) => best && options.onStep?.(index) });
  else drawBars(state.bars, step, kind);
  setText(state.which, kind === "beam" ? "" : `token ${step.index + 1}`);
  state.table.view = [kind, kind === "beam" ? view.steps : [step]];
  if (state.table.open) drawTable(state.table);
}

function build(parent) {
  const root = el("section", "pg-panel pg-found", parent);
  root.setAttribute("aria-label", "How the text was found");
  const head = el("h2", "", root);
  const title = el("span", "", head);
  const which = el("span", "pg-quiet", head);
  const words = el("span", "pg-quiet pg-right", head);
  const tree = el("div", "", root);
  const bars = el("div", "pg-found-bars", root);
  const table = el("details", "pg-found-table", root);
  el("summary", "pg-quiet", table, "The same as a table");
  const scroll = el("div", "pg-table-scroll", table);
  scroll.tabIndex = 0;
  table.body = el("table", "", scroll);
  table.addEventListener("toggle", () => table.open && drawTable(table));
  return { root, title, which, words, tree, bars, table };
}

/** One bar a candidate: its probability, and beside it what the rule makes of it. */
function drawBars(node, step, kind) {
  const lines = kind === "contrastive"
    ? step.tried.map((one, at) => ({ label: one.label, value: one.p, most: 1, chosen: at === step.chosen,
      words: `p ${percent(one.p)} · penalty ${one.penalty.toFixed(3)} · score ${one.score.toFixed(3)}`, cut: one.penalty }))
    : step.layers.map((layer, at) => ({ label: layer ? `layer ${layer}` : "embedding", value: step.bits[at],
      most: Math.max(...step.bits, 1e-9), chosen: layer === step.layer, words: `${bits(step.bits[at])} bits` }));
  node.replaceChildren(...lines.map((line) => {
    const row = el("div", "pg-found-row");
    row.classList.toggle("pg-chosen", line.chosen);
    setLabel(el("bdi", "pg-token", row), line.label);
    const track = el("span", "pg-found-track", row);
    el("i", "pg-found-bar", track).style.width = `${(100 * Math.max(0, line.value)) / line.most}%`;
    if (line.cut !== undefined) el("i", "pg-found-cut", track).style.width = `${100 * Math.max(0, line.cut)}%`;
    el("span", "pg-found-words", row, line.words + (line.chosen ? " · chosen" : ""));
    return row;
  }));
}

const COLUMNS = {
  beam: [["step", "token", "p", "text log p, nats", "fate"], (step) => step.nodes.map((one) =>
    [step.index + 1, one.label, percent(one.p), one.log_prob.toFixed(4), one.fate])],
  contrastive: [["token", "p", "penalty", "score", ""], (step) => step.tried.map((one, at) =>
    [one.label, percent(one.p), one.penalty.toFixed(4), one.score.toFixed(4), at === step.chosen ? "chosen" : ""])],
  layers: [["layer", "divergence, bits", ""], (step) => step.layers.map((layer, at) =>
    [layer, bits(step.bits[at]), layer === step.layer ? "taken away" : ""])],
};

function drawTable(table) {
  const [kind, steps] = table.view;
  const [heads, lines] = COLUMNS[kind];
  table.body.replaceChildren();
  const head = el("tr", "", el("thead", "", table.body));
  for (const words of heads) el("th", "", head, words).scope = "col";
  const body = el("tbody", "", table.body);
  for (const step of steps) {
    for (const line of lines(step)) {
      const row = el("tr", "", body);
      for (const cell of line) el("bdi", "", el("td", "", row), String(cell));
    }
  }
}
