// The ribbon under the strip: as wide as the mass still alive, what each stage cuts falling off in red with its figure.
// Knows nothing about the cards but where they stand.

import { el, fit, keep, setAttr, setClass, setStyle, setText, svg } from "./dom.js";
import { loss, percent } from "./format.js";

export const HEIGHT = 34;
export const FULL = 14;
const LOST_FROM = 0.0005;
const BEND = 12;
let serial = 0;
const states = new WeakMap();

/**
 * stages: StageViews in the strip's order, guidance first, each with its card as `element` (or options.card(id) -> Element).
 * options: {stacked, remeasure}; stacked hides the ribbon (card.js then draws a bar in each card). The node lies in the
 * cards' scroller. Places are measured when the order or a card's size changes or remeasure is set, never in a plain drag.
 */
export function render(node, stages, options = {}) {
  const state = keep(states, node, build);
  setClass(state.root, "pg-none", Boolean(options.stacked));
  state.last = [stages, { ...options, remeasure: false }];
  if (options.stacked) return;
  const key = stages.map((stage) => stage.id).join(" ");
  if (key !== state.key || state.dirty || options.remeasure) {
    measure(state, node, stages.map((stage) => stage.element ?? options.card?.(stage.id) ?? null));
  }
  state.key = key;
  draw(state, stages);
}

function build(parent) {
  const root = el("div", "pg-ribbon-body", parent);
  const canvas = svg("svg", { height: HEIGHT, "aria-hidden": "true" }, root);
  const fade = `pg-ribbon-fade-${serial++}`;
  const gradient = svg("linearGradient", { id: fade, x1: 0, y1: 0, x2: 0, y2: 1 }, svg("defs", {}, canvas));
  svg("stop", { offset: 0.35, class: "pg-ribbon-stop" }, gradient);
  svg("stop", { offset: 1, class: "pg-ribbon-stop", "stop-opacity": 0 }, gradient);
  const state = {
    root, canvas, fade, left: el("span", "pg-ribbon-left", root), band: svg("path", { class: "pg-ribbon-band" }, canvas),
    lost: [], figures: [], places: [], width: 0, key: "", dirty: true, last: null, watched: new Set(),
  };
  state.observer = new ResizeObserver(() => {
    state.dirty = true;
    if (state.last && parent.isConnected) render(parent, ...state.last);
  });
  return state;
}

/** x of each stage's cut (the middle of its card) and the ribbon's own extent: as far as the cards' neighbours reach. */
function measure(state, node, cards) {
  const strip = cards.find(Boolean)?.parentElement ?? node;
  watch(state, [strip, ...cards.filter(Boolean)]);
  const others = [...strip.children].filter((child) => !child.contains(node));
  const shown = others.map((child) => child.getBoundingClientRect()).filter((rect) => rect.width > 0);
  const origin = node.getBoundingClientRect().left;
  const left = shown.length ? Math.min(...shown.map((rect) => rect.left)) - origin : 0;
  state.width = Math.max(1, Math.round(Math.max(0, ...shown.map((rect) => rect.right - origin)) - left));
  state.places = cards.map((card, index) => {
    const rect = card?.getBoundingClientRect();
    return rect?.width ? rect.left - origin - left + rect.width / 2 : ((index + 0.5) * state.width) / cards.length;
  });
  state.dirty = false;
  setStyle(state.root, "margin-left", `${round(left)}px`);
  setAttr(state.canvas, "viewBox", `0 0 ${state.width} ${HEIGHT}`);
  setAttr(state.canvas, "width", String(state.width));
}

function watch(state, elements) {
  for (const element of state.watched) if (!elements.includes(element)) state.observer.unobserve(element);
  for (const element of elements) if (!state.watched.has(element)) state.observer.observe(element);
  state.watched = new Set(elements);
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
  fit(state.canvas, state.lost, cuts.length, () => svg("path", { class: "pg-ribbon-lost", fill: `url(#${state.fade})` }));
  fit(state.root, state.figures, cuts.length, () => el("span", "pg-ribbon-figure"));
  const last = cuts.length ? cuts[cuts.length - 1].x + 110 : 0;
  setStyle(state.left, "left", `${state.width}px`);
  setText(state.left, state.width - last > 130 ? `${percent(mass)} of the mass left` : "");
  cuts.forEach((cut, index) => {
    setAttr(state.lost[index], "d", fall(cut));
    setText(state.figures[index], loss(cut.from - cut.to));
    setStyle(state.figures[index], "left", `${round(cut.x + BEND + thickness(cut) + 5)}px`);
    const [gone, left] = [percent(cut.from - cut.to), percent(cut.to)];
    setAttr(state.figures[index], "title", `${cut.stage.title} cuts ${gone} of the mass; ${left} is left`);
  });
}

const thickness = ({ from, to }) => Math.max(1, (from - to) * FULL);

/** The part cut off turns down, as thick as it was, and fades. */
function fall(cut) {
  const [x, top] = [round(cut.x), round(cut.to * FULL)];
  const thick = thickness(cut);
  const [inner, outer] = [round(x + BEND), round(x + BEND + thick)];
  const bottom = round(top + thick);
  return `M${x} ${top}C${outer} ${top} ${outer} ${bottom} ${outer} ${HEIGHT}H${inner}`
    + `C${inner} ${bottom} ${inner} ${bottom} ${x} ${bottom}Z`;
}
