// The decoder beside Generate: sample, or one of the searches with its parameters, or DoLa, which is a method of
// guidance under greedy. Knows nothing about what a search does; names, words and sliders are the server's.

import { setChecked, setNumber } from "./controls.js";
import { check, el, segment } from "./panels.js";
import { recipe } from "./recipe.js";

const PRESET = "guidance-preset";
let decoders = [];
let nodes = null;
let chosen = "sample";
const values = {}; // decoder -> parameter -> value, kept while another one is chosen

const facts = (name) => decoders.find((one) => one.name === name);
const isDola = () => recipe().preset?.startsWith("dola");

/** Build the picker into its host. given: the server's decoders, in order. */
export function furnish(host, given) {
  decoders = given;
  for (const one of decoders) values[one.name] = Object.fromEntries(one.params.map((param) => [param.name, param.default]));
  const picker = segment("Decoder", decoders.map((one) => ({ value: one.name, words: one.title, title: `${one.summary}\n${one.source}`,
    id: `pg-decoder-${one.name}` })), choose);
  nodes = { picker, params: el("span", { class: "pg-decoder-params" }), words: el("span", { class: "pg-quiet pg-decoder-words" }) };
  host.replaceChildren(el("div", { class: "pg-decoder" }, el("span", { class: "pg-quiet", "aria-hidden": "true" }, "Decoder"),
    picker, nodes.params, nodes.words));
  document.getElementById(PRESET)?.addEventListener("change", () => { if (chosen === "dola" && !isDola()) show("greedy"); });
  show("sample");
}

function choose(name) {
  if (name === "dola") method("dola");
  else if (chosen === "dola" && isDola()) method("cfg", 1);
  show(name);
}

/** Choose a method of guidance on its card, as a hand would. */
function method(name, scale) {
  const select = document.getElementById(PRESET);
  if (!select) return;
  setChecked("on-guidance", true);
  select.value = name;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  if (scale !== undefined) setNumber("guidance-scale", scale);
}

function show(name) {
  chosen = name;
  check(nodes.picker, name);
  const one = facts(name);
  nodes.params.replaceChildren(...one.params.map((param) => parameter(one, param)));
  nodes.words.textContent = one.summary;
  nodes.words.title = [one.formula, one.with_chain, one.source].filter(Boolean).join("\n");
  document.body.dataset.decoder = name;
}

function parameter(one, param) {
  const set = (value) => { values[one.name][param.name] = value; };
  const name = `${one.title}: ${param.label}`;
  if (param.kind === "choice") {
    const select = el("select", { "aria-label": name, onchange: () => set(select.value) },
      ...param.choices.map(([value, words]) => el("option", { value, title: words }, value)));
    select.value = values[one.name][param.name];
    return el("label", { class: "pg-quiet", title: param.choices.map((choice) => choice.join(": ")).join("\n") }, param.label, select);
  }
  const input = el("input", { type: "number", min: param.low, max: param.high, step: param.step, "aria-label": name,
    value: values[one.name][param.name],
    onchange: () => {
      const value = Math.min(param.high, Math.max(param.low, Number(input.value)));
      if (Number.isFinite(value)) set(value);
      input.value = values[one.name][param.name];
    } });
  return el("label", { class: "pg-quiet", title: param.help }, param.label, input);
}

/** The search as the server reads it, or null: tokens are drawn. */
export function search() {
  if (chosen === "sample" || !nodes) return null;
  return chosen === "dola" ? { search: "greedy" } : { search: chosen, ...values[chosen] };
}

/** Put a remembered or an example's search back. */
export function setSearch(given) {
  if (!nodes) return;
  const name = given?.search ?? "sample";
  if (facts(name)) Object.assign(values[name], Object.fromEntries(Object.entries(given ?? {}).filter(([key]) => key in values[name])));
  show(name === "greedy" && isDola() ? "dola" : facts(name) ? name : "sample");
}
