// Several prompts: the box that names more of them, how they are meant together, and what each one is and becomes.
// Knows nothing about fits. Prompts go in as text alone.

import { fit, setAttr, setClass, setText } from "./dom.js";
import { percent } from "./format.js";
import { el } from "./panels.js";

const WAYS = [
  ["pooled", "pooled", "One tilt over the texts of all prompts; prompts after which what is wanted comes easily get a larger share of them."],
  ["averaged", "averaged", "One tilt, and every prompt keeps its share; the mean over the prompts is what is wanted."],
  ["each", "each prompt", "Every prompt keeps its share and has what is wanted by itself, with exponents of its own."],
];

/** The box; ``read()`` answers its prompts, one a line, blank lines left out. */
export function createMorePrompts(most) {
  const box = el("textarea", { id: "pg-control-more-prompts", rows: 3, spellcheck: false, "aria-label": "More prompts, one a line",
    placeholder: "one a line" });
  const summary = el("summary", {}, "More prompts");
  const note = el("p", { class: "pg-quiet" }, `One pool of several prompts, as many texts of each; at most ${most} with the one above, `
    + "read as it is (in a chat, each as a message). Blank lines are left out, and a prompt that is there twice counts once.");
  const root = el("details", { class: "pg-control-several" }, summary, box, note);
  const read = () => box.value.split("\n").map((line) => line.trimEnd()).filter(Boolean);
  box.addEventListener("input", () => setText(summary, read().length ? `More prompts: ${read().length}` : "More prompts"));
  return { root, read };
}

/** The choice and the table; hidden where a pool follows one prompt. */
export function createPrompts({ state, now, changed }) {
  const radios = WAYS.map(([value]) => el("input", { type: "radio", name: "pg-control-contexts", value, onchange: () => {
    state.contexts = value;
    if (value === "each") now().exponents = null; // one set by hand is one for all
    changed();
  } }));
  const choice = el("fieldset", { class: "pg-control-ways" }, el("legend", {}, "Several prompts: how the wanted means are meant"),
    ...WAYS.map(([, name, words], index) => el("label", {}, radios[index], el("span", {}, el("strong", {}, name), ` ${words}`))));
  const head = el("tr", {});
  const body = el("tbody", {});
  const table = el("table", {}, el("caption", {}, "Each prompt: the model’s mean → the target’s"), el("thead", {}, head), body);
  const root = el("section", { class: "pg-control-prompts", "aria-label": "Several prompts", hidden: true }, choice,
    el("div", { class: "pg-control-prompts-table", role: "region", tabindex: 0, "aria-label": "Each prompt" }, table));
  const note = el("p", { class: "pg-quiet" }, "Tuning keeps every prompt’s share whatever is chosen: what it makes of pooled exponents has "
    + "another mean. Averaged is a target it can meet.");
  choice.append(note);
  const rows = [];

  function paint({ prompts, gauges, contexts }) {
    root.hidden = !prompts.length;
    if (root.hidden) return;
    for (const radio of radios) radio.checked = radio.value === state.contexts; // an answer may be of an older choice
    note.hidden = contexts !== "pooled";
    fit(head, head.made ??= [], gauges.length + 2, () => el("th", { scope: "col" }));
    [["Prompt"], ["its share"], ...gauges.map((gauge) => [gauge.label])].forEach(([words], index) => setText(head.made[index], words));
    fit(body, rows, prompts.length, makeRow);
    prompts.forEach((prompt, index) => paintRow(rows[index], prompt, gauges, contexts));
  }

  return { root, paint };
}

function makeRow() {
  return el("tr", {}, el("th", { scope: "row" }, el("bdi", {}), el("p", { class: "pg-gauge-refusal" })), el("td", {}));
}

function paintRow(row, prompt, gauges, contexts) {
  const [name, share] = row.children;
  setText(name.firstChild, shortened(prompt.prompt));
  setAttr(name.firstChild, "title", prompt.prompt);
  setText(name.lastChild, prompt.refusal);
  setClass(name.lastChild, "pg-none", !prompt.refusal);
  setText(share, prompt.share === null ? "–" : percent(prompt.share));
  fit(row, row.made ??= [], gauges.length, () => el("td", {}, el("span", {}), el("span", { class: "pg-quiet" })));
  prompt.cells.forEach((cell, index) => {
    const [means, tilt] = row.made[index].children;
    const target = typeof cell.fitted === "number" ? figure(gauges[index], cell.fitted) : "–";
    setText(means, `${figure(gauges[index], cell.base)} → ${target}`);
    setText(tilt, contexts === "each" ? exponent(cell) : "");
  });
}

/** A prompt's beginning and end (prompts often begin alike), its line breaks shown. */
export function shortened(prompt, most = 40) {
  const letters = [...prompt.replaceAll("\n", "↵")];
  if (letters.length <= most) return letters.join("");
  return `${letters.slice(0, most / 2).join("")}…${letters.slice(-most / 2).join("")}`;
}

const figure = (gauge, value) => (gauge.yes_no ? percent(value) : `${Number(value.toPrecision(4))} ${gauge.unit}`.trim());

function exponent({ exponent: value, error }) {
  if (value === null) return "";
  if (value === "inf") return "only with it";
  if (value === "-inf") return "only without it";
  return `λ = ${value.toFixed(2)}${typeof error === "number" && error > 0 ? ` ± ${(1.96 * error).toFixed(2)}` : ""}`;
}
