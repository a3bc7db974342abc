// The drawn parts of the tuning panel: the meters of exactness, what was reached in a sentence, the alarm, lists of texts.
// Knows nothing about routes or runs.

import { drawMarked } from "./control-marks.js";
import { shortened } from "./control-prompts.js";
import { el, fit, setAttr, setClass, setStyle, setText } from "./dom.js";
import { percent } from "./format.js";
import { createMeters } from "./meter.js";

const METERS = [
  { name: "exact", title: "From the target", about: "KL(p‖π) on texts of the pool that are not learnt: 0 where the tuned model "
    + "writes the target exactly. The full bar is where it began." },
  { name: "rate", title: "Hits", about: "Share of its own texts that the target allows or, where none is out, their mean of the "
    + "feature that has farthest to go. The mark is where the target stands." },
  { name: "moved", title: "From the model", about: "KL(π‖a): how far it has moved. The mark is the floor: nobody writes the target "
    + "exactly nearer to the model than that (−ln Z where the target is a filter)." },
  { name: "mass", title: "Target still reached", about: "Its own estimate of Z over the pool's: 100 % where nothing of the target is "
    + "lost. When this collapses while hits rise, it is forgetting." },
  { name: "ess", title: "Exact texts in each", about: "Effective sample size of its texts as texts of the target, over their number." },
];
const nats = (value) => (value == null ? "–" : value.toFixed(2));
const LOW_MASS = 0.5;

export function meters(parent) {
  const made = createMeters("How exact the tuned model is", METERS);
  parent.append(made.root);
  return made;
}

export function drawMeters(parts, view) {
  const { last, left, began, facts } = standing(view);
  if (!last) return;
  parts.exact.paint({ value: nats(left), note: `nats of ${nats(began)}`, share: left / Math.max(began, 1e-9) });
  parts.rate.paint({ value: percent(last.rate), note: `was ${percent(facts.base_rate)}`, share: last.rate, at: facts.target_rate });
  const top = 1.5 * Math.max(facts.kl_floor ?? 1, 1e-9);
  parts.moved.paint({ value: nats(last.kl_base), note: `nats, floor ${nats(facts.kl_floor)}`, share: last.kl_base / top,
    at: facts.kl_floor == null ? null : facts.kl_floor / top });
  const reached = last.z / facts.pool_z;
  const error = last.z_error == null ? null : last.z_error / facts.pool_z;
  parts.mass.paint({ value: percent(reached), note: error === null ? "" : `± ${percent(error)}`, share: reached,
    warns: reached + 2 * (error ?? 0) < LOW_MASS });
  parts.ess.paint({ value: percent(last.ess_fraction), share: last.ess_fraction });
}

/** Where the adapter stands, and how far from the target it is and was. */
function standing({ points, now, facts }) {
  const [first, last] = [points[0], points[now]];
  return { last, facts, left: last?.kl_held_out ?? last?.kl_target, began: first?.kl_held_out ?? first?.kl_target };
}

/** What a run has reached, in one breath. */
export function verdict(view) {
  const { last, left, began, facts } = standing(view);
  if (!last || last.step === 0) return "";
  const steps = last.step === 1 ? "1 step" : `${last.step} steps`;
  return `After ${steps} ${percent(last.rate)} of its texts are hits; the model alone has ${percent(facts.base_rate)}, the target `
    + `${percent(facts.target_rate)}. It stands ${nats(left)} nats from the target, ${nats(began)} at the start, and `
    + `${nats(last.kl_base)} from the model, where an exact one would stand ${nats(facts.kl_floor)} away.`;
}

/** The alarm stands where everybody sees it, and is said aloud when it appears. */
export function alarm(parent) {
  const root = el("p", "pg-tuning-alarm", parent);
  root.setAttribute("role", "alert");
  root.hidden = true;
  return {
    show(words) {
      root.hidden = !words;
      setText(root, words ?? "");
    },
  };
}

/** Fresh texts: whether the target allows each, and how it is weighed. */
export function drawTexts(list, items, texts, names) {
  fit(list, items, texts.length, () => el("li"));
  texts.forEach((row, index) => {
    const { allowed, log_ratio: ratio } = row;
    const words = allowed ? `×${weight(ratio)}` : "not in the target";
    line(items[index], row, words, allowed ? Math.exp(Math.min(ratio ?? -20, 20)) : 0, names);
  });
}

/** Texts of the tuned model: whether each is in the target. */
export function drawWritten(list, items, texts, names) {
  fit(list, items, texts.length, () => el("li"));
  texts.forEach((row, index) => line(items[index], row, row.allowed ? "in the target" : "not in the target", null, names));
}

function weight(ratio) {
  if (ratio == null) return "–";
  const value = Math.exp(Math.min(ratio, 20));
  return value < 0.01 ? "<0.01" : value.toPrecision(2);
}

/** heavy: its weight, 1 where it is written exactly as often as it should be; null: nobody weighed it. */
function line(item, { text, prompt, allowed, marks, values }, words, heavy, names) {
  if (!item.pgParts) {
    item.pgParts = [el("span", "pg-tuning-mark", item), el("span", "pg-tuning-weight", item), el("span", "pg-tuning-words", item),
      el("span", "pg-control-after", item), el("bdi", "pg-tuning-text", item)];
    item.pgParts[3].dir = "auto";
    el("span", "", item.pgParts[1]);
    setAttr(item.pgParts[0], "aria-hidden", "true");
  }
  const [mark, bar, said, after, body] = item.pgParts;
  setText(after, shortened(prompt ?? "", 28));
  setClass(after, "pg-none", !prompt);
  setText(mark, allowed ? "✓" : "✗");
  setClass(item, "pg-allowed", allowed);
  bar.hidden = heavy === null;
  setStyle(bar.firstChild, "width", `${(100 * (heavy ?? 0) / (1 + (heavy ?? 0))).toFixed(1)}%`); // 1 is the middle
  setText(said, words);
  setClass(said, "pg-hidden", allowed && heavy === null); // the tick says it to the eye
  drawMarked(body, text.replaceAll("\n", "↵"), marks, values, names);
}
