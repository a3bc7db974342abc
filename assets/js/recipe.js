// The recipe of guidance on its card: which published method, what the other branch reads, when it acts and how
// strongly. Knows nothing about what a method computes; presets and sliders are the server's.

import * as controls from "./controls.js";
import { el, setClass, setText } from "./dom.js";
import { page } from "./page.js";

const SLIDERS = { // each slider of the card: when it is shown, and where its value belongs in the JSON
  k: (now, preset) => now.context === "last" || (now.context === "other" && (now.more || preset.k > 1)
    && !controls.words("negative-prompt")),
  heat: (now, preset) => preset.knobs.includes("heat"),
  mask: (now, preset) => now.more || preset.mask > 0,
  bits: (now) => now.gate === "entropy",
  tokens: (now) => now.gate === "first",
  start: (now) => now.schedule === "linear",
  end: (now) => now.schedule === "linear",
  over: (now) => now.schedule === "linear",
  floor: (now) => now.schedule === "divergence",
  rate: (now) => now.schedule === "decay" || now.schedule === "growth",
  limit: (now) => now.schedule === "growth",
};
const sliderOf = (name) => `guidance-knob-${name}`;
const number = (name) => controls.number(sliderOf(name));

let nodes = null;
let quiet = false;
let presets = null;
let now = { preset: "cfg", context: "other", gate: "always", schedule: "constant", more: false };

/** Build the selects into the guidance card. facts: {presets, contexts, gates, schedules}; changed() after each. */
export function furnish(card, facts, changed) {
  presets = facts.presets;
  const head = card.querySelector(".pg-card-head");
  const choose = (id, label, options, onChange) => {
    const select = el("select", "pg-recipe-select");
    select.id = id;
    select.setAttribute("aria-label", label);
    for (const [value, words, off] of options) {
      const option = el("option", "", select, words);
      option.value = value;
      option.disabled = Boolean(off);
    }
    select.addEventListener("change", () => { onChange(select.value); show(); changed(); });
    return select;
  };
  const preset = choose("guidance-preset", "Method of guidance", Object.entries(presets).map(([name, facts]) =>
    [name, facts.missing_models ? `${facts.title}: needs ${facts.missing_models} more model${facts.missing_models > 1 ? "s" : ""}`
      : facts.title, facts.missing_models]), adopt);
  head.insertBefore(preset, head.lastElementChild);
  const more = el("details", "pg-recipe", card);
  el("summary", "", more, "What, when and how strongly");
  const labelled = (words, select) => {
    const label = el("label", "pg-quiet", more, words);
    label.append(select);
    return select;
  };
  nodes = {
    card, preset, more,
    help: el("p", "pg-recipe-help pg-quiet"),
    context: labelled("The other branch reads", choose("guidance-context", "What the other branch reads",
      facts.contexts, (value) => { now.context = value; })),
    gate: labelled("Guide", choose("guidance-gate", "When to guide", facts.gates, (value) => { now.gate = value; })),
    schedule: labelled("Strength", choose("guidance-schedule", "How the strength goes", facts.schedules,
      (value) => { now.schedule = value; })),
  };
  more.append(nodes.help);
  nodes.context.addEventListener("focus", show); // the mode may have changed
  more.addEventListener("toggle", () => { now.more = more.open; show(); });
  document.getElementById("negative-prompt").addEventListener("input", show);
  for (const [name, fact] of Object.entries(facts.knobs)) {
    const host = controls.host(sliderOf(name));
    for (const input of host?.querySelectorAll("input") ?? []) input.setAttribute("aria-label", `Guidance: ${fact.label}`);
    if (host) host.title = fact.help;
  }
  show();
}

/** A preset at its published settings, its scale included. */
function adopt(name) {
  const preset = presets[name];
  now = { ...now, preset: name, context: preset.context, gate: preset.gate.kind, schedule: preset.schedule.kind };
  fill(preset);
}

/** Sliders to given values, quietly: what they say together is asked once, when all stand. */
function fill(given) {
  quiet = true;
  setAll(given);
  quiet = false;
}

/** Whether the sliders are being filled just now. */
export const isQuiet = () => quiet;

function setAll(given) {
  const { gate = {}, schedule = {} } = given;
  const values = { k: given.k, heat: given.temperature, mask: given.mask, bits: gate.bits, tokens: gate.tokens,
    start: schedule.start, end: schedule.end, over: schedule.tokens, floor: schedule.floor, rate: schedule.rate,
    limit: schedule.limit };
  if (given.scale !== undefined) controls.setNumber("guidance-scale", given.scale);
  for (const name in values) if (values[name] !== undefined) controls.setNumber(sliderOf(name), values[name]);
}

/** The card as the recipe stands: selects, the sliders that matter, what the second text box means. */
function show() {
  const preset = presets[now.preset];
  nodes.preset.value = now.preset;
  nodes.preset.title = `${preset.summary}\n${preset.formula}\n${preset.scale_is}\n${preset.source}`;
  nodes.context.value = now.context;
  nodes.gate.value = now.gate;
  const label = document.querySelector("#guidance-scale label span, #guidance-scale [data-testid='block-info']");
  if (label) setText(label, preset.scale_is === "the scale is γ" ? "CFG scale" : "Scale");
  nodes.schedule.value = now.schedule;
  nodes.context.disabled = now.context === "prompt";
  nodes.context.querySelector("[value=no_system]").disabled = page.mode !== "chat";
  for (const name in SLIDERS) {
    const host = controls.host(sliderOf(name));
    if (host) setClass(host, "pg-shown-knob", Boolean(SLIDERS[name](now, preset)));
  }
  setText(nodes.help, `${preset.summary} ${preset.formula}; ${preset.scale_is}. ${preset.source}`);
  const box = document.getElementById("negative-prompt");
  const reads = ["other", "before", "after"].includes(now.context);
  const caption = box?.querySelector("label span, [data-testid='block-info']");
  const words = reads ? (preset.text || "Other text") : "Other text · not read by this method";
  if (caption) setText(caption, words === "Negative prompt" ? "Negative prompt · steer away from" : words);
  const input = box?.querySelector("textarea");
  if (input) input.placeholder = !reads ? "" : preset.default_text ? `Empty: ${preset.default_text}`
    : now.context === "other" ? "Empty: the end of the prompt alone" : "Empty: nothing is added";
}

/** The recipe as the server reads it; the plain CFG of a first visit is its scale alone. */
export function recipe() {
  const gate = { kind: now.gate };
  if (now.gate === "entropy") gate.bits = number("bits");
  if (now.gate === "first") gate.tokens = number("tokens");
  const schedule = { kind: now.schedule };
  const wanted = { linear: ["start", "end"], divergence: ["floor"], decay: ["rate"], growth: ["rate", "limit"] };
  for (const name of wanted[now.schedule] ?? []) schedule[name] = number(name);
  if (now.schedule === "linear") schedule.tokens = number("over");
  const json = { preset: now.preset, context: now.context, k: number("k"), mask: number("mask"), gate, schedule };
  if (SLIDERS.heat(now, presets[now.preset])) json.temperature = number("heat");
  return json;
}

/** Put a remembered recipe back; what is not there stands at the preset's own. */
export function setRecipe(given) {
  const name = given?.preset in presets ? given.preset : "cfg";
  adopt(name);
  now.context = given?.context ?? now.context;
  now.gate = given?.gate?.kind ?? now.gate;
  now.schedule = given?.schedule?.kind ?? now.schedule;
  fill(given ?? {});
  show();
}

/** The words of the preset in force, for the panel. */
export const presetFacts = () => presets?.[now.preset] ?? page.start?.guidance?.presets.cfg;
