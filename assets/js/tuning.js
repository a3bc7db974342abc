// Tuning: start a run, watch how exact the model becomes, stop it, go on, keep it, and write with it.
// Knows nothing about models or losses; charts/tuning_curves.py draws the curves, the routes under tuning/ do the rest.

import { post } from "./api.js";
import { el, fit, setAttr, setText } from "./dom.js";
import { knobs } from "./knobs.js";
import { plotly, problem, say, settled } from "./page.js";
import { draw } from "./plot.js";
import { alarm, drawMeters, drawTexts, drawWritten, meters } from "./tuning_parts.js";
import { settingFields } from "./tuning_fields.js";

const POLL_MS = 700;
const FIGURES = { distance: "Distance", mass: "Mass of the target", shares: "Shares", moments: "Features" };

/** The panel, as a node. ``aim()`` answers what to learn, {pool, features, targets, exponents}, or throws why not;
 *  ``wantStrip(who, on)`` says whether the strip is of use here; ``pools`` is told whether there is a tuned model, and
 *  draws from it: {offerTuned(isThere), drawTuned()}. */
export function createTuning({ aim, wantStrip, pools }) {
  const root = document.createElement("section");
  root.className = "pg-panel pg-tuning";
  root.setAttribute("aria-label", "Tuning");
  el("h2", "", root, "Tuning: the model learns to write the target by itself");
  el("p", "pg-quiet", root, "A small adapter is trained on the pool and then on its own texts, on a copy that shares the "
    + "weights: everybody else keeps the untouched model, and goes first. After every pass and step it is asked how exact "
    + "it has become.");
  const form = el("form", "pg-tuning-form", root);
  form.id = "pg-tuning-form";
  const state = { root, form, aim, wantStrip, pools, figures: {}, texts: [], written: [], timer: null, since: 0 };
  state.settings = settingFields(form);
  state.buttons = buttons(state, root);
  state.progress = el("div", "pg-tuning-progress", root);
  state.bar = el("progress", "", state.progress);
  setAttr(state.bar, "max", "1");
  setAttr(state.bar, "aria-label", "How far the tuning is");
  state.message = el("span", "pg-quiet", state.progress);
  state.alarm = alarm(root);
  state.meters = meters(root);
  const charts = el("div", "pg-tuning-charts", root);
  for (const [name, title] of Object.entries(FIGURES)) {
    const figure = el("figure", "", charts);
    el("figcaption", "", figure, title);
    state.figures[name] = el("div", "pg-tuning-chart", figure);
    setAttr(state.figures[name], "role", "img");
  }
  const fresh = el("section", "pg-tuning-fresh", root);
  el("h3", "", fresh, "What it writes now");
  state.list = el("ol", "pg-tuning-texts", fresh);
  state.writing = writing(state, root);
  state.shown = [fresh, charts, state.meters.root, state.writing.root];
  for (const part of [...state.shown, state.progress]) part.hidden = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(state);
  });
  offer(state);
  return root;
}

function buttons(state, root) {
  const bar = el("div", "pg-buttons", root);
  const made = {};
  const add = (name, words, work, title = "") => {
    made[name] = el("button", "pg-button", bar, words);
    setAttr(made[name], "type", "button");
    if (title) setAttr(made[name], "title", title);
    if (work) made[name].addEventListener("click", work);
  };
  add("start", "Tune");
  Object.assign(made.start, { type: "submit" }).setAttribute("form", state.form.id); // Enter in a field starts it too
  add("cancel", "Cancel", () => asked(state, "cancel", {}));
  add("more", "More steps", () => asked(state, "more", { ...state.settings.read(), num_epochs: 0 }),
    "Goes on from where the adapter stands");
  add("draw", "Draw a pool from it", () => state.pools.drawTuned(),
    "Its texts, weighed as texts of the untouched model: how much more is accepted at the same exactness");
  add("save", "Keep", () => kept(state), "Keeps the adapter on this server under a name that only you are told");
  add("forget", "Show me forgetting", () => start(state, "forgetting"),
    "Eight passes over the few good texts at a high rate: hits rise, exactness is lost");
  made.name = el("output", "pg-tuning-name", bar);
  return made;
}

function writing(state, root) {
  const part = el("section", "pg-tuning-writing", root);
  el("h3", "", part, "Write with the tuned model");
  const bar = el("div", "pg-buttons", part);
  const go = el("button", "pg-button", bar, "Write");
  go.type = "button";
  const how = el("select", "", bar);
  how.append(new Option("eight draws", ""), new Option("beam search", "beam"), new Option("greedy", "greedy"));
  setAttr(how, "aria-label", "How the texts are found");
  const under = el("label", "", bar);
  const chain = el("input", "", under);
  chain.type = "checkbox";
  under.append(" under the strip above");
  chain.addEventListener("change", () => state.wantStrip("writing", chain.checked));
  const label = el("p", "pg-quiet", part);
  label.setAttribute("role", "status");
  const list = el("ol", "pg-tuning-texts", part);
  go.addEventListener("click", async () => {
    go.disabled = true;
    try {
      const { strip, seed } = knobs();
      const view = await post("tuning/write", { num_texts: 8, seed, strip: chain.checked ? strip : [],
        search: how.value || null });
      settled();
      setText(label, `${view.num_allowed} of ${view.texts.length} are in the target. ${view.label}`);
      drawWritten(list, state.written, view.texts);
    } catch (error) {
      problem(error);
    } finally {
      go.disabled = false;
    }
  });
  return { root: part };
}

/** What there is to choose, and whatever run this tab already has. */
async function offer(state) {
  try {
    const { run, ...choices } = await post("tuning/choices", {});
    state.settings.offer(choices);
    draws(state, run);
  } catch (error) {
    problem(error);
  }
}

async function start(state, preset = "") {
  let body;
  try {
    body = { ...state.aim(), ...(preset ? { preset } : state.settings.read()) };
  } catch (error) {
    problem(error);
    return;
  }
  state.since = 0;
  setText(state.buttons.name, "");
  await asked(state, "start", body);
}

async function asked(state, question, body) {
  try {
    draws(state, await post(`tuning/${question}`, body));
    settled();
  } catch (error) {
    problem(error);
  }
}

async function kept(state) {
  try {
    const { saved } = await post("tuning/save", {});
    setText(state.buttons.name, `Kept as ${saved}`);
    state.settings.resume(saved);
    settled();
  } catch (error) {
    problem(error);
  }
}

/** One answer of the server on the page; while the run goes on, the next question follows. */
function draws(state, answer) {
  show(state, answer);
  clearTimeout(state.timer);
  if (answer?.active) state.timer = setTimeout(() => poll(state), POLL_MS);
}

async function poll(state) {
  if (!state.root.isConnected) return; // the server ends a run that nobody asks about
  try {
    draws(state, await post("tuning/state", { since: state.since }));
  } catch (error) {
    if (!error.lost) problem(error);
    if (error.lost) state.timer = setTimeout(() => poll(state), 4 * POLL_MS);
  }
}

function show(state, answer) {
  const { active = false, view = null } = answer ?? {};
  const { start: go, cancel, more, save, draw: pool, forget } = state.buttons;
  for (const button of [go, forget]) button.disabled = active;
  cancel.hidden = !active;
  for (const button of [more, save, pool]) button.hidden = active || !view;
  state.pools.offerTuned(Boolean(view));
  state.progress.hidden = !answer;
  if (!answer) return;
  setAttr(state.bar, "value", String(answer.fraction));
  state.bar.hidden = !active;
  setText(state.message, answer.message + remaining(answer.remaining_s));
  if (state.said !== answer.state) say(answer.state === "running" ? "Tuning has begun." : answer.message);
  state.said = answer.state;
  for (const part of state.shown) part.hidden = !view;
  if (!view) return;
  state.alarm.show(view.alarm);
  drawMeters(state.meters, view);
  fit(state.list, state.texts, view.texts.length, () => el("li"));
  drawTexts(state.texts, view.texts);
  if (answer.figures) curves(state, answer.figures, view);
}

async function curves(state, figures, view) {
  state.since = view.points.length;
  await plotly();
  const last = view.points.at(-1);
  for (const [name, node] of Object.entries(state.figures)) {
    setAttr(node, "aria-label", `${FIGURES[name]} over ${last.step} gradient steps; the figures above say where it stands.`);
    draw(node, figures[name]);
  }
}

function remaining(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  return seconds < 90 ? ` · about ${Math.ceil(seconds / 5) * 5} s left` : ` · about ${Math.ceil(seconds / 60)} min left`;
}
