// The knobs as values: what the controls say, in the form the server understands, and back into the controls.
// Knows nothing about when they are asked.

import * as controls from "./controls.js";
import { page } from "./page.js";
import { search, setSearch } from "./decoder.js";
import { recipe, setRecipe } from "./recipe.js";

const copyOf = (id) => (id.includes("--") ? `--${id.split("--")[1]}` : "");
const switchOf = (id) => `on-${id.split("--")[0]}${copyOf(id)}`;
const paramsOf = (id) => Object.entries(page.start.registry[id.split("--")[0]].params);
const knobOf = (id, parameter) => `knob-${id.split("--")[0]}-${parameter}${copyOf(id)}`;

function stage(id) {
  const values = paramsOf(id).map(([parameter, facts]) => {
    const element = knobOf(id, parameter);
    return [parameter, read(element, facts)];
  });
  return { id, on: controls.checked(switchOf(id)), ...Object.fromEntries(values) };
}

function read(element, { kind }) {
  if (kind === "number") return controls.number(element);
  if (kind === "choice") return controls.choice(element);
  return parsed(controls.words(element), kind);
}

const HOW = {
  biases: 'Write the bias as JSON, like {"42": -5}: a token id and a number.',
  tokens: "Write the tokens as a list of ids, like [42, 7].",
  texts: 'Write the texts as a JSON list, like ["\\n", ":"].',
};

function parsed(text, kind) {
  if (!text.trim()) return kind === "biases" ? {} : [];
  if (kind === "tokens" && /^[\d\s,]+$/.test(text)) return text.match(/\d+/g).map(Number);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(HOW[kind]);
  }
}

/** Everything a redraw depends on. Throws an Error with words for people where a text box cannot be read. */
export const knobs = () => ({
  strip: page.strip.order.map(stage),
  scale: controls.checked("on-guidance") ? controls.number("guidance-scale") : 1,
  guidance: recipe(),
  seed: Math.max(0, Math.floor(controls.number("seed")) || 0),
  pins: [...page.light.pinned],
  figures: page.chartScale === "rank" ? ["rank"] : [],
});

export const promptJson = () => ({
  prompt: controls.words("prompt"),
  negative: controls.words("negative-prompt"),
  chat: page.mode === "chat",
  system: controls.words("system-prompt"),
});

export const lengthJson = () => ({
  max_tokens: controls.number("max-tokens"),
  stop: controls.words("stop-strings").split("\n").filter(Boolean),
  search: search(),
});

/** One card's values, {id, on, parameter: value}; what is not said stays. */
export function setStage(values) {
  if ("on" in values) controls.setChecked(switchOf(values.id), values.on);
  for (const [parameter, facts] of paramsOf(values.id)) {
    if (!(parameter in values)) continue;
    const element = knobOf(values.id, parameter);
    if (facts.kind === "number") controls.setNumber(element, values[parameter]);
    else if (facts.kind === "choice") controls.setChoice(element, values[parameter]);
    else controls.setWords(element, JSON.stringify(values[parameter]));
  }
}

/** Names for people and screen readers: which stage a slider belongs to, and what its ends mean. */
export function nameKnobs(id, title) {
  for (const [parameter, facts] of paramsOf(id)) {
    const element = controls.host(knobOf(id, parameter));
    if (!element) continue;
    element.title = facts.help ?? "";
    if (facts.kind === "choice") {
      for (const [value, meaning] of facts.choices) controls.option(knobOf(id, parameter), value)?.closest("label").setAttribute("title", meaning);
      element.querySelector("fieldset")?.setAttribute("aria-label", `${title}: ${facts.label}`);
      continue;
    }
    const same = title.startsWith(facts.label);
    for (const input of element.querySelectorAll("input, textarea")) {
      input.setAttribute("aria-label", (same ? title : `${title}: ${facts.label}`) + (input.type === "number" ? ", as a number" : ""));
    }
  }
}

/** Everything a person has set, as an example's state: what survives a server that goes away. */
export const state = () => ({
  ...promptJson(), ...lengthJson(), seed: controls.number("seed"), scale: controls.number("guidance-scale"),
  guided: controls.checked("on-guidance"), guidance: recipe(), strip: page.strip.order.map(stage), search: search(),
});

/** Put an example's state into the controls. */
export function setControls(state) {
  controls.setWords("prompt", state.prompt);
  controls.setWords("negative-prompt", state.negative);
  controls.setWords("system-prompt", state.system);
  controls.setChecked("on-guidance", state.guided ?? true);
  if (state.stop) controls.setWords("stop-strings", state.stop.join("\n"));
  setRecipe(state.guidance);
  setSearch(state.search);
  controls.setNumber("guidance-scale", state.scale);
  controls.setNumber("max-tokens", state.max_tokens);
  controls.setNumber("seed", state.seed);
  state.strip.forEach(setStage);
  page.strip.replace(state.strip.map((one) => one.id));
}

export function neutralise() {
  controls.setNumber("guidance-scale", 1);
  for (const id of page.strip.order) setStage({ id, on: false });
}
