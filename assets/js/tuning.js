// Tuning: start a run, watch how exact the model becomes, stop it, go on, keep it, and write with it.
// Knows nothing about models or losses; charts/tuning_curves.py draws the curves, the routes under tuning/ do the rest.

import { post } from "./api.js";
import { el, setAttr, setText } from "./dom.js";
import { problem, say, settled } from "./page.js";
import { charts } from "./tuning_charts.js";
import { settingFields } from "./tuning_fields.js";
import { alarm, drawMeters, drawTexts, meters, verdict } from "./tuning_parts.js";
import { writing } from "./tuning_writing.js";

const POLL_MS = 700;

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
  const state = { root, form, aim, wantStrip, pools, texts: [], timer: null, since: 0 };
  state.settings = settingFields(form);
  state.buttons = buttons(state, root);
  state.progress = el("div", "pg-tuning-progress", root);
  state.bar = el("progress", "", state.progress);
  setAttr(state.bar, "max", "1");
  setAttr(state.bar, "aria-label", "How far the tuning is");
  state.message = el("span", "pg-quiet", state.progress);
  state.alarm = alarm(root);
  state.reached = el("div", "pg-tuning-reached", root);
  state.verdict = el("p", "", state.reached);
  nextButtons(state);
  state.meters = meters(root);
  state.charts = charts(root);
  const fresh = el("section", "pg-tuning-fresh", root);
  el("h3", "", fresh, "What it writes now");
  state.list = el("ol", "pg-tuning-texts", fresh);
  state.writing = writing(root, (yes) => state.wantStrip("writing", yes));
  state.shown = [fresh, state.charts.root, state.meters.root, state.writing.root];
  for (const part of [...state.shown, state.progress, state.reached]) part.hidden = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(state);
  });
  offer(state);
  return root;
}

function buttons(state, root) {
  const bar = el("div", "pg-buttons", root);
  const made = { start: el("button", "pg-button pg-tuning-go", bar, "Tune") };
  Object.assign(made.start, { type: "submit" }).setAttribute("form", state.form.id); // Enter in a field starts it too
  made.cancel = button(bar, "Cancel", () => asked(state, "cancel", {}));
  made.forget = button(bar, "Show me forgetting", () => start(state, "forgetting"),
    "Eight passes over the few good texts at a high rate: hits rise, exactness is lost");
  return made;
}

/** What to do with a run that has ended. */
function nextButtons(state) {
  const bar = el("div", "pg-buttons", state.reached);
  el("span", "pg-quiet", bar, "Next:");
  button(bar, "Write with it", () => {
    state.writing.root.scrollIntoView({ block: "nearest" });
    state.writing.write();
  });
  button(bar, "Draw a pool from it", () => state.pools.drawTuned(),
    "Its texts, weighed as texts of the untouched model: how much more is accepted at the same exactness");
  button(bar, "More steps", () => asked(state, "more", { ...state.settings.read(), num_epochs: 0 }), "Goes on from where the adapter stands");
  button(bar, "Keep", () => kept(state), "Keeps the adapter on this server under a name that only you are told");
  state.name = el("output", "pg-tuning-name", bar);
}

function button(bar, words, work, title = "") {
  const node = el("button", "pg-button", bar, words);
  setAttr(node, "type", "button");
  if (title) setAttr(node, "title", title);
  node.addEventListener("click", work);
  return node;
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
  setText(state.name, "");
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
    setText(state.name, `Kept as ${saved}`);
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
  const { start: go, cancel, forget } = state.buttons;
  for (const one of [go, forget]) one.disabled = active;
  cancel.hidden = !active;
  state.reached.hidden = active || !view;
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
  setText(state.verdict, verdict(view));
  drawTexts(state.list, state.texts, view.texts, view.facts.features);
  if (!answer.figures) return;
  state.since = view.points.length;
  state.charts.paint(answer.figures, view.points.at(-1).step).catch(problem);
}

function remaining(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  return seconds < 90 ? ` · about ${Math.ceil(seconds / 5) * 5} s left` : ` · about ${Math.ceil(seconds / 60)} min left`;
}
