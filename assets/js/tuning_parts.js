// The drawn parts of the tuning panel: the meters of exactness, the alarm, lists of texts.
// Knows nothing about routes or runs.

import { el, fit, setAttr, setClass, setStyle, setText } from "./dom.js";
import { percent } from "./format.js";

const nats = (value) => (value == null ? "–" : `${value.toFixed(2)} nats`);

/** Three meters: distance left to the target, hits, and how much of the target's mass is still there. */
export function meters(parent) {
  const root = el("dl", "pg-tuning-meters", parent);
  const make = (words, title) => {
    const box = el("div", "", root);
    box.title = title;
    el("dt", "", box, words);
    const value = el("dd", "", box);
    const track = el("div", "pg-tuning-track", box);
    return { value, fill: el("span", "", track), mark: el("i", "", track) };
  };
  return {
    root,
    exact: make("Distance to the target", "KL(p‖π) on texts of the pool that are not learnt; the full bar is where it began"),
    rate: make("Hits", "Share of its own texts that the target allows, or the leading feature; the mark is the target's"),
    mass: make("Target's mass still reached", "Its own estimate of Z over the pool's: 100 % where nothing is lost"),
    moved: make("Distance from the model", "KL(π‖a); the mark is where an exact policy stands, −log Z"),
    ess: make("Exact texts in each", "Effective sample size of its texts as draws of the target, over their number"),
  };
}

export function drawMeters(parts, { points, now, facts }) {
  const first = points[0];
  const last = points[now];
  if (!last) return;
  const left = last.kl_held_out ?? last.kl_target;
  const began = Math.max(first.kl_held_out ?? first.kl_target ?? 1, 1e-9);
  meter(parts.exact, `${nats(left)} of ${nats(began)}`, left / began, null);
  meter(parts.rate, `${percent(last.rate)} (was ${percent(facts.base_rate)})`, last.rate, facts.target_rate);
  const error = last.z_error == null ? "" : ` ± ${percent(last.z_error / facts.pool_z)}`;
  meter(parts.mass, percent(last.z / facts.pool_z) + error, last.z / facts.pool_z, null);
  const top = 1.5 * Math.max(facts.kl_floor ?? 1, 1e-9);
  meter(parts.moved, `${nats(last.kl_base)}, exact: ${nats(facts.kl_floor)}`, last.kl_base / top, facts.kl_floor / top);
  meter(parts.ess, percent(last.ess_fraction), last.ess_fraction, null);
}

function meter({ value, fill, mark }, words, share, at) {
  setText(value, words);
  const clipped = Math.max(0, Math.min(1, share || 0));
  setStyle(fill, "width", `${(100 * clipped).toFixed(1)}%`);
  mark.hidden = at == null;
  if (at != null) setStyle(mark, "left", `${(100 * Math.min(1, at)).toFixed(1)}%`);
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
export function drawTexts(items, texts) {
  texts.forEach(({ text, allowed, log_ratio: ratio }, index) => {
    const words = !allowed ? "not in the target" : `in the target, weight ×${weight(ratio)}`;
    line(items[index], text, allowed, words);
  });
}

export function drawWritten(list, items, texts) {
  fit(list, items, texts.length, () => el("li"));
  texts.forEach(({ text, allowed }, index) => line(items[index], text, allowed, allowed ? "in the target" : "not in it"));
}

function weight(ratio) {
  if (ratio == null) return "–";
  const value = Math.exp(Math.min(ratio, 20));
  return value < 0.01 ? "<0.01" : value.toPrecision(2);
}

function line(item, text, allowed, words) {
  if (!item.pgParts) {
    item.pgParts = [el("span", "pg-tuning-mark", item), el("span", "pg-tuning-text", item), el("span", "pg-quiet", item)];
    item.pgParts[1].dir = "auto";
  }
  const [mark, body, said] = item.pgParts;
  setText(mark, allowed ? "✓" : "✗");
  setClass(item, "pg-allowed", allowed);
  setAttr(mark, "aria-hidden", "true");
  setText(body, text);
  setText(said, words);
}
