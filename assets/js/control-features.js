// The features: one row each with its gauge (model, wanted, fitted) and its exponent, and below them the form.
// Knows nothing about what a feature computes.

import { createForm } from "./control-form.js";
import { setText } from "./dom.js";
import { percent } from "./format.js";
import { el } from "./panels.js";

const EXPONENT_LIMIT = 12;

export function createFeatures({ state, start, now, changed }) {
  const rows = el("div", { class: "pg-gauges" });
  const form = createForm(start.kinds, (feature) => {
    state.asked.features = [...state.asked.features, feature];
    state.asked.targets = [...state.asked.targets, null];
    state.asked.exponents = null;
    changed();
  });
  const root = el("div", { class: "pg-control-features" }, rows, form.root);
  let parts = [];

  /** One gauge a feature; nodes stay as long as the features do, so that a drag goes on under the pointer. */
  function paint(view) {
    form.root.hidden = view.enumerated;
    const key = view.gauges.map((gauge) => gauge.key).join("\n");
    if (rows.dataset.key !== key) {
      parts = view.gauges.map((gauge, index) => createGauge(gauge, index, !view.enumerated && view.gauges.length > 1));
      rows.replaceChildren(...parts.map((part) => part.root));
      rows.dataset.key = key;
      lastExponents.length = parts.length;
    }
    view.gauges.forEach((gauge, index) => parts[index].paint(gauge));
  }

  function createGauge(gauge, index, removable) {
    const name = gauge.label;
    const head = el("h3", {}, el("bdi", {}, name));
    const badge = el("span", { class: "pg-badge" });
    const remove = el("button", { type: "button", class: "pg-plain", "aria-label": `Take ${name} away`, hidden: !removable,
      onclick: () => {
        for (const list of ["features", "targets"]) state.asked[list] = state.asked[list].filter((_, at) => at !== index);
        state.asked.exponents = null;
        changed();
      } }, "✕");
    const [base, interval, fitted, accepted] = ["base", "interval", "fitted", "accepted"].map((part) =>
      el("span", { class: `pg-gauge-${part}`, "aria-hidden": "true" }));
    const target = el("input", { type: "range", step: "any", "aria-label": `Wanted mean of ${name}` });
    const exact = el("input", { type: "number", step: "any", "aria-label": `Wanted mean of ${name}, as a number` });
    const exponent = el("input", { type: "range", min: -EXPONENT_LIMIT, max: EXPONENT_LIMIT, step: 0.01, "aria-label": `Exponent of ${name}` });
    const figures = el("p", { class: "pg-gauge-words" });
    const tilt = el("span", {});
    const refusal = el("p", { class: "pg-gauge-refusal", hidden: true });
    const want = (value) => {
      if (!Number.isFinite(value)) return;
      now().targets[index] = value;
      now().exponents = null;
      changed();
    };
    target.addEventListener("input", () => want(Number(target.value)));
    exact.addEventListener("change", () => want(gauge.yes_no ? Number(exact.value) / 100 : Number(exact.value)));
    exponent.addEventListener("input", () => {
      now().exponents ??= [...lastExponents];
      now().exponents[index] = Number(exponent.value);
      changed();
    });
    const node = el("div", { class: "pg-gauge" },
      el("div", { class: "pg-gauge-head" }, head, badge, remove),
      el("div", { class: "pg-gauge-track" }, base, interval, fitted, accepted, target),
      figures,
      el("div", { class: "pg-gauge-more" }, el("label", {}, "wanted ", exact, gauge.yes_no ? " %" : ` ${gauge.unit}`),
        el("label", {}, "exponent ", exponent), tilt),
      refusal);

    function paintGauge(next) {
      const { low, high } = next;
      const share = (value) => `${(100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))).toFixed(2)}%`;
      const wide = 1.96 * next.base_error;
      lastExponents[index] = typeof next.exponent === "number" ? next.exponent : Math.sign(parseFloat(next.exponent) || 0) * EXPONENT_LIMIT;
      place(base, "width", share(next.base));
      place(interval, "left", share(next.base - wide));
      place(interval, "right", `calc(100% - ${share(next.base + wide)})`);
      for (const [dot, value] of [[fitted, next.fitted], [accepted, next.at_beta]]) {
        dot.hidden = value === null;
        if (value !== null) place(dot, "left", share(value));
      }
      target.min = low;
      target.max = high;
      const wanted = next.target ?? next.fitted ?? next.base;
      if (document.activeElement !== target) target.value = wanted;
      target.setAttribute("aria-valuetext", show(next, wanted));
      if (document.activeElement !== exact) exact.value = Number((next.yes_no ? 100 * wanted : wanted).toPrecision(4));
      if (document.activeElement !== exponent) exponent.value = lastExponents[index];
      setText(badge, next.kind);
      badge.title = next.kind === "pointwise" ? "A filter: texts without it are out" : "A mean: texts are weighed, none is out";
      node.dataset.refused = String(Boolean(next.refusal));
      setText(figures, words(next, wide));
      setText(tilt, tilted(next));
      refusal.hidden = !next.refusal;
      setText(refusal, next.refusal);
    }
    return { root: node, paint: paintGauge };
  }

  return { root, paint, refuse: form.refuse };
}

const lastExponents = [];
const place = (node, name, value) => { if (node.style[name] !== value) node.style[name] = value; };
const show = (gauge, value) => (gauge.yes_no ? percent(value) : `${Number(value.toPrecision(4))} ${gauge.unit}`.trim());

function words(gauge, wide) {
  const margin = wide > 0 ? ` ± ${gauge.yes_no ? percent(wide) : Number(wide.toPrecision(2))}` : "";
  const parts = [`model ${show(gauge, gauge.base)}${margin}`];
  if (gauge.fitted !== null) parts.push(`target ${show(gauge, gauge.fitted)}`);
  if (gauge.at_beta !== null) parts.push(`accepted at this β ${show(gauge, gauge.at_beta)}`);
  return parts.join(" · ");
}

function tilted({ exponent, error }) {
  if (exponent === null) return "";
  if (exponent === "inf") return "only texts with it";
  if (exponent === "-inf") return "only texts without it";
  return `λ = ${exponent.toFixed(2)}${error ? ` ± ${(1.96 * error).toFixed(2)}` : ""}`;
}
