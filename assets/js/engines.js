// The same knobs, seven engines: one row an engine, its ruler on the axis of all others, the first difference in words.
// Knows nothing about how an engine runs a strip; the server says it.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";
import { choices, count, percent, precise } from "./format.js";
import { useDefaults, useOrder } from "./presets.js";
import { render as drawRuler } from "./ruler.js";

export const route = "engines";

const states = new WeakMap();

/** view: EnginesView. tools: those of sections.js. */
export function render(node, view, tools) {
  const state = keep(states, node, build);
  setText(state.title, view.title ? `After “${view.title}”` : "Next token");
  setText(state.sum, summary(view));
  const engines = [view.here, ...view.engines];
  fit(state.list, state.rows, engines.length, () => makeRow(tools));
  engines.forEach((engine, index) => drawRow(state.rows[index], engine, view, tools));
  drawTable(state, view);
  tools.light.touch();
}

/** "On this step 3 of the seven do what your strip does here; KoboldCpp is furthest from it, 42 % apart." */
function summary({ engines }) {
  const alike = engines.filter((engine) => engine.same).length;
  if (alike === engines.length) return "On this step all seven do what your strip does here.";
  const furthest = engines.reduce((a, b) => (b.tvd > a.tvd ? b : a));
  const some = ["none of the seven does", "one of the seven does"][alike] ?? `${alike} of the seven do`;
  return `On this step ${some} what your strip does here; ${furthest.name} is furthest from it, ${percent(furthest.tvd)} apart.`;
}

function build(parent) {
  const root = el("section", "pg-panel pg-engines", parent);
  root.setAttribute("aria-label", "The same knobs in seven engines");
  const head = el("h2", "", root, "The same knobs, seven engines ");
  const title = el("span", "pg-quiet", head);
  el("p", "pg-engines-lead", root, "Your strip as each engine would run it: in its order, by its rules, without what it "
    + "lacks. Each bar lays its tokens end to end; the dart flies at the same place on all of them.");
  const sum = el("p", "pg-engines-sum", root);
  const list = el("ol", "pg-engines-list", root);
  list.setAttribute("role", "list");
  const twin = el("details", "pg-engines-twin", root);
  el("summary", "", twin, "The same as a table");
  const scroller = el("div", "pg-table pg-table-scroll", twin);
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Probabilities of the leading tokens in every engine");
  const table = el("table", "", scroller);
  const headRow = el("tr", "", el("thead", "", table));
  return { root, title, sum, list, rows: [], heads: [], headRow, body: el("tbody", "", table), lines: [] };
}

function makeRow(tools) {
  const row = el("li", "pg-engine");
  const head = el("div", "pg-engine-head", row);
  const name = el("h3", "", head);
  const figures = el("p", "pg-engine-figures", head);
  const parts = {
    row, name, figures, support: figure(figures, "left"), choices: figure(figures, "choices"), apart: figure(figures, "apart"),
    ruler: el("div", "pg-engine-ruler", row), why: el("p", "pg-engine-why", row), sets: el("p", "pg-engine-sets", row),
    gained: null, lost: null, details: el("details", "", row), variants: [], notes: [], stages: [],
  };
  setAttr(parts.apart, "title", "Total variation distance: the largest difference in probability that any event can have");
  parts.lost = set(parts.sets, "pg-engine-lost");
  parts.gained = set(parts.sets, "pg-engine-gained");
  parts.summary = el("summary", "", parts.details);
  parts.path = el("ol", "pg-engine-path", parts.details);
  parts.list = el("ul", "pg-engine-notes", parts.details);
  const buttons = el("p", "pg-engine-buttons", row);
  parts.buttons = buttons;
  parts.order = button(buttons, "Use this order", () => useOrder(parts.engine.name));
  parts.defaults = button(buttons, "Use its defaults", () => useDefaults(parts.engine.name));
  row.pgParts = parts;
  return row;
}

function figure(parent, unit) {
  const box = el("span", "", parent);
  el("b", "", box);
  box.append(" ");
  el("span", "", box, unit);
  return box;
}

function set(parent, name) {
  const box = el("span", name, parent);
  return { box, words: el("span", "", box), tokens: el("span", "", box), nodes: [] };
}

function button(parent, words, work) {
  const node = el("button", "pg-button", parent, words);
  node.type = "button";
  node.addEventListener("click", work);
  return node;
}

function drawRow(row, engine, view, { light }) {
  const parts = row.pgParts;
  const own = engine === view.here;
  parts.engine = engine;
  setAttr(row, "data-engine", engine.name);
  setClass(row, "pg-engine-here", own);
  setClass(row, "pg-engine-same", engine.same && !own);
  setText(parts.name, own ? "Here" : engine.name);
  setAttr(parts.name, "title", own ? "Your strip as it stands" : `read in ${engine.version}`);
  setText(parts.support.firstChild, count(engine.support));
  setText(parts.support.lastChild, engine.support === 1 ? "token" : "tokens");
  setText(parts.choices.firstChild, choices(engine.choices));
  setText(parts.apart.firstChild, engine.same ? "the same" : percent(engine.tvd));
  setText(parts.apart.lastChild, engine.same ? "" : "apart");
  setClass(parts.apart, "pg-none", own);
  drawRuler(parts.ruler, engine.dart, { light });
  setText(parts.why, own ? "What the strip above draws from." : engine.parts);
  drawSet(parts.lost, "removes ", engine.lost, view.here.support);
  drawSet(parts.gained, "keeps ", engine.gained, engine.support);
  setClass(parts.sets, "pg-none", !engine.lost.count && !engine.gained.count);
  drawDetails(parts, engine, own);
  setClass(parts.buttons, "pg-none", own);
  for (const [node, words] of [[parts.order, "Use the order of"], [parts.defaults, "Use the defaults of"]]) {
    setAttr(node, "aria-label", `${words} ${engine.name}`);
  }
}

/** "removes 14 tokens kept here, 12 %: ␣a ␣b …" */
function drawSet(parts, verb, { count: size, mass, texts }) {
  setClass(parts.box, "pg-none", !size);
  const other = verb === "removes " ? "kept here" : "removed here";
  setText(parts.words, size ? `${verb}${count(size)} ${size === 1 ? "token" : "tokens"} ${other} (${percent(mass)}): ` : "");
  fit(parts.tokens, parts.nodes, texts.length, () => el("bdi", "pg-token"));
  texts.forEach((text, index) => setLabel(parts.nodes[index], text));
}

function drawDetails(parts, engine, own) {
  const names = engine.path.map((stage) => stage.title).join(" → ");
  setText(parts.summary, engine.path.length ? names : "no stage is on");
  fit(parts.path, parts.stages, engine.path.length, () => {
    const item = el("li");
    el("b", "", item);
    el("span", "", item);
    return item;
  });
  engine.path.forEach((stage, index) => {
    const item = parts.stages[index];
    const values = Object.values(stage.params).filter((value) => typeof value === "number").join(" ");
    setText(item.firstChild, values ? `${stage.title} ${values}` : stage.title);
    setText(item.lastChild, ` leaves ${count(stage.support)}`);
  });
  const lines = own ? [] : [...engine.notes.map((note) => [note, "note"]),
    ...engine.variants.map((variant) => [variantWords(variant), "variant"]),
    [engine.says, "fact"], ...engine.quirks.map((quirk) => [quirk, "fact"])];
  fit(parts.list, parts.notes, lines.length, () => el("li"));
  lines.forEach(([words, kind], index) => {
    setText(parts.notes[index], words);
    setAttr(parts.notes[index], "data-kind", kind);
  });
}

function variantWords({ name, says, parts, support, tvd }) {
  const figures = tvd < 1e-6 ? "the same as here" : `${count(support)} tokens, ${percent(tvd)} apart`;
  return `${name}: ${figures}. ${says} ${tvd < 1e-6 ? "" : parts}`.trim();
}

function drawTable(state, { here, engines, tokens }) {
  const columns = ["token", "here", ...engines.map((engine) => engine.name)];
  fit(state.headRow, state.heads, columns.length, () => {
    const cell = el("th");
    cell.scope = "col";
    return cell;
  });
  columns.forEach((words, index) => {
    setText(state.heads[index], words);
    setClass(state.heads[index], "pg-number", index > 0);
  });
  const lines = [["tokens left", [here, ...engines].map((engine) => count(engine.support))],
    ["effective choices", [here, ...engines].map((engine) => choices(engine.choices))],
    ["entropy, bits", [here, ...engines].map((engine) => precise(engine.entropy_bits))],
    ["distance to here", [here, ...engines].map((engine) => precise(engine.tvd))],
    ...tokens.map((token) => [token, [token.p_here, ...token.p].map((p) => (p ? precise(p) : "–"))])];
  fit(state.body, state.lines, lines.length, () => Object.assign(el("tr"), { pgCells: [] }));
  lines.forEach(([head, cells], index) => drawLine(state.lines[index], head, cells));
}

function drawLine(line, head, cells) {
  fit(line, line.pgCells, cells.length + 1, (index) => {
    const cell = el(index ? "td" : "th", index ? "pg-number" : "");
    if (!index) {
      cell.scope = "row";
      el("bdi", "", cell);
    }
    return cell;
  });
  const label = line.pgCells[0].firstChild;
  const token = typeof head === "object";
  setAttr(line, "data-token-id", token ? String(head.token_id) : null);
  setClass(label, "pg-token", token);
  setLabel(label, token ? head.text : head);
  cells.forEach((words, index) => {
    setText(line.pgCells[index + 1], words);
    setClass(line.pgCells[index + 1], "pg-apart", token && words !== cells[0] && (words === "–") !== (cells[0] === "–"));
  });
}
