// The distribution chart: a row a token, what the model said (ghost) under what is left of it (final), one fixed axis.
// Knows nothing about samplers; it shows the probabilities it is given and who removed what.

import { calm, el, keep, setAttr, setClass, setLabel, setStyle, setText } from "./dom.js";
import { count, decade, exact, percent } from "./format.js";

const states = new WeakMap();
const DECADES = 6;
const SETTLE_MS = 240;
const ENDS = [[1, 5], [1.5, 3], [2, 4], [3, 3], [4, 4], [5, 5], [6, 3], [8, 4], [10, 5]]; // axis end, divisions

/**
 * view: PipelineView. options: {scale: "linear" | "log", light, hold, stageTitle(id) -> string, onForce(tokenId)}.
 * hold keeps each token in its place and the axis from shrinking, while a slider moves.
 */
export function render(node, view, options = {}) {
  const state = keep(states, node, build);
  state.options = options;
  const log = options.scale === "log";
  const ids = order(state, view.rows, options.hold);
  const byId = new Map(view.rows.map((row) => [row.token_id, row]));
  const axis = log ? null : axisFor(state, view.rows, options.hold);
  drawAxis(state, log, axis);
  const title = options.stageTitle || ((id) => id);
  place(state, ids, !options.hold);
  for (const id of ids) drawRow(state.items.get(id), byId.get(id), log, axis, title, options.light);
  drawOthers(state.others, view.others, log, axis);
  options.light?.touch();
}

/** Where a probability ends on the axis, percent of its length; max is the linear axis' end, null = log. */
export function length(p, max) {
  if (!(p > 0)) return 0;
  const share = max === null ? 1 + Math.log10(p) / DECADES : p / max;
  return Math.round(Math.min(1, Math.max(0, share)) * 1e4) / 100;
}

function build(parent) {
  const root = el("div", "pg-rows", parent);
  const head = el("div", "pg-rows-head", root);
  const axis = el("div", "pg-rows-axis", head);
  axis.setAttribute("aria-hidden", "true");
  el("span", "pg-rows-raw", head, "model");
  el("span", "pg-rows-final", head, "after");
  const list = el("div", "pg-rows-list", root);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Next-token probabilities. Arrows move, Enter forces a token, P pins it.");
  const others = makeRow(el("div", "pg-row pg-row-others", root));
  const state = { root, axis, list, others, items: new Map(), free: [], ids: [], max: 0, ticks: "", options: {} };
  list.addEventListener("keydown", (event) => onKey(state, event));
  list.addEventListener("click", (event) => onClick(state, event));
  list.addEventListener("focusin", (event) => makeCurrent(state, event.target.closest(".pg-row")));
  return state;
}

function makeRow(root) {
  const pin = el("i", "pg-row-pin", root);
  pin.setAttribute("aria-hidden", "true");
  const label = el("bdi", "pg-token pg-row-label", root);
  const bar = el("span", "pg-row-bar", root);
  const ghost = el("i", "pg-row-ghost", bar);
  const final = el("i", "pg-row-fill", bar);
  const [rawText, finalText] = ["raw", "final"].map((name) => {
    root.append(" "); // between words, for whoever reads or copies the row
    return el("span", `pg-rows-${name}`, root);
  });
  return { root, label, ghost, final, rawText, finalText };
}

/** Token ids in the order to show: as given, or each in its old place and newcomers where others left. */
function order(state, rows, hold) {
  const given = rows.map((row) => row.token_id);
  if (!hold || !state.ids.length) return given;
  const present = new Set(given);
  const before = new Set(state.ids);
  const fresh = given.filter((id) => !before.has(id));
  const kept = state.ids.map((id) => (present.has(id) ? id : fresh.shift())).filter((id) => id !== undefined);
  return kept.concat(fresh);
}

/** The end of the linear axis: the next round number over the largest bar; while held it only grows. */
function axisFor(state, rows, hold) {
  let top = 0.01;
  for (const row of rows) top = Math.max(top, row.p_raw, row.p_final);
  const power = 10 ** Math.floor(Math.log10(top));
  const end = ENDS.find(([factor]) => top <= factor * power * 1.0001);
  const wanted = Math.min(1, end[0] * power);
  state.max = hold ? Math.max(state.max, wanted) : wanted;
  return state.max;
}

function drawAxis(state, log, max) {
  const key = log ? "log" : String(max);
  if (key === state.ticks) return;
  state.ticks = key;
  const labels = [];
  if (log) {
    for (let exponent = -DECADES; exponent <= 0; exponent++) labels.push(exponent % 2 ? "" : decade(exponent));
  } else {
    const lead = max / 10 ** Math.floor(Math.log10(max) + 1e-9);
    const steps = ENDS.find(([factor]) => Math.abs(factor - lead) < 1e-6)?.[1] ?? 5;
    for (let step = 0; step <= steps; step++) labels.push(percent((max * step) / steps).replace(/\.0(?=\D)/, ""));
  }
  state.root.style.setProperty("--pg-ticks", labels.length - 1);
  state.axis.replaceChildren();
  labels.forEach((text, index) => {
    const tick = el("span", "", state.axis, text);
    tick.style.left = `${(100 * index) / (labels.length - 1)}%`;
  });
}

/** Brings the row elements into the order of ids, reusing the ones of tokens that left; animates where allowed. */
function place(state, ids, animate) {
  const same = ids.length === state.ids.length && ids.every((id, index) => id === state.ids[index]);
  if (same) return;
  const wanted = new Set(ids);
  const moving = animate && state.ids.length && !calm();
  const from = moving ? new Map(state.ids.map((id) => [id, state.items.get(id).root.offsetTop])) : null;
  const active = document.activeElement;
  const hadFocus = active && state.list.contains(active) ? active : null;
  for (const [id, item] of state.items) {
    if (!wanted.has(id)) {
      state.items.delete(id);
      state.free.push(item);
    }
  }
  for (const id of ids) if (!state.items.has(id)) state.items.set(id, state.free.pop() || makeItem());
  ids.forEach((id, index) => {
    const { root } = state.items.get(id);
    if (state.list.children[index] !== root) state.list.insertBefore(root, state.list.children[index] || null);
  });
  for (const item of state.free) item.root.remove();
  state.ids = ids;
  if (hadFocus && hadFocus !== document.activeElement && hadFocus.isConnected) hadFocus.focus({ preventScroll: true });
  if (!state.list.querySelector('[tabindex="0"]') && ids.length) setAttr(state.items.get(ids[0]).root, "tabindex", "0");
  if (moving) slide(state, from);
}

function slide(state, from) {
  const tops = state.ids.map((id) => state.items.get(id).root.offsetTop);
  state.ids.forEach((id, index) => {
    const { root } = state.items.get(id);
    const shift = from.has(id) ? from.get(id) - tops[index] : null;
    if (shift === 0) return;
    const start = shift === null ? { opacity: 0 } : { transform: `translateY(${shift}px)` };
    root.animate([start, {}], { duration: SETTLE_MS, easing: "cubic-bezier(.2,.7,.2,1)" });
  });
}

function makeItem() {
  const root = el("div", "pg-row");
  root.setAttribute("role", "option");
  root.tabIndex = -1;
  return makeRow(root);
}

function drawRow(item, row, log, max, title, light) {
  const { root } = item;
  const removed = row.removed_by ? title(row.removed_by) : "";
  setAttr(root, "data-token-id", String(row.token_id));
  setAttr(root, "data-p-raw", exact(row.p_raw));
  setAttr(root, "data-p-final", exact(row.p_final));
  setAttr(root, "data-removed-by", row.removed_by || null);
  setClass(root, "pg-removed", Boolean(row.removed_by));
  setClass(root, "pg-drawn", Boolean(row.drawn));
  setClass(root, "pg-chosen", Boolean(row.chosen));
  setAttr(root, "aria-selected", String(light ? light.pinned.has(row.token_id) : Boolean(row.pinned)));
  setLabel(item.label, row.text, row.special);
  setStyle(item.ghost, "width", `${length(row.p_raw, log ? null : max)}%`);
  setStyle(item.final, "width", `${row.removed_by ? 0 : length(row.p_final, log ? null : max)}%`);
  const raw = percent(row.p_raw);
  const final = row.removed_by ? `✂ ${removed}` : percent(row.p_final);
  setText(item.rawText, raw);
  setText(item.finalText, final);
  const fate = row.removed_by ? `model, removed by ${removed}` : "model, after the pipeline";
  const marks = (row.drawn ? ", the dart hits it" : "") + (row.chosen ? ", the text has it" : "");
  setAttr(root, "aria-label", `${row.text} ${raw} ${final}: ${fate}${marks}, rank ${count(row.rank)}`);
}

function drawOthers(item, others, log, max) {
  setText(item.label, `${count(others.count)} other${others.count === 1 ? "" : "s"}`);
  setAttr(item.root, "data-p-raw", exact(others.p_raw));
  setAttr(item.root, "data-p-final", exact(others.p_final));
  const end = log ? null : max;
  setStyle(item.ghost, "width", `${length(others.p_raw, end)}%`);
  setStyle(item.final, "width", `${length(others.p_final, end)}%`);
  setClass(item.ghost, "pg-torn", !log && others.p_raw > max);
  setClass(item.final, "pg-torn", !log && others.p_final > max);
  setText(item.rawText, percent(others.p_raw));
  setText(item.finalText, percent(others.p_final));
}

function makeCurrent(state, root) {
  if (!root) return;
  for (const item of state.items.values()) setAttr(item.root, "tabindex", item.root === root ? "0" : "-1");
}

function onClick(state, event) {
  const root = event.target.closest(".pg-row");
  if (!root) return;
  const id = Number(root.dataset.tokenId);
  if (event.target.closest(".pg-row-pin") || !state.options.onForce) pin(state, root, id);
  else state.options.onForce(id);
}

function pin(state, root, id) {
  state.options.light?.togglePin(id);
  setAttr(root, "aria-selected", String(Boolean(state.options.light?.pinned.has(id))));
}

function onKey(state, event) {
  const root = event.target.closest(".pg-row");
  if (!root || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...state.list.children];
  const at = rows.indexOf(root);
  const id = Number(root.dataset.tokenId);
  const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (target !== undefined) rows[Math.max(0, Math.min(rows.length - 1, target))].focus();
  else if (event.key === "Enter") state.options.onForce?.(id);
  else if (event.key === "p" || event.key === "P") pin(state, root, id);
  else return;
  event.preventDefault();
}
