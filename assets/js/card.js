// The small chart of a card: the distribution as it arrives and as it leaves, the cut drawn as geometry.
// Knows nothing about what a stage computes; all cards share one axis, log rank against log probability.

import { el, fit, keep, setAttr, setClass, setStyle, setText, svg } from "./dom.js";
import { choices, count, percent } from "./format.js";
import { stops } from "./journey.js";
import { follow } from "./light.js";

export const WIDTH = 172;
export const HEIGHT = 66;
const TOP = 3;
const FLOOR = 62;
const DECADES = 8;
const states = new WeakMap();
const followers = new WeakMap();

/** Rank 1 ... V to 0 ... WIDTH. */
export const xOfRank = (rank, vocabulary) =>
  Math.min(WIDTH, Math.max(0, (WIDTH * Math.log(Math.max(rank, 1))) / Math.log(Math.max(vocabulary, 2))));

/** log10 p, 0 ... -8, to TOP ... FLOOR; what is smaller lies on the floor. */
export const yOfLog = (logP) => TOP + ((FLOOR - TOP) * Math.min(DECADES, Math.max(0, -logP))) / DECADES;

/** A cumulative mass 0 ... 1 to FLOOR ... TOP. */
export const yOfMass = (mass) => FLOOR - (FLOOR - TOP) * Math.min(1, Math.max(0, mass));

/**
 * stage: StageView; one that is off (on: false, off: true or null) is greyed and shows only what arrives (its before, or
 * options.before).
 * options: {view, light, stacked}; stacked adds the bar of surviving mass, for when the ribbon cannot be drawn.
 */
export function render(node, stage, options = {}) {
  const state = keep(states, node, build);
  const { view } = options;
  const off = !stage || stage.off === true || stage.on === false;
  const xs = abscissas(view);
  setClass(state.root, "pg-card-off", off);
  setAttr(state.root, "data-kind", off ? null : stage.id === "guidance" ? "guidance" : stage.kind);
  drawTicks(state, view.vocabulary_size);
  drawCurves(state, stage, options.before, view, xs, off);
  drawCut(state, off ? null : stage, view, xs);
  drawFooter(state, off ? null : stage);
  drawMass(state, off || !options.stacked ? null : stage, view);
  state.picture = { stage: off ? null : stage, view };
  follow(followers, node, options.light, (light) => drawDots(state, light));
}

function build(parent) {
  const root = el("div", "pg-card-body", parent);
  const plot = el("div", "pg-card-plot", root);
  const canvas = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, plot);
  const layer = (tag, name) => svg(tag, { class: `pg-${name}` }, canvas);
  const state = {
    root, plot, canvas,
    region: layer("path", "cut-region"), before: layer("path", "curve-area"), lost: layer("path", "curve-lost"),
    after: layer("path", "curve-after-area"), ticks: layer("path", "curve-ticks"), third: layer("path", "curve-negative"),
    beforeLine: layer("path", "curve-before"), afterLine: layer("path", "curve-after"),
    sides: layer("path", "curve-side"), taken: layer("path", "curve-taken"),
    staircase: layer("path", "curve-cumulative"), level: layer("path", "cut-level"), edge: layer("path", "cut-edge"),
    dots: [], vocabulary: 0,
  };
  state.foot = el("div", "pg-card-foot", root);
  state.was = el("span", "", state.foot);
  state.arrow = el("span", "pg-card-arrow", state.foot, " → ");
  state.now = el("b", "", state.foot);
  state.unit = el("span", "", state.foot);
  state.mass = el("div", "pg-card-mass", root);
  state.massKept = el("i", "", state.mass);
  state.massLost = el("i", "pg-card-mass-lost", state.mass);
  return state;
}

let cached = { key: "", xs: [] };

function abscissas(view) {
  const { ranks, vocabulary_size: size } = view;
  const key = `${ranks.length},${size},${ranks[ranks.length >> 1]},${ranks[ranks.length - 1]}`;
  if (cached.key !== key) cached = { key, xs: ranks.map((rank) => tenth(xOfRank(rank, size))) };
  return cached.xs;
}

const tenth = (value) => Math.round(value * 100) / 100;
const alive = (value) => value !== null && value !== undefined && value > -Infinity;

/** A broken line through the points that exist; an isolated one becomes a dot (round line ends). */
function linePath(xs, values, y = yOfLog) {
  let path = "";
  let open = false;
  for (let i = 0; i < values.length; i++) {
    if (!alive(values[i])) open = false;
    else {
      const point = `${xs[i]} ${tenth(y(values[i]))}`;
      path += open ? "L" + point : (open = true) && `M${point}h.01L${point}`;
    }
  }
  return path;
}

/** The area under the points where keep(i) holds, each run closed half way to its neighbours. */
function areaPath(xs, values, wanted) {
  let path = "";
  for (let i = 0; i < values.length; i++) {
    if (!wanted(i)) continue;
    const start = i;
    let run = "";
    for (; i < values.length && wanted(i); i++) run += `L${xs[i]} ${tenth(yOfLog(values[i]))}`;
    const left = start ? (xs[start - 1] + xs[start]) / 2 : 0;
    const right = i < xs.length ? (xs[i - 1] + xs[i]) / 2 : xs[i - 1];
    const [first, last] = [tenth(yOfLog(values[start])), tenth(yOfLog(values[i - 1]))];
    path += `M${tenth(left)} ${FLOOR}V${first}${run}L${tenth(right)} ${last}V${FLOOR}Z`;
  }
  return path;
}

function drawTicks(state, vocabulary) {
  if (state.vocabulary === vocabulary) return;
  state.vocabulary = vocabulary;
  let path = `M0 ${FLOOR}H${WIDTH}`;
  for (let rank = 1; rank <= vocabulary; rank *= 10) path += `M${tenth(xOfRank(rank, vocabulary))} ${FLOOR}V${HEIGHT}`;
  state.ticks.setAttribute("d", path);
}

function drawCurves(state, stage, arriving, view, xs, off) {
  const guided = !off && stage.id === "guidance" && view.guidance;
  const before = guided ? view.guidance.branches[0].curve : stage?.before || arriving || [];
  const after = off ? [] : guided ? view.guidance.curve_guided : stage.after;
  const here = (i) => alive(before[i]);
  const cut = (i) => here(i) && !alive(after[i]);
  const truncates = !off && !guided && before.some((_, i) => cut(i));
  setAttr(state.before, "d", areaPath(xs, before, truncates ? (i) => here(i) && !cut(i) : here));
  setAttr(state.lost, "d", truncates ? areaPath(xs, before, cut) : "");
  setAttr(state.beforeLine, "d", linePath(xs, before));
  setAttr(state.after, "d", off || guided ? "" : areaPath(xs, after, (i) => alive(after[i])));
  setAttr(state.afterLine, "d", linePath(xs, after));
  setAttr(state.third, "d", guided ? view.guidance.branches.slice(1).map((branch) => linePath(xs, branch.curve)).join("") : "");
  const sides = off ? [] : stage.sides || []; // of a random stage: what leaves it if its coin falls this way or that
  setAttr(state.sides, "d", sides.filter((side) => !side.taken).map((side) => linePath(xs, side.after)).join(""));
  setAttr(state.taken, "d", sides.filter((side) => side.taken).map((side) => linePath(xs, side.after)).join(""));
  setAttr(state.canvas, "aria-label", off ? "switched off" : label(stage));
}

/** The cut as geometry: lines (edge, dashed level), the staircase, and the region that falls away. */
function drawCut(state, stage, view, xs) {
  const { axis = "none", value, high, marks = [], ranks = [] } = stage?.cut || {};
  const shape = { region: "", edge: "", level: "", staircase: "" };
  if (axis === "probability" || axis === "band") {
    const y = value > 0 ? tenth(yOfLog(Math.log10(value))) : FLOOR;
    shape.edge = `M0 ${y}H${WIDTH}`;
    shape.region = `M0 ${y}H${WIDTH}V${FLOOR}H0Z`;
    if (axis === "band" && high > 0) {
      const top = tenth(yOfLog(Math.log10(high)));
      shape.edge += `M0 ${top}H${WIDTH}`;
      shape.region += `M0 ${TOP}H${WIDTH}V${top}H0Z`;
    }
  } else if (axis === "rank" || axis === "cumulative") {
    const rank = axis === "rank" ? value : crossing(stage, view.ranks);
    const x = tenth(xOfRank(rank + 0.5, view.vocabulary_size));
    shape.edge = `M${x} ${TOP}V${FLOOR}`;
    shape.region = `M${x} ${TOP}H${WIDTH}V${FLOOR}H${x}Z`;
    if (axis === "cumulative") {
      shape.level = `M0 ${tenth(yOfMass(value))}H${WIDTH}`;
      shape.staircase = linePath(xs, stage.cumulative || [], yOfMass);
    }
  }
  if (axis === "ceiling") { // what stands above it goes
    const y = value > 0 ? tenth(yOfLog(Math.log10(value))) : FLOOR;
    shape.edge = `M0 ${y}H${WIDTH}`;
    shape.region = `M0 ${TOP}H${WIDTH}V${y}H0Z`;
  }
  if (axis === "target") shape.level = `M0 ${value > 0 ? tenth(yOfLog(Math.log10(value))) : FLOOR}H${WIDTH}`;
  for (const mark of marks) shape.level += `M0 ${mark > 0 ? tenth(yOfLog(Math.log10(mark))) : FLOOR}H${WIDTH}`;
  for (const rank of ranks) shape.edge += `M${tenth(xOfRank(rank, view.vocabulary_size))} ${TOP}V${FLOOR}`;
  for (const name in shape) setAttr(state[name], "d", shape[name]);
}

/** The rank at which the drawn staircase reaches the level: the support itself, unless guidance changed the order. */
function crossing(stage, ranks) {
  const at = (stage.cumulative || []).findIndex((mass) => mass >= stage.cut.value);
  if (at < 0) return stage.support;
  const inside = stage.support <= ranks[at] && (at === 0 || stage.support > ranks[at - 1]);
  return inside ? stage.support : ranks[at];
}

const truncating = (stage) => stage.kind === "truncate" || stage.support !== stage.support_before;

function label(stage) {
  const figures = truncating(stage)
    ? `${count(stage.support_before)} to ${count(stage.support)} tokens`
    : `${choices(stage.choices_before)} to ${choices(stage.choices)} effective choices`;
  const sides = (stage.sides || []).map((side) => `${side.label} (${percent(side.probability)}) ${count(side.support)} tokens`);
  return [`${stage.title}: ${figures}`, ...sides].join("; ");
}

function drawFooter(state, stage) {
  setClass(state.foot, "pg-empty", !stage);
  if (!stage) return setText(state.now, "off"), setText(state.was, ""), setText(state.unit, "");
  const tokens = truncating(stage);
  setText(state.was, tokens ? count(stage.support_before) : choices(stage.choices_before));
  setText(state.now, tokens ? count(stage.support) : choices(stage.choices));
  setText(state.unit, tokens ? (stage.support === 1 ? " token" : " tokens") : " choices");
  setAttr(state.foot, "title", `entropy ${stage.entropy_before_bits.toFixed(2)} → ${stage.entropy_bits.toFixed(2)} bits`
    + (stage.note ? ` · ${stage.note}` : ""));
}

function drawMass(state, stage, view) {
  setClass(state.mass, "pg-shown", Boolean(stage));
  if (!stage) return;
  const index = view.stages.findIndex((other) => other.id === stage.id);
  const arrives = index > 0 ? view.stages[index - 1].mass_alive : 1;
  setStyle(state.massKept, "width", `${tenth(100 * stage.mass_alive)}%`);
  setStyle(state.massLost, "width", `${tenth(100 * Math.max(0, arrives - stage.mass_alive))}%`);
  setAttr(state.mass, "title", `${percent(stage.mass_alive)} of the mass is still alive`);
}

/** The lit and pinned tokens on this card: where they leave, or where they were cut. */
function drawDots(state, light) {
  const { stage, view } = state.picture;
  const rows = stage ? light.shown().map((id) => view.rows.find((row) => row.token_id === id)).filter(Boolean) : [];
  fit(state.plot, state.dots, rows.length, () => {
    const dot = el("i", "pg-dot");
    el("span", "", dot);
    return dot;
  });
  rows.forEach((row, at) => {
    const dot = state.dots[at];
    const path = stops(view, row);
    const index = path.findIndex((stop) => stop.id === stage.id);
    const [arrives, leaves] = [path[index - 1]?.p ?? 0, path[index]?.p ?? 0];
    const p = leaves > 0 ? leaves : arrives;
    const x = (100 * xOfRank(row.rank, view.vocabulary_size)) / WIDTH;
    dot.dataset.tokenId = String(row.token_id);
    dot.classList.toggle("pg-lit", row.token_id === light.lit);
    dot.classList.toggle("pg-dot-cut", !(leaves > 0));
    dot.classList.toggle("pg-dot-left", x > 60);
    dot.classList.toggle("pg-dot-gone", !(p > 0));
    setStyle(dot, "left", `${tenth(x)}%`);
    setStyle(dot, "top", `${tenth((100 * yOfLog(Math.log10(p || 1e-9))) / HEIGHT)}%`);
    setText(dot.firstChild, leaves > 0 ? percent(leaves) : "✂");
  });
}
