// The live sentence: what happened to this token, in words; also the screen reader's summary.
// Knows nothing about the pipeline; it sets the fragments it is given.

import { el, fit, keep, setAttr, setClass, setLabel, setText } from "./dom.js";

const states = new WeakMap();

/** fragments: view.sentence, a list of {text, kind: "text" | "figure" | "token"}. */
export function render(node, fragments) {
  const state = keep(states, node, (parent) => ({ root: el("p", "pg-sentence", parent), parts: [] }));
  const parts = fragments || [];
  fit(state.root, state.parts, parts.length, () => el("span"));
  parts.forEach((fragment, index) => {
    const part = state.parts[index];
    const token = fragment.kind === "token";
    if (token !== part.pgToken) {
      part.pgToken = token;
      part.pgText = part.pgLabel = undefined;
      part.removeAttribute("title");
    }
    setClass(part, "pg-figure", fragment.kind === "figure");
    setClass(part, "pg-token", token);
    setAttr(part, "dir", token ? "auto" : null);
    if (token) setLabel(part, fragment.text || "", Boolean(fragment.special));
    else setText(part, fragment.text || "");
  });
}
