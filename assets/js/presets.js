// Presets: an engine's order and rules, or its default values, put on the strip.
// Knows nothing about particular engines or stages.

import { setStage } from "./knobs.js";
import { page, say } from "./page.js";

const nameOf = (id) => id.split("--")[0];

/** The cards as they are, in the order of an engine and by its own rules. */
export function useOrder(name) {
  arrange(name, page.strip.order);
  say(`The stages stand in the order of ${name}.`);
}

/** What the engine does where nothing is set: its stages with its values, every other card off. */
export function useDefaults(name) {
  const values = new Map(page.start.orders[name].defaults.map(({ sampler, ...params }) => [sampler, params]));
  const order = [...new Set([...page.strip.order, ...values.keys()])];
  for (const id of order) setStage({ id, on: values.has(id), ...values.get(id) });
  arrange(name, order);
  say(`The strip has the default values of ${name}.`);
}

function arrange(name, order) {
  const { stages, rules } = page.start.orders[name];
  const place = (id) => (stages.indexOf(nameOf(id)) + stages.length + 1) % (stages.length + 1);
  for (const id of order) if (nameOf(id) in rules) setStage({ id, flavour: rules[nameOf(id)] });
  page.strip.replace([...order].sort((a, b) => place(a) - place(b)));
}
