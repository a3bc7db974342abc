// The form that adds a feature: its kind, what the kind asks for, and whether its mean counts or how often it is so.
// Knows nothing about what a feature computes; kinds, fields and choices come from the server's registry.

import { post } from "./api.js";
import { setText } from "./dom.js";
import { el } from "./panels.js";

export function createForm(kinds, add) {
  const select = el("select", { id: "pg-control-kind" }, ...kinds.map((kind) => el("option", { value: kind.name, title: kind.help }, kind.title)));
  const fields = el("span", { class: "pg-control-fields" });
  const counted = el("select", { name: "counted", "aria-label": "What counts of this feature" },
    el("option", { value: "mean" }, "its mean"), el("option", { value: "at_least" }, "how often it is at least"));
  const least = el("input", { type: "number", step: "any", name: "value", "aria-label": "At least", required: true });
  const not = el("input", { type: "checkbox", name: "not" });
  const notLabel = el("label", {}, not, " not");
  const and = el("select", { name: "and", "aria-label": "Alone, or together with a feature that is there" });
  const help = el("p", { class: "pg-quiet" });
  const refusal = el("p", { class: "pg-form-refusal", role: "alert", hidden: true });
  const button = el("button", { type: "submit", class: "pg-button" }, "Add feature");
  const root = el("form", { class: "pg-control-form pg-control-add" }, el("label", {}, "Feature ", select), fields, counted,
    least, notLabel, and, button, help, refusal);
  const chosen = () => kinds.find((kind) => kind.name === select.value);
  const control = (name) => fields.querySelector(`[name="${name}"]`);

  function choose() {
    const kind = chosen();
    help.textContent = kind.help;
    refuse("");
    counted.hidden = kind.yes_no;
    counted.value = "mean";
    least.value = kind.name === "classifier" ? 0.5 : "";
    fields.replaceChildren(...kind.fields.map((field) => drawn(kind, field)));
    for (const field of kind.fields) if (field.asks) listen(kind, field);
    weigh();
  }

  /** "not" stands at what is so or not. */
  function weigh() {
    const isMean = counted.hidden || counted.value === "mean";
    least.hidden = least.disabled = isMean;
    notLabel.hidden = isMean && !chosen().yes_no;
  }

  /** A field whose choices the server knows once the one before is chosen. */
  function listen(kind, field) {
    const [first, second] = [control(kind.fields[0].name), control(field.name)];
    const fill = async () => {
      second.disabled = button.disabled = true;
      second.replaceChildren(el("option", { value: "" }, "asking for its labels…"));
      try {
        const asked = first.value;
        const answer = await post(`control/${field.asks}`, { [first.name]: asked });
        if (first.value !== asked || !second.isConnected) return;
        second.replaceChildren(...answer.labels.map((label) => el("option", { value: label }, label)));
        second.disabled = button.disabled = false;
        refuse("");
      } catch (error) {
        if (!second.isConnected) return;
        second.replaceChildren(el("option", { value: "" }, "no labels"));
        refuse(error.message);
      }
    };
    first.addEventListener("change", fill);
    fill();
  }

  /** Why the last feature was not taken; empty where it was. */
  function refuse(words) {
    refusal.hidden = !words;
    setText(refusal, words);
  }

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    refuse("");
    const kind = chosen();
    let feature = { feature: kind.name };
    for (const field of kind.fields) feature[field.name] = value(control(field.name));
    if (!least.hidden) feature = { feature: "at_least", of: feature, value: Number(least.value) };
    if (not.checked && !notLabel.hidden) feature = { feature: "not", of: feature };
    add(feature, and.value === "" ? null : Number(and.value));
    not.checked = false;
    and.value = "";
    for (const input of fields.querySelectorAll("input[type=text]")) input.value = "";
  });
  select.addEventListener("change", () => {
    button.disabled = false;
    choose();
  });
  counted.addEventListener("change", weigh);
  choose();
  /** The features that are there, by their labels: a new one may count only together with one of them. */
  function known(labels) {
    const key = labels.join("\n");
    if (and.dataset.key === key) return;
    and.dataset.key = key;
    and.replaceChildren(el("option", { value: "" }, "by itself"), ...labels.map((label, at) => el("option", { value: at }, `and ${label}`)));
  }
  known([]);
  return { root, refuse, known };
}

const value = (input) => (input.type === "checkbox" ? input.checked : input.type === "number" ? Number(input.value) : input.value);

function drawn(kind, field) {
  const words = `${kind.title}: ${field.help}`;
  if (field.kind === "flag") {
    return el("label", {}, el("input", { type: "checkbox", name: field.name, checked: field.default }), ` ${field.help}`);
  }
  if (field.choices || field.asks) {
    return el("select", { name: field.name, required: true, "aria-label": words },
      ...(field.choices ?? []).map((choice) => el("option", { value: choice }, choice)));
  }
  const isText = field.kind === "text" || field.kind === "words";
  return el("input", {
    type: isText ? "text" : "number", name: field.name, required: true, placeholder: field.help, "aria-label": words,
    value: field.default, min: field.kind === "whole" ? field.low : null, max: field.kind === "whole" ? field.high : null,
    step: field.kind === "number" ? "any" : null, maxlength: isText ? (field.kind === "words" ? 3000 : 300) : null,
  });
}
