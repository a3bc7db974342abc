// What a collection's figures mean, in sentences: what it will take, how it goes, whether the fresh texts bear the pool out.
// Knows nothing about nodes or requests.

import { count, duration, percent, short } from "./format.js";

const plain = (value, unit) => `${Number(value.toPrecision(4))} ${unit}`.trim();

/** Before it starts. beta: the pool's figures at this β; rule: as it stands in the boxes; perS: texts a second, if known. */
export function promised(beta, { num_accepted: wanted, max_proposals: most, precision }, perS) {
  if (beta.per_accepted === null) return "Nothing of this pool is accepted at this β.";
  const each = `This pool expects ${beta.per_accepted.toFixed(beta.per_accepted < 10 ? 1 : 0)} proposals for each accepted text`;
  const long = (texts) => (perS > 0 ? `, some ${duration(texts / perS)} if nobody else writes` : "");
  if (!(most > 0)) return `${each}.`;
  const needed = wanted > 0 ? beta.per_accepted * wanted : Infinity;
  const surely = precision > 0 ? Math.max(10, (1.96 / precision) ** 2 * (1 - beta.acceptance_rate)) * beta.per_accepted : Infinity;
  const first = Math.min(needed, surely, most);
  if (first === needed) return `${each}: about ${count(needed)} for ${count(wanted)}${long(needed)}.`;
  const expected = `about ${count(first / beta.per_accepted)} accepted of ${count(first)}${long(first)}`;
  if (first === surely) return `${each}. That the rate is known so well comes first: ${expected}.`;
  return wanted > 0 ? `${each}. The limit of proposals comes first: ${expected}.` : `${each}: ${expected}.`;
}

/** What it collects for, as it was when it began. */
export function aim(view) {
  const targets = view.means.map((one) => {
    if (one.exponent === "inf") return `only texts with ${one.label}`;
    if (one.exponent === "-inf") return `only texts without ${one.label}`;
    return `${one.label} ${one.yes_no ? percent(one.target) : plain(one.target, one.unit)}`;
  });
  const prompts = view.prompts.map((prompt) => `“${prompt.length > 60 ? `${prompt.slice(0, 60)}…` : prompt}”`).join(", ");
  return `Collected for ${targets.join("; ")}, at β = ${short(Math.exp(view.log_beta))}, from ${view.label}, after ${prompts}.`;
}

/** [[figure, what it is], ...]: the acceptance rate beside the pool's word, and how far from the target the fresh texts see it. */
export function figures(view) {
  const { rate: expected, between: [least, most], tvd } = view.promised;
  const here = view.rate === null ? "–" : percent(view.rate);
  const far = view.tvd === null ? "–" : view.tvd.toFixed(3);
  return [[here, `accepted here (95\u00a0% interval ${percent(view.low)} to ${percent(view.high)})`],
    [percent(expected), `promised by the pool (${percent(least)} to ${percent(most)})`],
    [far, `TVD from the target, by these fresh proposals (${tvd.toFixed(3)} by the pool)`]];
}

/** What stopping there does to the rate; empty where nothing. */
export function bias(view) {
  if (view.unbiased !== null && view.unbiased < view.rate) {
    return `It stopped at an accepted text, so ${count(view.num_accepted)} of ${count(view.num_proposed)} says a little too much on `
      + `average; (k − 1)/(N − 1) = ${percent(view.unbiased)} does not. The interval holds all the same.`;
  }
  return view.reason === "precise" ? "It stopped because the interval was narrow enough, which makes it a little too narrow." : "";
}

/** What proposals that nobody had seen say of the pool's claims. */
export function test(view) {
  if (!view.num_proposed) return "";
  const lost = view.num_left_out ? ` ${count(view.num_left_out)} could not be read and were rejected: ${view.reasons.join("; ")}` : "";
  const fresh = `${count(view.num_proposed)} fresh proposals lay above β`;
  if (!view.num_above) return `None of these ${fresh}: as far as they can tell, the accepted follow the target exactly.${lost}`;
  return `${count(view.num_above)} of these ${fresh}, up to ${short(view.largest)} times: such texts are accepted less often than the `
    + `target asks.${lost}`;
}

/** One feature among the accepted. */
export function means(one) {
  const show = (value) => (one.yes_no ? percent(value) : plain(value, one.unit));
  const interval = one.low === null ? "" : ` (95 % interval ${show(one.low)} to ${show(one.high)})`;
  return `${one.label}: ${show(one.mean)} of the accepted${interval}; at this β the pool says ${show(one.at_beta)}, the target is ${show(one.target)}.`;
}
