// The text on screen: streamed in, walked through, compared with what the same darts would draw now, written on.
// Knows nothing about the picture of a step; it says which step is looked at.

import { get, latest, post, reopen, sessionToken } from "./api.js";
import { render as drawFound } from "./found.js";
import { knobs, lengthJson, promptJson } from "./knobs.js";
import { ask, promptChanged, retrace } from "./live.js";
import { page, plotly, problem, say, settled } from "./page.js";
import { draw as drawPlot } from "./plot.js";

let parting = null; // the place where the text would go another way under the present knobs
let continuing = null; // what the next request continues: {key, forced}
let again = false; // a request that is sent a second time, in a new session
const superseded = new Set(); // generations that a newer one has replaced; their last words are ignored

/** What the Generate button sends through Gradio's queue. */
export function request() {
  const body = { session: sessionToken(), ...promptJson(), ...knobs(), ...lengthJson() };
  if (continuing) body.continue = continuing;
  else if (promptChanged()) ask();
  continuing = null;
  if (page.run) superseded.add(page.run.id);
  document.body.dataset.generating = "true";
  settled();
  return body;
}

/** One delta of the stream: tokens with their place, so that a lost message shows as a gap. */
export function receive(delta) {
  if (!delta?.generation || superseded.has(delta.generation)) return;
  if (delta.generation === "none") return ended(delta); // refused before anything was written
  const { tokens, nodes } = page;
  if (page.run?.id !== delta.generation) {
    const kept = [...(page.run?.steps ?? [])].filter(([index]) => index < delta.base);
    page.run = { id: delta.generation, steps: new Map(kept), found: new Map(), follow: true };
    nodes.goOn.hidden = true;
    tokens.select(null);
  }
  delta.tokens.forEach((token, offset) => page.run.steps.set(delta.at + offset, token));
  for (const view of delta.found ?? []) page.run.found.set(view.index, view);
  page.run.done = delta.done;
  tokens.apply(delta);
  found();
  document.body.dataset.text = page.run.steps.size ? "some" : "none";
  nodes.run.textContent = delta.status ?? "";
  timeline();
  if (delta.done) ended(delta);
}

function ended(delta) {
  document.body.dataset.generating = "false";
  if (delta.session_ended && !again) return sendAgain();
  again = false;
  if (delta.error) problem(new Error(delta.error));
  else say(`The text has ended: ${delta.status || "stopped"}.`);
  if (delta.view_key && page.run.follow) {
    page.key = delta.view_key;
    retrace();
  }
}

/** The server forgot this tab: in a new session the same request, once. */
async function sendAgain() {
  again = true;
  try {
    await reopen(sessionToken());
    await ask();
    document.getElementById("generate").click();
  } catch (error) {
    problem(error);
  }
}

/** How the text was found, at the step on screen; a list with a gap (a lost message) is fetched again. */
function found() {
  const { run } = page;
  const steps = [...(run?.found?.values() ?? [])].sort((a, b) => a.index - b.index);
  const whole = steps.every((view, at) => view.index === steps[0].index + at);
  if (!whole && run.done && !run.asked) {
    run.asked = true;
    repair(run.steps.size);
  }
  const index = page.key?.startsWith(`${run?.id}.`) ? Number(page.key.split(".")[1]) : null;
  drawFound(document.getElementById("pg-found-panel"), { steps: whole ? steps : [], index, done: run?.done },
    { onStep: (at) => run.steps.has(at) && select(run.steps.get(at)) });
}

/** The Stop button: Gradio closes the stream without a last word. */
export function stopped() {
  document.body.dataset.generating = "false";
  if (page.run?.follow) backToEnd();
}

/** Messages were lost (a hidden tab drops some): fetch what is missing. */
export async function repair(from) {
  if (page.run) receive(await get(`generations/${page.run.id}?from=${from}`).catch(() => null));
}

/** A new prompt stands on the page; the text behind the old one is gone. */
export function cleared(promptTokens) {
  if (page.run) superseded.add(page.run.id);
  page.run = null;
  document.body.dataset.text = "none";
  page.nodes.run.textContent = "";
  page.tokens.clear();
  page.tokens.setPrompt(promptTokens);
  page.tokens.select(null);
  page.nodes.goOn.hidden = true;
  found();
  timeline();
}

/** The server no longer knows the text on screen: it stays to be read, its steps cannot be opened. */
export function departed(promptTokens) {
  superseded.add(page.run.id);
  page.run.gone = true;
  page.tokens.setPrompt(promptTokens);
  page.tokens.select(null);
  page.nodes.goOn.hidden = true;
  page.nodes.run.textContent = "written before the server restarted; Generate writes it again";
}

export function select(token) {
  if (!token?.key) return;
  if (page.run?.gone && !token.prompt) return say(page.nodes.run.textContent);
  if (page.run) page.run.follow = false;
  page.key = token.key;
  if (token.prompt) page.tokens.select(token.index, { prompt: true });
  else page.tokens.select(token.index);
  found();
  retrace();
}

export function backToEnd() {
  if (!page.run || page.run.gone) return;
  page.run.follow = true;
  page.key = `${page.run.id}.${page.run.steps.size}`;
  page.tokens.select(null);
  retrace();
}

/** To the next (1) or previous (-1) generated token that is wanted, around the end. */
export function stepBy(delta, wanted = () => true) {
  const steps = [...(page.run?.steps.entries() ?? [])].sort(([a], [b]) => a - b).map(([, token]) => token);
  const here = steps.findIndex((token) => token.key === page.key);
  let at = here < 0 && delta < 0 ? steps.length : here;
  for (let tries = 0; tries < steps.length; tries++) {
    at = (at + delta + steps.length) % steps.length;
    if (wanted(steps[at])) return select(steps[at]);
  }
}

/** Jump to the next step whose figure stands among the text's largest quarter. */
export const jump = (figure) => () => {
  const values = [...(page.run?.steps.values() ?? [])].map((token) => token[figure] ?? 0).sort((a, b) => a - b);
  const threshold = values[Math.floor(values.length * 0.75)] ?? 0;
  stepBy(1, (token) => (token[figure] ?? 0) >= threshold);
};

/** Which token would the text's own darts no longer draw under the present knobs? Asked when a knob is let go. */
export const compare = latest(async () => {
  const { run, tokens, nodes } = page;
  if (!run?.steps.size || run.gone || document.body.dataset.generating === "true") return;
  const answer = await Promise.resolve().then(() => post("replay", { generation: run.id, ...knobs() })).catch(() => null);
  if (run !== page.run || !answer) return;
  tokens.fadeFrom(answer.index);
  parting = answer.index === null ? null : `${run.id}.${answer.index}`;
  nodes.goOn.hidden = parting === null;
  nodes.goOn.firstElementChild.textContent = parting ? `Under these knobs the same dart hits ${answer.text} there.` : "";
});

/** Write on from where the darts part. */
export const goOn = () => writeOn(parting, null);

/** A click on a bar: force its token at the step on screen and write on behind it. */
export const force = (token) => page.view && writeOn(page.view.key, token);

function writeOn(key, forced) {
  continuing = { key, forced };
  document.getElementById("generate").click();
}

const timeline = latest(async () => {
  if (!page.run?.steps.size) {
    page.nodes.timeline.hidden = true;
    return;
  }
  const figure = await get(`generations/${page.run.id}/timeline`).catch(() => null);
  if (!figure) return;
  await plotly();
  page.nodes.timeline.hidden = false;
  await drawPlot(page.nodes.timeline, figure);
  // While the text grows, four times a second are enough: where page and model share two cores, every redraw is a token.
  if (document.body.dataset.generating === "true") await new Promise((resolve) => setTimeout(resolve, 250));
});
