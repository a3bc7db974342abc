// Texts by the tuned model, drawn or searched, under the strip where that is wanted.
// Knows nothing about how it was tuned.

import { post } from "./api.js";
import { el, setAttr, setText } from "./dom.js";
import { knobs } from "./knobs.js";
import { problem, settled } from "./page.js";
import { drawWritten } from "./tuning_parts.js";

const NUM_TEXTS = 8;

/** ``wantStrip(yes)`` is told whether the strip is of use. Answers the node and ``write()``. */
export function writing(parent, wantStrip) {
  const root = el("section", "pg-tuning-writing", parent);
  el("h3", "", root, "Write with the tuned model");
  const bar = el("div", "pg-buttons", root);
  const go = el("button", "pg-button", bar, "Write");
  go.type = "button";
  const how = el("select", "", bar);
  how.append(new Option("eight draws", ""), new Option("beam search", "beam"), new Option("greedy", "greedy"));
  setAttr(how, "aria-label", "How the texts are found");
  const under = el("label", "", bar);
  const chain = el("input", "", under);
  chain.type = "checkbox";
  el("span", "", under, "under the strip above");
  chain.addEventListener("change", () => wantStrip(chain.checked));
  const label = el("p", "pg-quiet", root);
  label.setAttribute("role", "status");
  const list = el("ol", "pg-tuning-texts", root);
  const items = [];

  async function write() {
    go.disabled = true;
    try {
      const { strip, seed } = knobs();
      const view = await post("tuning/write", { num_texts: NUM_TEXTS, seed, strip: chain.checked ? strip : [],
        search: how.value || null });
      settled();
      setText(label, `${view.num_allowed} of ${view.texts.length} are in the target. ${view.label}`);
      drawWritten(list, items, view.texts, view.features);
    } catch (error) {
      problem(error);
    } finally {
      go.disabled = false;
    }
  }

  go.addEventListener("click", write);
  return { root, write };
}
