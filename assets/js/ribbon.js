// The ribbon under the strip: as wide as the mass still alive, what each stage cuts falling off in red with its figure.
// Knows nothing about the cards but where they stand.

import { el, fit, keep, setAttr, setClass, setStyle, setText, svg } from "./dom.js";
import { loss, percent } from "./format.js";

export const HEIGHT = 34;
export const FULL = 14;
const LOST_FROM = 0.0005;
const FALL = 26;
const states = new WeakMap();

/**
 * stages: view.stages. options: {card(id) -> Element or null, stacked, remeasure}. The node lies in the scroller of the
 * cards and is as wide as they are together; stacked hides the ribbon (card.js then draws a bar in each card).
 * Places are measured when the order or the width changes, or when remeasure is set; never during a plain drag.
 */
export function render(node, stages, options = {}) {
  const state = keep(states, node, build);
  setClass(state.root, "pg-none", Boolean(options.stacked));
  if (options.stacked) return;
  const key = stages.map((stage) => stage.id).join(" ");
  if (key !== state.key || state.dirty || options.remeasure) measure(state, node, stages, options.card || (() => null));
  state.key = key;
  state.last = [stages, options];
  draw(state, stages);
}

function build(parent) {
  const root = el("div", "pg-ribbon", parent);
  const canvas = svg("svg", { height: HEIGHT, "aria-hidden": "true" }, root);
  const state = {
    root, canvas, band: svg("path", { class: "pg-ribbon-band" }, canvas), lost: [], figures: [],
    places: [], width: 0, key: "", dirty: true, last: null,
  };
  state.observer = new ResizeObserver(() => {
    state.dirty = true;
    if (state.last && parent.isConnected) render(parent, ...state.last);
  });
  state.observer.observe(root);
  return state;
}

/** x of each stage's cut: the middle of its card, in the node's own pixels. */
function measure(state, node, stages, card) {
  const box = node.getBoundingClientRect();
  state.width = box.width;
  state.places = stages.map((stage, index) => {
    const rect = card(stage.id)?.getBoundingClientRect();
    if (!rect || !rect.width) return ((index + 0.5) * box.width) / stages.length;
    return rect.left - box.left + rect.width / 2;
  });
  state.dirty = box.width === 0;
  setAttr(state.canvas, "viewBox", `0 0 ${Math.max(1, Math.round(box.width))} ${HEIGHT}`);
  setAttr(state.canvas, "width", String(Math.max(1, Math.round(box.width))));
}

const round = (value) => Math.round(value * 100) / 100;

function draw(state, stages) {
  const cuts = [];
  let mass = 1;
  let lower = "";
  let edge = `M0 0H${round(state.width)}V`;
  stages.forEach((stage, index) => {
    const next = Math.min(mass, stage.mass_alive);
    if (mass - next >= LOST_FROM) {
      const x = state.places[index];
      cuts.push({ x, from: mass, to: next, stage });
      lower = `L${round(x)} ${round(next * FULL)}L${round(x)} ${round(mass * FULL)}` + lower;
    }
    mass = next;
  });
  edge += `${round(mass * FULL)}${lower}L0 ${FULL}Z`;
  setAttr(state.band, "d", edge);
  fit(state.canvas, state.lost, cuts.length, () => svg("path", { class: "pg-ribbon-lost" }));
  fit(state.root, state.figures, cuts.length, () => el("span", "pg-ribbon-figure"));
  cuts.forEach((cut, index) => {
    setAttr(state.lost[index], "d", fall(cut));
    setText(state.figures[index], loss(cut.from - cut.to));
    setStyle(state.figures[index], "left", `${round(cut.x + FALL * 0.62)}px`);
    setAttr(state.figures[index], "title", `${cut.stage.title} cuts ${percent(cut.from - cut.to)} of the mass; ${percent(cut.to)} is left`);
  });
}

/** The part cut off bends down and thins out. */
function fall({ x, from, to }) {
  const [top, bottom] = [to * FULL, from * FULL];
  const thick = Math.max(1, bottom - top);
  const [endX, endY] = [x + FALL * 0.5, HEIGHT - 3];
  return `M${round(x)} ${round(top)}C${round(x + FALL * 0.45)} ${round(top)} ${round(endX)} ${round(top + 6)} ${round(endX)} ${endY}`
    + `H${round(endX - Math.min(thick, 3))}C${round(endX - 3)} ${round(bottom + 8)} ${round(x + 4)} ${round(top + thick)} ${round(x)} ${round(top + thick)}Z`;
}
