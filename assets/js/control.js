// The Control section: what texts should be like, a pool drawn once, and everything that follows from it at every drag.
// Knows nothing about how anything is computed; the server answers views, and the modules control-*.js draw them.

import { latest, post } from "./api.js";
import { createBeta } from "./control-beta.js";
import { createCollecting } from "./control-collect.js";
import { createDrawing } from "./control-draw.js";
import { createFeatures } from "./control-features.js";
import { createList } from "./control-list.js";
import { createFitMeters } from "./control-meters.js";
import { createPrompts } from "./control-prompts.js";
import { setText } from "./dom.js";
import { announce } from "./page.js";
import { el } from "./panels.js";
import { createTuning } from "./tuning.js";

const TOY = "toy";
const POLL_MS = 400;
const SETTLE_MS = 350; // bands are drawn once nothing has moved for this long
const FIRST = [{ feature: "contains", text: "amazing" }];
const sections = new WeakSet();

/** Called when the section opens and when a knob moves: what is shown here depends on its own controls alone. */
export function render(node, _view, tools) {
  if (sections.has(node)) return;
  sections.add(node);
  open(node, tools).catch((error) => {
    sections.delete(node); // tried again when the section is opened, or the server is back
    tools.problem(error);
  });
}

async function open(node, tools) {
  const start = await post("control/start", {});
  const state = {
    pool: TOY, pools: start.pools, contexts: "pooled", measure: "tvd", only: "", logBeta: null, rate: null,
    asked: { features: FIRST, targets: [0.5], exponents: null },
    toy: { features: null, targets: [...start.toy.targets], exponents: null },
  };
  const readers = new Set(); // of the strip
  const now = () => (state.pool === TOY ? state.toy : state.asked);
  const handlers = { state, start, tools, now, aimed: () => aimed(), changed, failed: tools.problem, watch, wantStrip };
  const say = el("p", { class: "pg-control-say" });
  const refusal = el("p", { class: "pg-control-refusal", hidden: true });
  const reading = createReading();
  const drawing = createDrawing(handlers);
  const features = createFeatures(handlers);
  const prompts = createPrompts(handlers);
  const beta = createBeta(handlers);
  const list = createList(handlers);
  const collecting = createCollecting(handlers);
  const meters = createFitMeters();
  const left = el("div", { class: "pg-control-left" }, features.root, prompts.root, reading.root, meters.root, say, refusal);
  const right = el("div", { class: "pg-control-right" }, beta.root);
  node.replaceChildren(el("section", { class: "pg-panel pg-control", "aria-label": "Distributional control" },
    el("h2", {}, "Texts that are like this on average"), drawing.root,
    el("div", { class: "pg-control-columns" }, left, right), list.root, collecting.root), createTuning({ aim, wantStrip, pools: drawing }));

  /** The strip stands above the section while something here reads it, and only then: it would fill a phone. */
  function wantStrip(who, on) {
    if (on) readers.add(who);
    else readers.delete(who);
    tools.keep(node, "strip", readers.size > 0);
  }

  /** The pool, its target and β as they stand: what is shown, collected and taken home. */
  const aimed = () => ({ pool: state.pool, ...now(), contexts: state.contexts, log_beta: state.logBeta, acceptance_rate: state.rate });

  /** What a tuning learns: the pool and the target of this section. */
  function aim() {
    if (state.pool === TOY) throw new Error("The toy is exact as it is. Draw a pool of the model; tuning learns its target.");
    return { pool: state.pool, ...now(), contexts: state.contexts };
  }

  const ask = latest(async (bands) => {
    const { features: wanted, targets, exponents } = now();
    const others = state.pool === TOY ? [] : state.pools.filter((one) => one.id !== state.pool && one.num_texts > 1);
    const body = { ...aimed(), measure: state.measure, only: state.only, bands, partial: true, others: others.map((one) => one.id) };
    let view;
    try {
      view = await post("control/view", body);
    } catch (error) {
      if (now().features !== wanted || wanted === stood.features || body.pool === TOY || error.lost) return paintRefusal(error.message);
      Object.assign(now(), stood); // a feature that cannot be is not kept: nobody could take away what has no gauge
      features.refuse(error.message);
      return changed();
    }
    if (body.pool !== TOY && view.gauges) stood = { features: wanted, targets, exponents };
    paint(view);
  });
  let stood = { ...state.asked };

  let [settling, lookingAgain, wasReading] = [0, 0, false];
  function changed() {
    drawing.paint();
    const record = state.pools.find((one) => one.id === state.pool);
    if (state.pool !== TOY && !(record?.num_texts > 0)) {
      const words = record?.running ? "The first texts are being written." : "This pool holds no texts yet.";
      return paintRefusal(words);
    }
    clearTimeout(settling);
    settling = setTimeout(() => ask(true), SETTLE_MS);
    ask(false);
  }

  function paint(view) {
    if (view.pool !== state.pool) return;
    reading.paint(view.reading);
    clearTimeout(lookingAgain);
    if (view.reading) lookingAgain = setTimeout(() => ask(false), POLL_MS);
    else if (wasReading) settling = setTimeout(() => ask(true), SETTLE_MS);
    if (view.reading && !wasReading) announce(view.reading.words);
    wasReading = Boolean(view.reading);
    if (!view.gauges) return paintRefusal("");
    features.paint(view);
    prompts.paint(view);
    refusal.hidden = !view.refusal || view.gauges.some((gauge) => gauge.refusal); // said once, where it is
    setText(refusal, view.refusal);
    stale(Boolean(view.refusal));
    if (!view.refusal) {
      meters.paint(view);
      beta.paint(view);
      list.paint(view);
      collecting.paint(view);
    }
    setText(say, notes(view));
    announce(view.refusal || `${beta.words()} ${distance(view)} ${notes(view)}`); // heard once it stands, never at every frame of a drag
    node.dataset.painted = String(Number(node.dataset.painted ?? 0) + 1);
  }

  function stale(yes) {
    for (const part of [right, list.root, meters.root, collecting.offer]) part.dataset.stale = String(yes);
  }

  function paintRefusal(words) {
    if (words) reading.paint(null);
    refusal.hidden = !words;
    setText(refusal, words);
    stale(true);
  }

  let watching = 0;
  /** Ask how far the pools are while one is being drawn; the picture grows with it. */
  function watch() {
    clearTimeout(watching);
    drawing.paint();
    if (!state.pools.some((one) => one.running)) return;
    watching = setTimeout(async () => {
      const before = state.pools.find((one) => one.id === state.pool)?.num_texts;
      try {
        state.pools = (await post("control/pools", {})).pools;
      } catch (error) {
        if (!error.lost) return tools.problem(error); // while the server is away, ask on
      }
      const after = state.pools.find((one) => one.id === state.pool);
      if (after && after.num_texts !== before) changed();
      watch();
    }, POLL_MS);
  }

  changed();
  watch();
}

/** How far the texts are read: at once where no model reads them, for a while where a classifier does. */
function createReading() {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Reading the texts" });
  const words = el("span", { class: "pg-quiet" });
  const root = el("div", { class: "pg-control-progress", id: "pg-control-reading", hidden: true }, bar, words);
  return { root, paint(reading) {
    root.hidden = !reading;
    if (!reading) return;
    bar.value = reading.num_done / reading.num_texts;
    setText(words, reading.words);
  } };
}

/** What no meter says: how sure all this is, what is out of reach, what was left out. */
function notes(view) {
  if (!view.fit) return "";
  const parts = [];
  if (view.enumerated) {
    parts.push("All fifteen texts of this toy language are listed, so every figure is exact.");
  } else if (view.fit.status.startsWith("warning: ")) {
    parts.push(`Careful: ${view.fit.status.slice(9)}.`);
  } else if (view.fit.status === "not_converged") {
    parts.push("The exponents did not settle; take these figures for a hint.");
  }
  const [reach, error] = view.reachable;
  if (reach < 1) {
    parts.push(`This proposal can write only ${(100 * reach).toFixed(0)} % (± ${(200 * error).toFixed(0)}) of what the model `
      + "says, and the target here is restricted to that. From the model itself whatever is accepted stays the rest "
      + "away (TVD) at every β; how much of the target lies out of reach, this pool cannot tell.");
  }
  if (view.num_left_out) parts.push(`${view.num_left_out} texts were left out: ${view.reasons.join("; ")}`);
  return parts.join(" ");
}

const distance = ({ fit, enumerated, num_rows: rows }) =>
  `The nearest distribution to the model with these means is ${Math.max(0, fit.kl).toFixed(2)} nats away from it.${
    enumerated ? "" : ` The ${rows} texts are worth ${Math.round(fit.ess)} of its own.`}`;
