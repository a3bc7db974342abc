// Take away: the knobs as an engine's own settings with what it cannot say beside them, and any engine's settings
// back onto the page. Knows nothing about any engine: texts, words and states come from the server.

import { latest, post } from "./api.js";
import * as controls from "./controls.js";
import { lengthJson, promptJson } from "./knobs.js";
import { el } from "./panels.js";
import { setRecipe } from "./recipe.js";
import { copied, saved, traceCsv } from "./saving.js";

const TARGET = "pg-target"; // the chosen target is remembered under this name where that is allowed
const MAX_CHARS = 200_000;
const TYPING_MS = 300;
let nodes = null;
let tools = null;
let target = remembered();
let written = null; // the export on screen
let taken = null; // the preview on screen

/** Called when the section opens and at every new picture. */
export function render(host, view, given) {
  tools = given;
  if (!nodes) {
    nodes = build(host);
    for (const id of ["max-tokens", "stop-strings", "seed"]) document.getElementById(id)?.addEventListener("input", () => refresh());
  }
  refresh();
}

const refresh = latest(async () => {
  try {
    written = await post("export", { target, ...tools.knobs(), ...promptJson(), ...lengthJson() });
    show();
  } catch (error) {
    if (error.status === 400 && target) fallBack(error);
    else if (!error.ended) tools.problem(error);
  }
});

/** What cannot be written says why in the place of the text; the next knob may mend it. */
function fallBack(error) {
  written = null;
  nodes.code.textContent = error.message;
  nodes.losses.replaceChildren();
  nodes.hints.replaceChildren();
}

function show() {
  if (!nodes.select.length) {
    nodes.select.append(...written.targets.map(({ name, title }) => el("option", { value: name }, title)));
  }
  nodes.select.value = target = written.target;
  paint(nodes.code, written.text, written.language);
  nodes.file.textContent = written.file_name;
  list(nodes.losses, written.losses);
  list(nodes.hints, written.hints);
  nodes.kept.textContent = written.losses.length ? "" : `${written.title} can say all of this.`;
  nodes.lossesHead.hidden = !written.losses.length;
}

const list = (node, words) => node.replaceChildren(...words.map((one) => el("li", {}, one)));

const MARKS = /("""[\s\S]*?"""|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|#[^\n]*|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)/g;

/** Texts, numbers and remarks in their own colours; every piece goes in as text. */
function paint(node, text, language) {
  node.dataset.language = language;
  node.replaceChildren(...text.split(MARKS).map((piece, index) => {
    if (index % 2 === 0) return document.createTextNode(piece);
    const kind = piece[0] === "#" ? "remark" : "\"'".includes(piece[0]) ? "text" : "number";
    return el("span", { class: `pg-code-${kind}` }, piece);
  }));
}

function build(host) {
  const select = el("select", { id: "pg-target", "aria-label": "Where to take it", onchange: () => choose(select.value) });
  const code = el("code", { id: "pg-code" });
  const file = el("span", { class: "pg-quiet pg-file" });
  const lossesHead = el("h3", {}, "What gets lost there");
  const losses = el("ul", { class: "pg-losses", id: "pg-losses" });
  const hints = el("ul", { class: "pg-hints", id: "pg-hints" });
  const kept = el("p", { class: "pg-kept" });
  const button = (words, id, work) => el("button", { type: "button", class: "pg-button", id, onclick: work }, words);
  const paste = el("textarea", { id: "pg-paste", rows: "6", spellcheck: "false", maxlength: String(MAX_CHARS), "aria-label": "Settings to bring back",
    placeholder: "Paste a Modelfile, a curl call, JSON, YAML, Python, a command line ... or drop a file here", oninput: () => later(read) });
  const picker = el("input", { type: "file", class: "pg-sr", id: "pg-file-picker", tabindex: "-1", "aria-hidden": "true",
    onchange: () => { open(picker.files[0]); picker.value = ""; } });
  const assume = el("input", { type: "checkbox", id: "pg-assume", onchange: () => read() });
  const preview = el("div", { id: "pg-preview", "aria-live": "polite" });
  const apply = button("Take these", "pg-apply", takeThem);
  apply.disabled = true;
  host.replaceChildren(el("div", { class: "pg-take" },
    el("section", { class: "pg-panel", "aria-label": "Take away" },
      el("h2", {}, "Take away ", select, el("span", { class: "pg-right pg-buttons" },
        button("Copy", "pg-copy", copy), button("Download", "pg-download", () => written && saved(written.file_name, written.text)))),
      el("div", { class: "pg-code-and-notes" },
        el("div", { class: "pg-code-box" }, file, el("pre", { tabindex: "0", "aria-label": "The settings as text" }, code)),
        el("div", { class: "pg-notes" }, kept, lossesHead, losses, el("h3", {}, "Good to know"), hints))),
    el("section", { class: "pg-panel", "aria-label": "Bring back in" },
      el("h2", {}, "Bring back in ", el("span", { class: "pg-quiet" }, "settings of any of these engines; nothing in them is ever run")),
      paste, picker,
      el("div", { class: "pg-buttons" }, button("Open a file", "pg-open", () => picker.click()),
        el("label", { class: "pg-quiet" }, assume, " with what the engine does where nothing is said"), apply),
      preview),
    el("section", { class: "pg-panel", "aria-label": "This step as data" },
      el("h2", {}, "This step as data"),
      el("div", { class: "pg-buttons" },
        button("Trace as JSON", "pg-trace-json", () => tools.view && saved("trace.json", JSON.stringify(tools.view, null, 1))),
        button("Trace as CSV", "pg-trace-csv", () => tools.view && saved("trace.csv", traceCsv(tools.view))),
        button("Everything set, as JSON", "pg-state", wholeState)))));
  dropping(host);
  return { select, code, file, losses, lossesHead, hints, kept, paste, assume, preview, apply };
}

function choose(name) {
  target = name;
  try { localStorage.setItem(TARGET, name); } catch { /* the choice then lasts as long as the page */ }
  refresh();
}

function remembered() {
  try { return localStorage.getItem(TARGET) ?? ""; } catch { return ""; }
}

async function copy() {
  if (!written) return;
  if (!(await copied(written.text, nodes.code))) return tools.say("Copying is not allowed here; the text is selected.");
  tools.say("Copied.");
  const button = document.getElementById("pg-copy");
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

async function wholeState() {
  try {
    const all = await post("export", { target: "playground", ...tools.knobs(), ...promptJson(), ...lengthJson() });
    saved(all.file_name, all.text);
  } catch (error) {
    tools.problem(error);
  }
}

let typing = 0;
function later(work) {
  clearTimeout(typing);
  typing = setTimeout(work, TYPING_MS);
}

/** Ask what the pasted text would set, and show it; nothing is set yet. */
const read = latest(async () => {
  const text = nodes.paste.value;
  taken = null;
  nodes.apply.disabled = true;
  if (!text.trim()) return nodes.preview.replaceChildren();
  try {
    taken = await post("import", { text, assume: nodes.assume.checked });
    const part = (id, title, words) => (words.length ? [el("h3", {}, title), el("ul", { id }, ...words.map((one) => el("li", {}, one)))] : []);
    nodes.preview.replaceChildren(el("p", {}, "Read as ", el("b", {}, taken.title), "."),
      ...part("pg-taken", "Will be set", taken.words.length ? taken.words : ["Nothing: every stage is taken off the strip."]),
      ...part("pg-ignored", "Ignored", taken.ignored),
      ...part("pg-unsaid", "Not said there, so the engine would add", taken.unsaid));
    nodes.apply.disabled = false;
  } catch (error) {
    nodes.preview.replaceChildren(el("p", { class: "pg-refused" }, error.message));
  }
});

/** The preview becomes the page's settings: stages it does not have go off the strip, what it does not say stays. */
function takeThem() {
  if (!taken) return;
  const { state } = taken;
  const set = (id, value, how) => { if (value !== undefined) how(id, value); };
  set("prompt", state.prompt, controls.setWords);
  set("negative-prompt", state.negative, controls.setWords);
  set("system-prompt", state.system, controls.setWords);
  set("stop-strings", state.stop?.join("\n"), controls.setWords);
  set("max-tokens", state.max_tokens, controls.setNumber);
  set("seed", state.seed, controls.setNumber);
  if (state.scale !== undefined) {
    controls.setChecked("on-guidance", true);
    setRecipe(state.guidance);
    controls.setNumber("guidance-scale", state.scale);
  }
  state.strip.forEach(tools.setStage);
  tools.strip.replace(state.strip.map((stage) => stage.id));
  if (state.chat !== undefined) document.getElementById(state.chat ? "pg-mode-chat" : "pg-mode-completion").click();
  tools.say(`Taken from ${taken.title}: ${taken.words.length} settings, ${taken.ignored.length} ignored.`);
}

async function open(file) {
  if (!file) return;
  if (file.size > 4 * MAX_CHARS) {
    nodes.preview.replaceChildren(el("p", { class: "pg-refused" }, `${file.name} is larger than any settings file.`));
    return;
  }
  nodes.paste.value = await file.text();
  read();
}

function dropping(host) {
  const over = (on) => host.classList.toggle("pg-dropping", on);
  host.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  host.addEventListener("dragleave", () => over(false));
  host.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const [file] = event.dataTransfer.files;
    if (file) return open(file);
    nodes.paste.value = event.dataTransfer.getData("text");
    read();
  });
}
