// One feature's gauge: the model's mean with its interval, the wanted mean as a needle that is dragged, the target's mean
// as a dot, the accepted one's as a wedge: told apart by shape, named beside their figures.
// Knows nothing about what a feature computes or how means are fitted.

import { setAttr, setText } from "./dom.js";
import { percent } from "./format.js";
import { el } from "./panels.js";

export const EXPONENT_LIMIT = 12;

/** want(value), tilt(value): the needle or the exponent was moved; remove: take the feature away, or null. */
export function createGauge(gauge, index, { want, tilt, remove }) {
  const name = gauge.label;
  const badge = el("span", { class: "pg-badge" });
  const away = remove && el("button", { type: "button", class: "pg-plain", "aria-label": `Take ${name} away`, onclick: remove }, "✕");
  const [base, interval, fitted, accepted] = ["base", "interval", "fitted", "accepted"].map((part) =>
    el("span", { class: `pg-gauge-${part}`, "aria-hidden": "true" }));
  const target = el("input", { type: "range", step: "any", "aria-label": `Wanted mean of ${name}` });
  const exact = el("input", { type: "number", step: "any", "aria-label": `Wanted mean of ${name}, as a number` });
  const exponent = el("input", { type: "range", min: -EXPONENT_LIMIT, max: EXPONENT_LIMIT, step: 0.01, "aria-label": `Exponent of ${name}` });
  const lowest = el("span", {});
  const highest = el("span", {});
  const figures = Object.fromEntries(["base", "fitted", "accepted"].map((part) => [part, el("span", { "data-part": part })]));
  const tilted = el("span", {});
  const refusal = el("p", { class: "pg-gauge-refusal", hidden: true });
  target.addEventListener("input", () => want(Number(target.value)));
  exact.addEventListener("change", () => {
    if (exact.value.trim()) want(gauge.yes_no ? Number(exact.value) / 100 : Number(exact.value));
  });
  exponent.addEventListener("input", () => tilt(Number(exponent.value)));
  const root = el("div", { class: "pg-gauge", "data-feature": index },
    el("div", { class: "pg-gauge-head" }, el("h3", {}, el("bdi", {}, name)), badge, away),
    el("div", { class: "pg-gauge-track" }, base, interval, fitted, accepted, target),
    el("div", { class: "pg-gauge-ends", "aria-hidden": "true" }, lowest, highest),
    el("p", { class: "pg-gauge-words" }, ...Object.values(figures)),
    el("div", { class: "pg-gauge-more" },
      el("label", {}, el("span", { "data-part": "wanted" }, "wanted"), exact, gauge.yes_no ? "%" : gauge.unit),
      el("label", { class: "pg-gauge-exponent" }, "exponent λ", exponent), tilted),
    refusal);

  /** Answers the exponent it shows, for whoever sets another one by hand. */
  function paint(next) {
    const { low, high } = next;
    const share = (value) => `${(100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))).toFixed(2)}%`;
    const [from, to] = next.base_between;
    const shown = typeof next.exponent === "number" ? next.exponent : Math.sign(parseFloat(next.exponent) || 0) * EXPONENT_LIMIT;
    place(base, "width", share(next.base));
    interval.hidden = from === to;
    place(interval, "left", share(from));
    place(interval, "right", `calc(100% - ${share(to)})`);
    for (const [dot, value] of [[fitted, next.fitted], [accepted, next.at_beta]]) {
      dot.hidden = value === null;
      if (value !== null) place(dot, "left", share(value));
    }
    target.min = low;
    target.max = high;
    const wanted = next.target ?? next.fitted ?? next.base;
    if (document.activeElement !== target) target.value = wanted;
    setAttr(target, "aria-valuetext", figure(next, wanted));
    if (document.activeElement !== exact) exact.value = Number((next.yes_no ? 100 * wanted : wanted).toPrecision(4));
    if (document.activeElement !== exponent) exponent.value = shown;
    setText(badge, next.kind);
    setAttr(badge, "title", next.kind === "pointwise" ? "A filter: texts without it are out" : "A mean: texts are weighed, none is out");
    setAttr(root, "data-finds", String(Boolean(next.finds)));
    setAttr(root, "data-refused", String(Boolean(next.refusal)));
    setText(lowest, figure(next, low));
    setText(highest, figure(next, high));
    setText(figures.base, `model ${figure(next, next.base)}${between(next, next.base_between)}`);
    setText(figures.fitted, next.fitted === null ? "" : `target ${figure(next, next.fitted)}`);
    setText(figures.accepted, next.at_beta === null ? "" : `accepted at this β ${figure(next, next.at_beta)}${between(next, next.at_beta_between)}`);
    setText(tilted, exponentWords(next));
    refusal.hidden = !next.refusal;
    setText(refusal, next.refusal);
    return shown;
  }

  return { root, paint };
}

const place = (node, name, value) => { if (node.style[name] !== value) node.style[name] = value; };
const figure = (gauge, value) => (gauge.yes_no ? percent(value) : `${Number(value.toPrecision(4))} ${gauge.unit}`.trim());

const between = (gauge, pair) => {
  if (!pair) return "";
  const [low, high] = pair.map((value) => figure(gauge, value));
  return low === high ? "" : ` (${low} to ${high})`;
};

function exponentWords({ exponent, error }) {
  if (exponent === null) return "";
  if (exponent === "inf") return "only texts with it";
  if (exponent === "-inf") return "only texts without it";
  return `λ = ${exponent.toFixed(2)}${error ? ` ± ${(1.96 * error).toFixed(2)}` : ""}`;
}
