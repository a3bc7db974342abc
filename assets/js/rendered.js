// The branches' texts side by side, as the models read them, template included.
// Knows nothing about templates; a long text is shortened in the middle by the server.

import { el, fit, keep, setText } from "./dom.js";

const states = new WeakMap();

/** promptText: the prompt as the model reads it; guidance: GuidanceView or null. */
export function render(node, promptText, guidance) {
  const state = keep(states, node, (parent) => ({ root: el("div", "pg-rendered-texts", parent), figures: [] }));
  const others = (guidance?.branches ?? []).slice(1);
  const texts = [["prompt", promptText ?? ""], ...others.map((one) => [one.model ? `${one.words} (${one.model})` : one.words, one.rendered])];
  fit(state.root, state.figures, texts.length, () => {
    const figure = el("figure");
    figure.pgName = el("figcaption", "pg-quiet", figure);
    figure.pgWords = el("pre", "", figure);
    return figure;
  });
  texts.forEach(([name, words], index) => {
    setText(state.figures[index].pgName, name);
    setText(state.figures[index].pgWords, words);
  });
}
