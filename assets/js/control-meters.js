// How far the pool carries the target: quiet meters of the fit that move with every drag, tinted where they warn.
// Knows nothing about how the figures are made; the server says them and where they begin to warn.

import { setAttr, setStyle, setText } from "./dom.js";
import { count, percent } from "./format.js";
import { el } from "./panels.js";

/**
 * One entry a meter. draw(fit, rows) -> {value, note, share: 0 to 1 or null, at: where it begins to warn, warns}; about:
 * one line that says what it means, seen on hover and focus and heard with the meter.
 */
const METERS = [
  { name: "kl", title: "From the model", exact: true,
    about: "KL(p‖a): how far the nearest distribution with these means lies from the model. The full bar is ln n, the most that n texts can show.",
    draw: ({ kl }, rows) => ({ value: Math.max(0, kl).toFixed(2), note: "nats", share: kl / Math.log(Math.max(rows, 2)) }) },
  { name: "z", title: "Z", exact: true,
    about: "The total of P, the target before it is divided to sum to 1. Accepting exactly takes (largest P/q) / Z proposals a text.",
    draw: ({ log_z: logZ }) => ({ value: figure(Math.exp(logZ)), note: "", share: null }) },
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

export function createMeters() {
  const parts = METERS.map(createMeter);
  const root = el("div", { class: "pg-meters", role: "group", "aria-label": "How far the pool carries this target" },
    ...parts.map((part) => part.root));
  root.addEventListener("keydown", walk);
  root.addEventListener("focusin", ({ target }) => {
    for (const { face } of parts) face.tabIndex = face === target ? 0 : -1;
  });

  function paint(view) {
    METERS.forEach((meter, index) => {
      const part = parts[index];
      part.root.hidden = view.enumerated && !meter.exact;
      if (!part.root.hidden) part.paint(meter.draw(view.fit, view.num_rows));
    });
  }

  return { root, paint };
}

function createMeter({ name, title, about }, index) {
  const id = `pg-meter-${name}`;
  const value = el("b", {});
  const note = el("span", {});
  const warning = el("span", { class: "pg-meter-warning", "aria-hidden": "true", hidden: true }, "!");
  const fill = el("span", {});
  const mark = el("i", {});
  const track = el("span", { class: "pg-meter-track", "aria-hidden": "true" }, fill, mark);
  const face = el("button", { type: "button", class: "pg-meter", tabindex: index ? -1 : 0, "aria-describedby": id },
    el("span", { class: "pg-meter-title" }, title), el("span", { class: "pg-meter-value" }, value, " ", note, warning), track);
  const heard = el("span", { class: "pg-sr" });
  face.append(heard);
  const root = el("div", { class: "pg-meter-box", "data-meter": name }, face, el("span", { class: "pg-meter-about", role: "tooltip", id }, about));

  function paint({ value: words, note: more, share, at = null, warns = false }) {
    setText(value, words);
    setText(note, more);
    setText(heard, warns ? ", a warning" : "");
    setAttr(root, "data-warns", String(warns));
    warning.hidden = !warns;
    track.hidden = share === null;
    setStyle(fill, "width", `${(100 * Math.max(0, Math.min(1, share || 0))).toFixed(1)}%`);
    mark.hidden = at === null;
    if (at !== null) setStyle(mark, "left", `${(100 * Math.min(1, at)).toFixed(1)}%`);
  }

  return { root, face, paint };
}

/** One stop for Tab; arrows walk the meters, Escape puts the words away. */
function walk(event) {
  const faces = [...event.currentTarget.querySelectorAll(".pg-meter-box:not([hidden]) .pg-meter")];
  const at = faces.indexOf(document.activeElement);
  if (event.key === "Escape") document.activeElement.blur();
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: faces.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  faces[Math.max(0, Math.min(faces.length - 1, to))].focus();
}

const figure = (value) => (value >= 1e4 || value < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3))));
