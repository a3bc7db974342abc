// The tuning panel's fields: the settings of a run.
// Knows nothing about runs.

import { el, setAttr, setText } from "./dom.js";

function field(parent, words, input, title = "") {
  const label = el("label", "pg-tuning-field", parent);
  el("span", "", label, words);
  label.append(input);
  if (title) label.title = title;
  return input;
}

function number(value, low, high, step) {
  const input = el("input");
  Object.assign(input, { type: "number", value, min: low, max: high, step });
  return input;
}

function read(input, words) {
  const value = Number(input.value);
  if (input.value.trim() === "" || !Number.isFinite(value)) throw new Error(`${words} must be a number.`);
  return value;
}

/** Loss, passes, steps, rate; ``offer`` fills in what the server says. */
export function settingFields(form) {
  const box = el("fieldset", "pg-tuning-fields", form);
  el("legend", "pg-hidden", box, "The run");
  const what = el("div", "pg-tuning-what", box);
  const loss = field(what, "Divergence", el("select"));
  const summary = el("p", "pg-quiet pg-tuning-summary", what);
  summary.id = "pg-tuning-summary";
  setAttr(loss, "aria-describedby", summary.id);
  const numbers = el("div", "pg-tuning-numbers", box);
  const epochs = field(numbers, "Passes over the pool", number(2, 0, 64, 1));
  const steps = field(numbers, "Steps on its own texts", number(8, 0, 200, 1));
  const texts = field(numbers, "Texts a step", number(64, 2, 512, 1));
  const rate = field(numbers, "Learning rate", el("select"));
  for (const value of [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3]) rate.append(new Option(value.toString(), value));
  const rest = el("div", "pg-tuning-rest", box);
  const stopLabel = el("label", "pg-tuning-field pg-tuning-check", rest);
  const stop = el("input", "", stopLabel);
  Object.assign(stop, { type: "checkbox", checked: true });
  el("span", "", stopLabel, "go back to the best when held-out texts get worse");
  const resume = el("input");
  Object.assign(resume, { type: "text", maxLength: 32, placeholder: "its name, or empty", spellcheck: false });
  field(rest, "Go on from a kept adapter", resume, "The name it was kept under");
  const losses = new Map();
  loss.addEventListener("change", () => setText(summary, losses.get(loss.value)?.summary ?? ""));
  return {
    offer({ losses: offered, defaults }) {
      for (const one of offered) losses.set(one.name, one);
      loss.replaceChildren(...offered.map((one) => new Option(one.title, one.name)));
      loss.value = defaults.loss;
      loss.dispatchEvent(new Event("change"));
      Object.assign(epochs, { value: defaults.num_epochs });
      Object.assign(steps, { value: defaults.num_steps });
      Object.assign(texts, { value: defaults.texts_per_step });
      rate.value = String(defaults.learning_rate);
    },
    resume(name) {
      resume.value = name;
    },
    read: () => ({
      loss: loss.value,
      num_epochs: read(epochs, "Passes over the pool"),
      num_steps: read(steps, "Steps on its own texts"),
      texts_per_step: read(texts, "Texts a step"),
      learning_rate: Number(rate.value),
      patience: stop.checked ? 2 : 0,
      ...(resume.value.trim() ? { resume: resume.value.trim() } : {}),
    }),
  };
}
