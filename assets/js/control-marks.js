// A text with what the features found in it marked. Text goes in as text alone, whatever it holds.
// Knows nothing about features: spans count code points, as the server does, not UTF-16 units.

import { el } from "./panels.js";

/**
 * node: any element; text: the words; marks: [[start, end, feature]], none over another, in order; values: the
 * features' values of this text, 0 where what was found is not enough; names: the features' names.
 */
export function drawMarked(node, text, marks, values, names) {
  const key = JSON.stringify([text, marks, marks.map(([, , feature]) => values[feature] > 0)]);
  if (node.pgMarked === key) return;
  node.pgMarked = key;
  node.replaceChildren(...pieces(text, marks).map(([words, feature]) => {
    if (feature === null) return document.createTextNode(words);
    const met = values[feature] > 0;
    const name = names[feature] ?? "";
    return el("mark", { class: met ? "pg-mark-met" : "pg-mark-part", "data-feature": feature,
      title: met ? name : `${name}: found, but not as wanted` }, words);
  }));
}

/** [[words, feature or null], ...] that make up the whole text. */
export function pieces(text, marks) {
  if (!marks.length) return [[text, null]];
  const points = Array.from(text);
  const made = [];
  let at = 0;
  for (const [start, end, feature] of marks) {
    if (start > at) made.push([points.slice(at, start).join(""), null]);
    made.push([points.slice(start, end).join(""), feature]);
    at = end;
  }
  if (at < points.length) made.push([points.slice(at).join(""), null]);
  return made;
}
