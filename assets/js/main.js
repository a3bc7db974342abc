// The beginning: a session, the furniture, the wiring. All sampler maths stays on the server; everything drawn comes
// from one view of one step.

import { open } from "./api.js";
import { adoptToasts, kept, keepOverReload, watch } from "./connection.js";
import * as controls from "./controls.js";
import * as decoder from "./decoder.js";
import { nameKnobs, neutralise, setControls, state } from "./knobs.js";
import { ask, promptChanged, retrace, scalePlot, showFirst } from "./live.js";
import { page, plotly, problem, say, title } from "./page.js";
import * as panels from "./panels.js";
import { draw } from "./picture.js";
import { useDefaults, useOrder } from "./presets.js";
import * as recipe from "./recipe.js";
import * as sections from "./sections.js";
import { createStrip } from "./strip.js";
import * as text from "./text.js";
import { createTokens } from "./tokens.js";

const SETTLE_MS = 600; // rows keep their order this long after a slider is let go
const TYPING_MS = 350; // a pause this long in typing asks the model again
// What Gradio mounts in an order of its own, and the furniture is built on: the last card first.
const NEEDED = ["#pipeline #card-draw", "#pg-inspector-panel", "#prompt textarea", "#negative-prompt textarea",
  "#guidance-scale input", "#pg-decoder", "#pg-top", "#generate", "#stop"];
const timers = { hold: 0, typing: 0, compare: 0 };

window.PG = {
  receive: text.receive,
  request: text.request,
  stopped: text.stopped,
};

function later(name, work, delay) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(work, delay);
}

/** A control moved ("move") or was let go ("settle"). */
function changed(id, phase) {
  if (recipe.isQuiet()) return;
  if (["prompt", "negative-prompt", "system-prompt"].includes(id)) {
    later("typing", () => promptChanged() && ask(), TYPING_MS);
    return;
  }
  if (["max-tokens", "stop-strings"].includes(id)) return;
  page.hold = true;
  later("hold", () => { page.hold = false; redraw(); }, SETTLE_MS);
  retrace();
  later("compare", compared, phase === "settle" ? 0 : SETTLE_MS);
}

/** What is asked once a knob rests: where the text would part, and p(token) against the scale where it is shown. */
const compared = () => { text.compare(); scalePlot(); };

const redraw = () => page.view && draw(page.view, text.force);

function setMode(mode) {
  page.mode = mode;
  panels.check(page.nodes.modes, mode);
  document.body.dataset.mode = mode;
  if (promptChanged()) ask();
}

function showExample(example) {
  page.mode = example.state.chat ? "chat" : "completion";
  setControls(example.state);
  clearTimeout(timers.typing);
  setTimeout(() => { clearTimeout(timers.typing); setMode(page.mode); if (!promptChanged()) retrace(); }, 0);
}

/** A sampler's own example: the prompt on which it matters, on a strip of the stages it needs. */
function showMe(name) {
  const { demo } = page.start.registry[name];
  panels.watchFor(demo.says);
  showExample({ state: { ...state(), prompt: demo.prompt, negative: "", system: "", chat: false, scale: 1,
    guidance: undefined, search: undefined, strip: demo.strip } });
}

function setChartScale(scale) {
  page.chartScale = scale;
  panels.check(page.nodes.segment, scale);
  if (scale === "rank") plotly().then(retrace, problem);
  else retrace();
}

/** Light or dark: what the system says, until the button says otherwise; the choice is remembered where that is allowed. */
function theme(button) {
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("pg-dark");
      localStorage.setItem("pg-dark", value);
    } catch {
      // a frame of another site may have no storage; the choice then lasts as long as the page
    }
    return null;
  };
  const chosen = remembered();
  if (chosen !== null) document.body.classList.toggle("dark", chosen === "1");
  button.addEventListener("click", () => remembered(document.body.classList.toggle("dark") ? "1" : "0"));
}

function furnish() {
  const { start } = page;
  const byId = (id) => document.getElementById(id);
  const head = panels.top(start.model, () => ready(true));
  const distribution = panels.distributionPanel({ scale: setChartScale });
  const guidance = panels.guidancePanel(scalePlot);
  const inspector = panels.inspectorPanel(redraw);
  const tokens = panels.textPanel({ step: text.stepBy, uncertain: text.jump("entropy_bits"),
    surprise: text.jump("surprisal_bits"), goOn: text.goOn, end: text.backToEnd });
  page.nodes = {
    ...head, ...distribution, marks: guidance.marks, scalePlot: guidance.plot, scaleDetails: guidance.details, rendered: guidance.rendered,
    table: inspector.table, inspector: inspector.details, sentence: panels.sentenceNode(),
    after: byId("pg-after"), formula: byId("pg-formula"), run: byId("pg-run"), goOn: byId("pg-continue"),
    timeline: byId("timeline"), journey: byId("pg-journey"),
    say: panels.el("div", { class: "pg-sr", role: "status", "aria-live": "polite" }),
    ribbon: panels.el("div", { class: "pg-ribbon-host", "aria-hidden": "true" }),
  };
  document.body.append(page.nodes.say);
  const tools = panels.toolbar(Object.keys(start.orders), { mode: setMode, order: useOrder, defaults: useDefaults, neutralise });
  page.nodes.modes = tools.modes;
  page.nodes.axisNote = byId("pg-axis-note");
  panels.examples(start.examples, showExample);
  theme(head.theme);
  page.tokens = createTokens(tokens, { onSelect: text.select, onGap: text.repair });
}

function furnishCards(pipeline) {
  const { registry, opening } = page.start;
  page.strip = createStrip(pipeline, opening, { title, say, onChange: () => { retrace(); text.compare(); },
    draws: (id) => registry[id.split("--")[0]].kind === "draw" });
  for (const node of pipeline.querySelectorAll(".pg-card-head")) {
    const id = node.dataset.stage;
    const facts = registry[id.split("--")[0]];
    const head = panels.cardHead(node, { id, title: title(id), summary: facts?.summary, formula: facts?.formula, source: facts?.source,
      movable: Boolean(facts), onRemove: page.strip.remove });
    head.card = node.closest(".pg-card");
    head.note = head.card.appendChild(panels.el("div", { class: "pg-card-note pg-quiet" }));
    if (facts?.demo) head.card.append(panels.showButton(title(id), () => showMe(id.split("--")[0])));
    page.heads.set(id, head);
    if (head.grip) page.strip.grip(id, head.grip);
    if (facts) nameKnobs(id, title(id));
    if (id === "guidance") recipe.furnish(head.card, page.start.guidance, () => { retrace(); compared(); });
  }
  pipeline.append(page.nodes.ribbon);
  panels.addStage(pipeline, Object.keys(registry), registry, (name) => {
    if (!page.strip.add(name)) say(`${title(name)} stands on the strip twice already.`);
  }, showMe);
}

/** Ctrl+Enter generates, where the text can be seen; Escape stops. */
function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    sections.show("play");
    document.getElementById("generate").click();
  }
  else if (event.key === "Escape" && document.body.dataset.generating === "true") document.getElementById("stop").click();
}

/** The model answers, for the first time or again (back): ask for what is not on screen yet. */
function ready(back) {
  if (!page.key || promptChanged()) ask();
  else if (back) retrace();
}

async function begin() {
  const [start, last] = await Promise.all([open(), ...NEEDED.map(controls.mounted)]);
  page.start = start;
  furnish();
  furnishCards(last.closest("#pipeline"));
  decoder.furnish(document.getElementById("pg-decoder"), page.start.decoders);
  sections.furnish();
  controls.listen(changed);
  document.addEventListener("keydown", onKey);
  let pinned = "";
  page.light.subscribe(() => {
    const now = [...page.light.pinned].join();
    if (now !== pinned) retrace(); // a pinned token keeps its row wherever it ranks
    pinned = now;
  });
  document.body.dataset.mode = page.mode;
  document.body.dataset.generating = "false";
  if (start.first) showFirst(start.first);
  const state = kept();
  if (state) showExample({ state });
  keepOverReload();
  adoptToasts();
  watch(ready);
}

begin().catch((error) => {
  document.body.dataset.broken = error.message;
  document.getElementById("pg-top")?.append(`The page could not start. ${error.message}`);
  console.error(error);
});
