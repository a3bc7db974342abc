// The page's own state and its wiring: controls in, views out. All sampler maths stays on the server; everything
// drawn comes from one view of one step.
import { get, latest, loadScript, open, post, sessionToken } from "./api.js";
import * as controls from "./controls.js";
import { createLight } from "./light.js";
import * as panels from "./panels.js";
import { createStrip } from "./strip.js";
import { render as drawCard } from "./card.js";
import { render as drawGuidance } from "./guidance.js";
import { render as drawHeadline } from "./headline.js";
import { render as drawJourney } from "./journey.js";
import { draw as drawPlot } from "./plot.js";
import { render as drawRibbon } from "./ribbon.js";
import { render as drawRows } from "./rows.js";
import { render as drawRuler } from "./ruler.js";
import { render as drawSentence } from "./sentence.js";
import { render as drawTable } from "./table.js";
import { createTokens } from "./tokens.js";

const SETTLE_MS = 600; // rows keep their order this long after a slider is let go
const narrow = matchMedia("(max-width: 760px)");
const TYPING_MS = 350; // a pause this long in typing asks the model again
const POLL_MS = 700;

const PG = (window.PG = { painted: 0 });
const light = createLight();
const heads = new Map();
let start, nodes, strip, tokens, view, prompted;
let key = null; // the step being looked at
let mode = "completion";
let chartScale = "linear";
let hold = false;
let holdTimer = 0;
let parting = null; // the place where the text would go another way under the present knobs
let continuing = null; // what the next request continues: {key, forced}
let run = null; // the generation on screen: {id, steps: Map(index -> token)}

// ---------------------------------------------------------------- what the page asks for

function stageJson(id) {
  const name = id.split("--")[0];
  const copy = id.includes("--") ? `--${id.split("--")[1]}` : "";
  const stage = { id, on: controls.checked(`on-${name}${copy}`) };
  for (const [parameter, facts] of Object.entries(start.registry[name].params)) {
    const element = `knob-${name}-${parameter}${copy}`;
    stage[parameter] = facts.text ? parseText(controls.words(element)) : controls.number(element);
  }
  return stage;
}

function parseText(text) {
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('Write it as JSON, like {"42": -5}: a token id and a number.');
  }
}

const guidanceScale = () => (controls.checked("on-guidance") ? controls.number("guidance-scale") : 1);

function knobs() {
  const figures = [];
  if (chartScale === "rank") figures.push("rank");
  return { strip: strip.order.map(stageJson), scale: guidanceScale(), seed: seed(), pins: [...light.pinned], figures };
}

const seed = () => Math.max(0, Math.floor(controls.number("seed")) || 0);

const promptJson = () => ({
  prompt: controls.words("prompt"), negative: controls.words("negative-prompt"),
  chat: mode === "chat", system: controls.words("system-prompt"),
});

// ---------------------------------------------------------------- live: a knob, a picture

const retrace = latest(async () => {
  if (!key) return;
  try {
    const body = { key, ...knobs() };
    let answer = await post("trace", body);
    if (answer.missing) {
      // The rows of this step are gone, or its negative row was never needed: the last picture stays, marked.
      document.body.dataset.stale = "true";
      answer = await post("trace", { ...body, refill: true });
    }
    delete document.body.dataset.stale;
    settled();
    if (answer.key === key) paint(answer);
  } catch (error) {
    problem(error);
  }
});

const ask = latest(async () => {
  try {
    const body = { ...promptJson(), ...knobs() };
    prompted = JSON.stringify(promptJson());
    const answer = await post("next", body);
    settled();
    key = answer.key;
    run = null;
    tokens.clear();
    nodes.goOn.hidden = true;
    tokens.setPrompt(answer.prompt_tokens);
    tokens.select(null);
    nodes.rendered.replaceChildren(...answer.rendered.map(([name, words]) =>
      panels.el("figure", {}, panels.el("figcaption", { class: "pg-quiet" }, name), panels.el("pre", {}, words))));
    paint(answer);
    timeline();
  } catch (error) {
    problem(error);
  }
});

function paint(next) {
  view = next;
  requestAnimationFrame(() => draw(next));
}

function draw(current) {
  const title = (id) => (id === "guidance" ? "Guidance" : start.registry[id.split("--")[0]]?.title ?? id);
  drawSentence(nodes.sentence, current.sentence);
  drawHeadline(nodes.headline, current);
  nodes.after.textContent = current.title ? `After “${current.title}”` : "Next token";
  nodes.rows.hidden = chartScale === "rank";
  nodes.plot.hidden = chartScale !== "rank";
  if (chartScale === "rank" && current.figures?.rank) drawPlot(nodes.plot, current.figures.rank);
  else drawRows(nodes.rows, current, { scale: chartScale, light, hold, stageTitle: title, onForce });
  drawRuler(nodes.ruler, current.dart, { light });
  drawCards(current, title);
  drawGuidance(nodes.marks, current.guidance, { light, hold });
  nodes.formula.textContent = formula(current.guidance);
  if (nodes.inspector.open) drawTable(nodes.table, current, { light, hold, stageTitle: title });
  document.body.dataset.key = current.key;
  document.body.dataset.recomputed = String(current.recomputed);
  document.body.dataset.painted = String(++PG.painted);
}

/** A click on a bar forces its token here and writes on behind it. */
const onForce = (token) => view && goOn(view.key, token);

function drawCards(current, title) {
  const stacked = narrow.matches;
  for (const stage of current.stages) {
    const head = heads.get(stage.id);
    if (!head) continue;
    head.card.classList.toggle("pg-off", !stage.on);
    drawCard(head.drawing, stage, { view: current, light, stacked });
  }
  drawRuler(heads.get("draw").drawing, current.dart, { light });
  const cost = current.guidance?.cost_ms;
  heads.get("guidance").note.textContent = ["1 = off", cost != null ? `costs ${cost.toFixed(1)} ms a step` : ""].filter(Boolean).join(" · ");
  drawRibbon(nodes.ribbon, current.stages, { card: (id) => heads.get(id)?.card ?? null, stacked });
  drawJourney(nodes.journey, current, { light, stageTitle: title });
}

function formula(g) {
  if (!g) return "scale 1 = off";
  if (g.scale === 1) return "scale 1 = off: the model on the prompt, bit for bit";
  const w = (g.scale - 1).toFixed(2).replace("-", "−");
  return `log p = prompt + ${w} · (prompt − negative)`;
}

// ---------------------------------------------------------------- text

const receiveDelta = (delta) => {
  if (!delta || !delta.generation) return;
  if (!run || run.id !== delta.generation) {
    const kept = [...(run?.steps ?? [])].filter(([index]) => index < delta.base);
    run = { id: delta.generation, steps: new Map(kept), follow: true };
    nodes.goOn.hidden = true;
  }
  for (const [offset, token] of delta.tokens.entries()) run.steps.set(delta.at + offset, token);
  tokens.apply(delta);
  nodes.run.textContent = delta.status ?? "";
  timeline();
  if (delta.done) finished(delta);
};
PG.receive = receiveDelta;
PG.stopped = () => { document.body.dataset.generating = "false"; };

async function finished(delta) {
  document.body.dataset.generating = "false";
  if (delta.error) problem(new Error(delta.error));
  if (delta.view_key && run.follow) {
    key = delta.view_key;
    retrace();
  }
}

/** Which token would the text's own darts no longer draw under the present knobs? Asked when a knob is let go. */
const compare = latest(async () => {
  if (!run?.steps.size || document.body.dataset.generating === "true") return;
  const of = run;
  const answer = await post("replay", { generation: of.id, ...knobs() }).catch(() => null);
  if (of !== run || !answer) return;
  tokens.fadeFrom(answer.index);
  parting = answer.index === null ? null : `${of.id}.${answer.index}`;
  nodes.goOn.hidden = parting === null;
  if (parting) nodes.goOn.firstElementChild.textContent = `Under these knobs the same dart hits ${answer.text} there.`;
});

/** Write on from a place, with a token chosen by hand or the dart's own. */
function goOn(place, forced = null) {
  continuing = { key: place, forced };
  document.getElementById("generate").click();
}

function select(token) {
  if (!token?.key) return;
  if (run) run.follow = false;
  key = token.key;
  tokens.select(token.prompt ? null : token.index);
  retrace();
}

function stepBy(delta, wanted = () => true) {
  if (!run?.steps.size) return;
  const indices = [...run.steps.keys()].sort((a, b) => a - b);
  const here = indices.findIndex((index) => run.steps.get(index).key === key);
  let at = here < 0 ? (delta > 0 ? -1 : indices.length) : here;
  for (let tries = 0; tries < indices.length; tries++) {
    at = (at + delta + indices.length) % indices.length;
    if (wanted(run.steps.get(indices[at]))) return select(run.steps.get(indices[at]));
  }
}

/** Jump to the next step whose figure stands among the text's largest quarter. */
const jump = (figure) => () => {
  const values = [...(run?.steps.values() ?? [])].map((token) => token[figure] ?? 0).sort((a, b) => a - b);
  const threshold = values[Math.floor(values.length * 0.75)] ?? 0;
  stepBy(1, (token) => (token[figure] ?? 0) >= threshold);
};

const timeline = latest(async () => {
  if (!run?.steps.size) {
    nodes.timeline.hidden = true;
    return;
  }
  const figure = await get(`generations/${run.id}/timeline`).catch(() => null);
  if (!figure) return;
  await plotly();
  nodes.timeline.hidden = false;
  await drawPlot(nodes.timeline, figure);
});

// ---------------------------------------------------------------- messages

function problem(error) {
  const node = document.getElementById("pg-problem");
  node.firstElementChild.textContent = error.message;
  node.hidden = false;
}

const settled = () => {
  document.getElementById("pg-problem").hidden = true;
};

let sayTimer = 0;
const say = (words) => {
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { nodes.say.textContent = words; }, 50);
};

// ---------------------------------------------------------------- wiring

function changed(id, phase) {
  if (["prompt", "negative-prompt", "system-prompt"].includes(id)) {
    clearTimeout(changed.typing);
    changed.typing = setTimeout(() => JSON.stringify(promptJson()) !== prompted && ask(), TYPING_MS);
    return;
  }
  if (["max-tokens", "stop-strings"].includes(id)) return;
  hold = true;
  clearTimeout(holdTimer);
  holdTimer = setTimeout(() => { hold = false; if (view) draw(view); }, SETTLE_MS);
  if (id.startsWith("on-") || id.startsWith("knob-") || id === "guidance-scale" || id === "seed") retrace();
  clearTimeout(changed.settling);
  changed.settling = setTimeout(compare, phase === "settle" ? 0 : SETTLE_MS);
}

function setMode(next) {
  mode = next;
  for (const name of ["completion", "chat"]) {
    document.getElementById(`pg-mode-${name}`).setAttribute("aria-checked", String(name === next));
  }
  document.body.dataset.mode = next;
  if (JSON.stringify(promptJson()) !== prompted) ask();
}

function setStage(stage) {
  const name = stage.id.split("--")[0];
  const copy = stage.id.includes("--") ? `--${stage.id.split("--")[1]}` : "";
  controls.setChecked(`on-${name}${copy}`, stage.on);
  for (const [parameter, facts] of Object.entries(start.registry[name].params)) {
    if (!(parameter in stage)) continue;
    const element = `knob-${name}-${parameter}${copy}`;
    if (facts.text) controls.setWords(element, JSON.stringify(stage[parameter]));
    else controls.setNumber(element, stage[parameter]);
  }
}

function apply(state) {
  setMode(state.chat ? "chat" : "completion");
  controls.setWords("prompt", state.prompt);
  controls.setWords("negative-prompt", state.negative);
  controls.setWords("system-prompt", state.system);
  controls.setChecked("on-guidance", true);
  controls.setNumber("guidance-scale", state.scale);
  controls.setNumber("max-tokens", state.max_tokens);
  controls.setNumber("seed", state.seed);
  state.strip.forEach(setStage);
  strip.replace(state.strip.map((stage) => stage.id));
  clearTimeout(changed.typing);
  setTimeout(ask, 0); // after Gradio's own update of the boxes
}

function neutralise() {
  controls.setNumber("guidance-scale", 1);
  for (const id of strip.order) setStage({ id, on: false });
}

function setOrder(name) {
  const wanted = start.orders[name];
  const place = (id) => {
    const at = wanted.indexOf(id.split("--")[0]);
    return at < 0 ? wanted.length : at;
  };
  strip.replace([...strip.order].sort((a, b) => place(a) - place(b)));
  say(`The stages stand in the order of ${name}.`);
}

/** What the Generate button sends through Gradio's queue. */
PG.request = () => {
  const request = { session: sessionToken(), ...promptJson(), ...knobs(), max_tokens: controls.number("max-tokens"),
    stop: controls.words("stop-strings").split("\n").filter(Boolean) };
  if (continuing) request.continue = continuing;
  continuing = null;
  if (!request.continue && JSON.stringify(promptJson()) !== prompted) ask();
  document.body.dataset.generating = "true";
  settled();
  return request;
};

async function watchModel() {
  const bar = document.getElementById("pg-loading");
  for (;;) {
    const status = await get("status").catch(() => null);
    if (status?.state === "ready") {
      nodes.people.textContent = status.people > 1 ? `${status.people} people generating` : "";
      bar.hidden = true;
      if (document.body.dataset.ready !== "true") {
        nodes.model.textContent = status.model;
        nodes.model.title = status.note;
        document.body.dataset.ready = "true";
        if (!key || JSON.stringify(promptJson()) !== prompted) ask();
      }
    } else if (status) {
      bar.hidden = false;
      bar.firstElementChild.value = status.fraction;
      bar.lastElementChild.textContent = status.message;
      if (status.state === "failed") return problem(new Error(status.message));
    }
    await new Promise((resolve) => setTimeout(resolve, document.body.dataset.ready === "true" ? 5000 : POLL_MS));
  }
}

function furnish() {
  const head = panels.top(start.model);
  const distribution = panels.distributionPanel({ scale: setChartScale });
  const guidance = panels.guidancePanel(scalePlot);
  const inspector = panels.inspectorPanel(() => view && draw(view));
  nodes = {
    ...head, ...distribution, marks: guidance.marks, scalePlot: guidance.plot, rendered: guidance.rendered,
    scaleDetails: guidance.details, table: inspector.table, inspector: inspector.details,
    sentence: panels.sentenceNode(), tokens: panels.textPanel({ step: stepBy, uncertain: jump("entropy_bits"),
      surprise: jump("surprisal_bits"), goOn: () => goOn(parting), end: () => { if (run) { key = `${run.id}.${run.steps.size}`; tokens.select(null); retrace(); } } }),
    after: document.getElementById("pg-after"), formula: document.getElementById("pg-formula"),
    run: document.getElementById("pg-run"), goOn: document.getElementById("pg-continue"), timeline: document.getElementById("timeline"), model: head.state,
    say: panels.el("div", { class: "pg-sr", role: "status", "aria-live": "polite" }),
    ribbon: panels.el("div", { class: "pg-ribbon-host", "aria-hidden": "true" }),
    journey: document.getElementById("pg-journey"),
  };
  nodes.plot = distribution.plot;
  document.body.append(nodes.say);
  panels.toolbar(Object.keys(start.orders), { mode: setMode, order: setOrder, neutralise });
  panels.examples(start.examples, (example) => apply(example.state));
  nodes.theme.addEventListener("click", () => document.body.classList.toggle("dark"));
  tokens = createTokens(nodes.tokens, { onSelect: select, onGap: (from) => replay(from) });
}

function furnishCards(pipeline) {
  const title = (id) => start.registry[id.split("--")[0]]?.title ?? id;
  strip = createStrip(pipeline, start.opening, { title, say, onChange: () => { retrace(); compare(); } });
  for (const node of pipeline.querySelectorAll(".pg-card-head")) {
    const id = node.dataset.stage;
    const facts = start.registry[id.split("--")[0]];
    const fixed = { guidance: "Guidance", draw: "Draw" }[id];
    const head = panels.cardHead(node, { id, title: fixed ?? facts.title, summary: facts?.summary,
      formula: facts?.formula, movable: !fixed, onRemove: (which) => strip.remove(which) });
    head.card = node.closest(".pg-card");
    head.note = node.appendChild(panels.el("div", { class: "pg-card-note pg-quiet" }));
    heads.set(id, head);
    if (head.grip) strip.grip(id, head.grip);
  }
  pipeline.append(nodes.ribbon);
  const names = Object.keys(start.registry);
  panels.addStage(pipeline, names, start.registry, (name) => {
    if (!strip.hasRoom(name)) return say(`${title(name)} stands on the strip twice already.`);
    strip.add(name);
  });
}

function setChartScale(scale) {
  chartScale = scale;
  if (scale === "rank") plotly().then(retrace);
  for (const button of nodes.segment.children) {
    button.setAttribute("aria-checked", String(button.dataset.scale === scale));
  }
  retrace();
}

async function scalePlot() {
  if (!key) return;
  const figure = await post("scale", { key, ...knobs() }).catch(problem);
  if (!figure) return;
  await plotly();
  drawPlot(nodes.scalePlot, figure);
}

const plotly = () => loadScript("pg/vendor/plotly.min.js");

async function replay(from) {
  if (run) receiveDelta(await get(`generations/${run.id}?from=${from}`));
}

async function begin() {
  const [answer, pipeline] = await Promise.all([open(), controls.mounted("#pipeline #card-draw"),
    controls.mounted("#pg-inspector-panel")]);
  start = answer;
  furnish();
  furnishCards(pipeline.closest("#pipeline"));
  controls.listen(changed);
  let pinned = "";
  light.subscribe(() => {
    const now = [...light.pinned].join();
    if (now !== pinned) retrace(); // a pinned token keeps its row wherever it ranks
    pinned = now;
  });
  tokens.setPrompt(start.first?.prompt_tokens ?? []);
  if (start.first) {
    key = start.first.view.key;
    prompted = JSON.stringify(promptJson());
    paint(start.first.view);
  }
  setMode("completion");
  watchModel();
}

begin().catch((error) => {
  document.body.dataset.broken = error.message;
  console.error(error);
});
