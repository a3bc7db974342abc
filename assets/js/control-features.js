// The features: one row each with its gauge (model, wanted, fitted) and its exponent, and below them the form.
// Knows nothing about what a feature computes.

import { createForm } from "./control-form.js";
import { createGauge } from "./control-gauge.js";
import { el } from "./panels.js";

export function createFeatures({ state, start, now, changed }) {
  const rows = el("div", { class: "pg-gauges" });
  const form = createForm(start.kinds, (feature, beside) => {
    const made = beside === null ? feature : { feature: "product", of: [state.asked.features[beside], feature] };
    state.asked.features = [...state.asked.features, made];
    state.asked.targets = [...state.asked.targets, null];
    state.asked.exponents = null;
    changed();
  });
  const root = el("div", { class: "pg-control-features" }, rows, form.root);
  let parts = [];
  let shown = []; // exponents

  /** One gauge a feature; nodes stay as long as the features do, so that a drag goes on under the pointer. */
  function paint(view) {
    form.root.hidden = view.enumerated;
    root.dataset.contexts = view.prompts.length ? view.contexts : ""; // one exponent for all is none of several
    form.known(view.gauges.map((gauge) => gauge.label));
    const key = view.gauges.map((gauge) => gauge.key).join("\n");
    if (rows.dataset.key !== key) {
      parts = view.gauges.map((gauge, index) => createGauge(gauge, index, handlersOf(index, !view.enumerated && view.gauges.length > 1)));
      rows.replaceChildren(...parts.map((part) => part.root));
      rows.dataset.key = key;
    }
    shown = view.gauges.map((gauge, index) => parts[index].paint(gauge));
  }

  const handlersOf = (index, removable) => ({
    want(value) {
      if (!Number.isFinite(value)) return;
      now().targets[index] = value;
      now().exponents = null;
      changed();
    },
    tilt(value) {
      now().exponents ??= [...shown];
      now().exponents[index] = value;
      changed();
    },
    remove: removable ? () => {
      for (const list of ["features", "targets"]) state.asked[list] = state.asked[list].filter((_, at) => at !== index);
      state.asked.exponents = null;
      changed();
    } : null,
  });

  return { root, paint, refuse: form.refuse };
}
