// The texts of the pool, accepted or rejected at this β: each one's chance beside its own fixed dart.
// Knows nothing about ratios or weights. Texts go in as text alone.

import { drawMarked } from "./control-marks.js";
import { shortened } from "./control-prompts.js";
import { fit, setAttr, setClass, setStyle, setText } from "./dom.js";
import { count, percent } from "./format.js";
import { el } from "./panels.js";

const SHOWN = [["", "all"], ["accepted", "accepted"], ["rejected", "rejected"],
  ["resampled", "drawn again by weight"]];

const THREE = ["model", "target", "accepted"];

export function createList({ state, changed }) {
  const select = el("select", { id: "pg-control-only" }, ...SHOWN.map(([value, words]) => el("option", { value }, words)));
  select.addEventListener("change", () => {
    state.only = select.value;
    changed();
  });
  const title = el("h3", {}, "Texts ");
  const note = el("p", { class: "pg-quiet" });
  const bars = el("p", { class: "pg-quiet pg-three-key" }, "Bars: ", ...["the model", "the target", "what is accepted at this β"].map((words, index) =>
    el("span", {}, el("i", { class: `pg-three-${THREE[index]}` }), words)));
  const list = el("ol", { class: "pg-control-texts", role: "list", tabindex: 0, "aria-label": "Texts of the pool" });
  const rows = [];
  const root = el("div", { class: "pg-control-list" }, el("div", { class: "pg-control-form" }, title, el("label", {}, "show ", select)), bars, note, list);

  function paint(view) {
    bars.hidden = !view.enumerated || state.only === "resampled";
    setText(note, state.only === "resampled"
      ? "Importance resampling: texts of the pool drawn again in proportion to their weight; whatever is likely under the target comes back often."
      : view.enumerated
      ? "The first bar is each text's chance, the mark its own dart, which stays: moving β flips a text only where its chance passes the dart."
      : `Each text's bar is its chance min(1, P/(βq)); the mark is its own dart, which stays. ${count(view.num_accepted)} accepted; the first ${view.rows.length} are shown.`);
    const most = view.enumerated ? Math.max(...view.rows.flatMap((row) => row.p)) : 1;
    fit(list, rows, view.rows.length, makeRow);
    const names = view.gauges.map((gauge) => gauge.label);
    const prompts = view.prompts.map((one) => one.prompt);
    view.rows.forEach((row, index) => paintRow(rows[index], row, most, names, prompts));
  }

  return { root, paint };
}

export function makeRow() {
  const verdict = el("span", { class: "pg-verdict" });
  const chance = el("span", { class: "pg-chance" }, el("span", { class: "pg-chance-bar" }), el("span", { class: "pg-chance-dart" }));
  const bars = el("span", { class: "pg-three" }, ...THREE.map((name) => el("span", { class: `pg-three-${name}`, title: name })));
  const text = el("div", { class: "pg-control-written" }, el("span", { class: "pg-control-after", dir: "auto" }), el("bdi", { class: "pg-control-text" }));
  return el("li", {}, verdict, chance, bars, text);
}

/** ``prompts``: where there are several, by number. */
export function paintRow(node, row, most, names, prompts) {
  const [verdict, chance, bars, written] = node.children;
  const [after, text] = written.children;
  const prompt = prompts[row.prompt] ?? "";
  setText(after, shortened(prompt, 28));
  setAttr(after, "title", prompt);
  setClass(after, "pg-none", !prompt);
  setClass(node, "pg-accepted", row.accepted);
  setText(verdict, row.accepted ? "accepted" : "rejected");
  setStyle(chance.firstChild, "width", `${(100 * row.keep).toFixed(2)}%`);
  setStyle(chance.lastChild, "left", `${(100 * row.u).toFixed(2)}%`);
  setAttr(chance, "title", `chance ${row.keep.toPrecision(3)}, dart ${row.u.toFixed(3)}`);
  setClass(bars, "pg-none", !row.p.length);
  row.p.forEach((p, index) => {
    setStyle(bars.children[index], "width", `${(100 * p / most).toFixed(2)}%`);
    setAttr(bars.children[index], "title", `${THREE[index]} ${percent(p)}`);
  });
  if (row.text) drawMarked(text, row.text.replaceAll("\n", "↵"), row.marks, row.values, names);
  else drawMarked(text, "(ended at once)", [], [], names);
}
