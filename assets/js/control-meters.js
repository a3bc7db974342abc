// How far the pool carries the target: quiet meters of the fit that move with every drag, tinted where they warn.
// Knows nothing about how the figures are made; the server says them and where they begin to warn.

import { count, percent, short } from "./format.js";
import { createMeters } from "./meter.js";

/**
 * One entry a meter. draw(fit, rows) -> {value, note, share: 0 to 1, at: where it begins to warn, warns}; exact: it says
 * something about a pool of everything there is, too.
 */
const METERS = [
  { name: "kl", title: "From the model", exact: true,
    about: "KL(p‖a): how far the nearest distribution with these means lies from the model. The full bar is ln n, the most that n texts can show.",
    draw: ({ kl }, rows) => ({ value: Math.max(0, kl).toFixed(2), note: "nats", share: kl / Math.log(Math.max(rows, 2)) }) },
  { name: "z", title: "Z", exact: true,
    about: "The total of P, the target before it is divided to sum to 1. Accepting exactly takes (largest P/q) / Z proposals a text.",
    draw: ({ log_z: logZ }) => ({ value: short(Math.exp(logZ)), note: "", share: null }) },
  { name: "ess", title: "Effective texts",
    about: "Effective sample size: how many texts of the target itself these weighted ones are worth. Below 100 every figure is shaky: draw more.",
    draw: ({ ess, limits }, rows) => ({ value: count(Math.round(ess)), note: `of ${count(rows)}`, share: ess / rows,
      at: limits.ess < rows ? limits.ess / rows : null, warns: ess < limits.ess }) },
  { name: "share", title: "Largest weight",
    about: "How much of the target the heaviest text stands for. Above a tenth one lucky draw decides.",
    draw: ({ largest_share: share, limits }) => ({ value: percent(share), note: "", share, at: limits.share, warns: share > limits.share }) },
  { name: "k", title: "Pareto k",
    about: "The tail of the weights. Below 0.5 averages settle quickly, above 0.7 a few texts decide and more of them help slowly: "
      + "try a proposal that writes such texts more often.",
    draw: ({ pareto_k: k, limits }) => (typeof k === "number"
      ? { value: k.toFixed(2), note: k > limits.k ? "heavy tail" : k > 0.5 ? "so-so" : "light tail", share: k, at: limits.k, warns: k > limits.k }
      : { value: "–", note: "no tail to fit", share: 0, at: limits.k }) },
];

export function createFitMeters() {
  const meters = createMeters("How far the pool carries this target", METERS);

  function paint(view) {
    for (const { name, exact, draw } of METERS) {
      const shown = exact || !view.enumerated;
      meters[name].show(shown);
      if (shown) meters[name].paint(draw(view.fit, view.num_rows));
    }
  }

  return { root: meters.root, paint };
}
