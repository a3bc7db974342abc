// The four large figures over the distribution: choices, entropy, tokens left, mass kept; each with what it was.
// Knows nothing about how they come about.

import { el, keep, setAttr, setText } from "./dom.js";
import { bits, choices, count, percent } from "./format.js";

const states = new WeakMap();

/** view: PipelineView. */
export function render(node, view) {
  const state = keep(states, node, build);
  const { base, final } = view;
  put(state.choices, choices(final.choices), `effective choices, was ${choices(base.choices)}`,
    `${bits(final.entropy_bits)} bits, was ${bits(base.entropy_bits)} bits`);
  put(state.entropy, `${bits(final.entropy_bits)} bits`, `entropy, was ${bits(base.entropy_bits)}`,
    `bits: log2 of the effective choices (${choices(final.choices)})`);
  const tokens = final.support === 1 ? "token" : "tokens";
  put(state.support, count(final.support), `${tokens} left of ${count(view.vocabulary_size)}`, "tokens that can be drawn");
  put(state.mass, percent(view.kept_mass), "of the model’s mass kept",
    "the share of its own probability that the model gave to the tokens that are left");
}

function build(parent) {
  const root = el("dl", "pg-headline", parent);
  const figure = (name) => {
    const box = el("div", `pg-headline-${name}`, root);
    const label = el("dt", "", box);
    return { box, label, value: el("dd", "", box) };
  };
  return {
    root, choices: figure("choices"), entropy: figure("entropy"), support: figure("support"), mass: figure("mass"),
  };
}

function put(figure, value, label, title) {
  setText(figure.value, value);
  setText(figure.label, label);
  setAttr(figure.box, "title", title);
}
