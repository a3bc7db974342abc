// The table twin of the distribution: every figure of every shown token in full, sortable, copied as CSV.
// Knows nothing about drawing; it is what a screen reader, a spreadsheet or a doubter reads.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";
import { count, exact, precise } from "./format.js";

const states = new WeakMap();

/** view: PipelineView. options: {light, hold, stageTitle(id) -> string}; hold keeps the present order. */
export function render(node, view, options = {}) {
  const state = keep(states, node, build);
  state.view = view;
  state.options = options;
  const title = options.stageTitle || ((id) => view.stages.find((stage) => stage.id === id)?.title ?? id);
  state.columns = columns(view, title);
  drawHead(state);
  drawBody(state, options.hold);
  options.light?.touch();
}

function columns(view, title) {
  const column = (key, name, value, show, numeric = true) => ({ key, name, value, show: show || value, numeric });
  return [
    column("token", "token", (row) => row.text, null, false),
    column("id", "id", (row) => row.token_id),
    column("rank", "rank", (row) => row.rank, (row) => count(row.rank)),
    column("p_raw", "p raw", (row) => row.p_raw, (row) => precise(row.p_raw)),
    ...view.stages.flatMap((stage, index) => {
      const leaves = (row) => row.journey[index + 1] ?? 0;
      const show = (row) => (leaves(row) > 0 ? precise(leaves(row)) : "–");
      return stage.on === false ? [] : [column(`after ${stage.id}`, title(stage.id), leaves, show)];
    }),
    column("p_final", "p final", (row) => row.p_final, (row) => precise(row.p_final)),
    column("removed_by", "removed by", (row) => row.removed_by, (row) => row.removed_by && title(row.removed_by), false),
  ];
}

/** The rows as CSV, full precision; a leading =, +, - or @ is quoted away, because spreadsheets run it. */
export function toCsv(view) {
  const table = columns(view, (id) => id);
  const cell = (value) => {
    const text = typeof value === "number" ? exact(value) : String(value ?? "");
    const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const head = table.map((column) => cell(column.key));
  const lines = [head, ...view.rows.map((row) => table.map((column) => cell(column.value(row))))];
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}

function build(parent) {
  const root = el("div", "pg-table", parent);
  const bar = el("div", "pg-table-bar", root);
  const copy = el("button", "pg-button", bar, "Copy as CSV");
  copy.type = "button";
  const said = el("span", "pg-table-said", bar);
  said.setAttribute("role", "status");
  const scroller = el("div", "pg-table-scroll", root);
  const table = el("table", "", scroller);
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Every figure of the shown tokens");
  el("caption", "pg-hidden", table, "Shown tokens: probability before, after each stage and at the end");
  const head = el("tr", "", el("thead", "", table));
  const body = el("tbody", "", table);
  const state = { root, head, body, heads: [], rows: [], ids: [], sort: null, down: true };
  copy.addEventListener("click", async () => {
    const text = toCsv(state.view);
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    said.textContent = done || copyBySelection(text) ? "Copied." : "The browser did not allow copying.";
  });
  head.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { key, numeric } = state.columns[state.heads.indexOf(button.parentNode)];
    state.down = state.sort === key ? !state.down : numeric && key !== "rank" && key !== "id";
    state.sort = key;
    drawHead(state);
    drawBody(state, false);
  });
  return state;
}

/** Where the clipboard is not open to the page (an iframe, plain http): the old way. */
function copyBySelection(text) {
  const area = el("textarea", "pg-hidden", document.body);
  area.value = text;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function drawHead(state) {
  fit(state.head, state.heads, state.columns.length, () => {
    const head = el("th");
    head.scope = "col";
    el("button", "", head).type = "button";
    return head;
  });
  state.columns.forEach((column, index) => {
    const head = state.heads[index];
    const sorted = state.sort === column.key;
    setText(head.firstChild, column.name);
    setClass(head, "pg-number", column.numeric);
    setAttr(head, "aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
  });
}

function sorted(state, hold) {
  const { rows } = state.view;
  if (hold && state.ids.length) {
    const place = new Map(state.ids.map((id, index) => [id, index]));
    return [...rows].sort((a, b) => (place.get(a.token_id) ?? 1e9) - (place.get(b.token_id) ?? 1e9));
  }
  const column = state.columns.find((one) => one.key === state.sort);
  if (!column) return rows;
  const sign = state.down ? -1 : 1;
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const compare = (a, b) => order(column.value(a), column.value(b));
  return [...rows].sort((a, b) => sign * compare(a, b) || a.rank - b.rank);
}

function drawBody(state, hold) {
  const rows = sorted(state, hold);
  state.ids = rows.map((row) => row.token_id);
  fit(state.body, state.rows, rows.length, () => Object.assign(el("tr"), { pgCells: [] }));
  rows.forEach((row, index) => drawRow(state.rows[index], row, state.columns));
}

function drawRow(line, row, table) {
  setAttr(line, "data-token-id", String(row.token_id));
  setClass(line, "pg-removed", Boolean(row.removed_by));
  setClass(line, "pg-drawn", Boolean(row.drawn));
  fit(line, line.pgCells, table.length, (index) => {
    const cell = el(index ? "td" : "th");
    if (!index) {
      cell.scope = "row";
      el("bdi", "pg-token", cell);
    }
    return cell;
  });
  table.forEach((column, index) => {
    const cell = line.pgCells[index];
    setClass(cell, "pg-number", column.numeric);
    if (index === 0) setLabel(cell.firstChild, row.text, row.special);
    else setText(cell, String(column.show(row)));
  });
}
