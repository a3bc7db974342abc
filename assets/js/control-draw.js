// The pools: which one is looked at, how the next is drawn, how far it is, cancel, more, export.
// Knows nothing about targets; drawing itself happens on the server, other people first.

import { post } from "./api.js";
import { createMorePrompts } from "./control-prompts.js";
import { setText } from "./dom.js";
import { count, duration } from "./format.js";
import { knobs, promptJson } from "./knobs.js";
import { el } from "./panels.js";
import { saved } from "./saving.js";

const TOY = "toy";
const PROPOSALS = [["model", "the model"], ["page", "the model under the strip above"], ["prompt", "the model after another prompt"],
  ["tuned", "the model as tuned below"]];

export function createDrawing({ state, start, tools, aimed, changed, failed, watch, wantStrip }) {
  const number = (label, value, max, id) => {
    const input = el("input", { type: "number", min: 1, max, value, id, inputmode: "numeric" });
    return { input, label: el("label", {}, `${label} `, input) };
  };
  const texts = number("Texts", 256, start.max_texts, "pg-control-texts");
  const tokens = number("tokens each", 16, start.max_tokens, "pg-control-tokens");
  const seed = number("seed", 7, 2 ** 31, "pg-control-seed");
  seed.input.min = 0;
  const proposal = el("select", { id: "pg-control-proposal" }, ...PROPOSALS.map(([value, words]) => el("option", { value }, words)));
  const asked = el("input", { type: "text", id: "pg-control-asked", placeholder: "a prompt that asks for it",
    "aria-label": "The other prompt", hidden: true });
  proposal.addEventListener("change", () => {
    asked.hidden = proposal.value !== "prompt";
    wantStrip("proposal", proposal.value === "page");
  });
  offerTuned(false);
  const others = createMorePrompts(start.max_prompts);
  const go = button("Draw a pool", "pg-control-draw", () => request(() => ({
    ...promptJson(), ...knobs(), more_prompts: others.read(), proposal: proposal.value, asked: asked.value, num_texts: whole(texts.input),
    max_tokens: whole(tokens.input), seed: whole(seed.input),
  })));
  const more = button("Draw more of this", "pg-control-more", () => request(() => ({ pool: state.pool, num_texts: whole(texts.input) })));
  const cancel = button("Stop drawing", "pg-control-cancel", () => told("control/cancel"));
  const drop = button("Forget this pool", "pg-control-drop", () => {
    const { pool } = state;
    state.pool = TOY;
    return told("control/drop", pool);
  });
  const save = button("Export JSON", "pg-control-export", exported);
  const chips = el("div", { class: "pg-control-pools", role: "radiogroup", "aria-label": "Pool that is looked at" });
  chips.addEventListener("keydown", walk);
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Drawing the pool" });
  const words = el("span", { class: "pg-quiet", "aria-live": "off" });
  const line = el("div", { class: "pg-control-progress", hidden: true }, bar, words, cancel);
  const root = el("div", { class: "pg-control-draw" },
    el("p", { class: "pg-control-lead" }, "A pool of texts is drawn once after the prompt above. Features, targets and β then "
      + "only weigh it again, so nothing you drag asks the model. Begin with the toy, or draw a pool."),
    el("div", { class: "pg-control-form" }, texts.label, tokens.label, seed.label,
      el("label", {}, "drawn from ", proposal), asked, go), others.root,
    line, el("div", { class: "pg-control-form" }, chips, more, drop, save));

  const whole = (input) => Number.parseInt(input.value, 10);

  /** Whether there is a tuned model to draw from. */
  function offerTuned(isThere) {
    proposal.querySelector("[value=tuned]").disabled = !isThere;
  }

  /** A pool of what the tuned model writes, beside the others. */
  function drawTuned() {
    proposal.value = "tuned";
    proposal.dispatchEvent(new Event("change", { bubbles: true }));
    go.click();
    root.scrollIntoView({ block: "start" });
  }

  async function request(body) {
    go.disabled = true;
    try {
      const answer = await post("control/draw", body()); // a box that cannot be read throws here, with words
      state.pools = answer.pools;
      choose(answer.pool);
      tools.say("The pool is being drawn.");
      watch();
    } catch (error) {
      failed(error);
    } finally {
      go.disabled = false;
    }
  }

  async function told(route, pool = state.pool) {
    try {
      state.pools = (await post(route, { pool })).pools;
      changed();
    } catch (error) {
      failed(error);
    }
  }

  function choose(id) {
    state.pool = id;
    state.logBeta = state.rate = null;
    changed();
  }

  function walk(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const items = [...chips.children];
    const to = items[(items.indexOf(event.target) + step + items.length) % items.length];
    event.preventDefault();
    choose(to.dataset.pool);
    [...chips.children].find((one) => one.dataset.pool === state.pool)?.focus();
  }

  async function exported() {
    try {
      saved("control.json", JSON.stringify(await post("control/export", aimed()), null, 1));
    } catch (error) {
      failed(error);
    }
  }

  /** Chips, progress and buttons as the pools stand. */
  function paint() {
    const wanted = [{ id: TOY, label: "toy: fifteen sequences", num_texts: 15 }, ...state.pools];
    const focused = chips.contains(document.activeElement);
    chips.replaceChildren(...wanted.map((one) => {
      const chosen = one.id === state.pool;
      return el("button", { type: "button", role: "radio", class: "pg-chip", "data-pool": one.id, "aria-checked": String(chosen),
        tabindex: chosen ? 0 : -1, title: one.prompts?.join("\n") ?? "", onclick: () => choose(one.id) }, `${one.label}, ${count(one.num_texts)}`);
    }));
    if (focused) chips.querySelector("[aria-checked=true]")?.focus();
    const shown = state.pools.find((one) => one.id === state.pool);
    const { progress } = shown ?? {};
    line.hidden = !progress;
    more.hidden = drop.hidden = !shown;
    more.disabled = Boolean(shown?.running);
    cancel.hidden = !shown?.running;
    if (!progress) return;
    bar.value = progress.num_done / progress.num_wanted;
    setText(words, progressWords(progress));
  }

  return { root, paint, offerTuned, drawTuned };
}

function progressWords(progress) {
  const done = `${count(progress.num_done)} of ${count(progress.num_wanted)} texts`;
  if (progress.error) return `${done} · ${progress.error}`;
  if (progress.cancelled) return `${done} · stopped; what is finished stays`;
  const rate = `${progress.per_s.toFixed(progress.per_s < 10 ? 1 : 0)} a second`;
  if (progress.done) return `${done} · ${rate}`;
  if (progress.queue_place) return `place ${progress.queue_place} in the queue; people who type go first`;
  if (!progress.num_writing && !progress.num_done) return "reading the prompt";
  return progress.remaining_s === null ? `${count(progress.num_writing)} texts are being written` : `${done} · ${rate} · ${duration(progress.remaining_s)} left`;
}

const button = (words, id, onclick) => el("button", { type: "button", class: "pg-button", id, onclick }, words);
