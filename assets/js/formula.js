// The formula of guidance with its live numbers, each branch in the hue it has everywhere.
// Knows nothing about where the weights come from.

import { hue } from "./branches.js";
import { el } from "./dom.js";

/** log p = prompt + 0.50 · (prompt − negative), or for other weights 1.00 · prompt + 0.80 · branch 1 − 0.80 · branch 2. */
export function render(node, guidance) {
  const branches = guidance?.branches ?? [{ name: "prompt", weight: 1 }, { name: "negative", weight: 0 }];
  const off = guidance?.off ?? true;
  const key = `${off} ${branches.map((branch) => `${branch.name} ${branch.weight.toFixed(2)}`).join()}`;
  if (node.dataset.weight === key) return;
  node.dataset.weight = key;
  node.replaceChildren();
  const word = (name, text) => el("span", `pg-word-${name}`, node, text);
  const plain = (text) => node.append(text);
  const weight = (value, first) => {
    if (!first || value < 0) plain(value < 0 ? " − " : " + ");
    el("b", "", node, Math.abs(value).toFixed(2));
  };
  word("final", "log p");
  plain(" = ");
  const [prompt, other] = branches;
  if (branches.length === 2 && Math.abs(prompt.weight + other.weight - 1) < 1e-9) {
    word("prompt", "prompt");
    weight(prompt.weight - 1, false);
    plain(" · (");
    word("prompt", "prompt");
    plain(" − ");
    word("negative", other.name);
    plain(")");
  } else {
    branches.forEach((branch, index) => {
      weight(branch.weight, index === 0);
      plain(" · ");
      word(hue(index), branch.name);
    });
  }
  if (off) plain(" · scale 1 = off");
}
