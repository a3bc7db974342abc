// What the page's scripts share: the step being looked at, the nodes, the text on screen. One tab, one of these.
// Knows nothing about controls or drawing.

import { loadScript } from "./api.js";
import { createLight } from "./light.js";

export const page = {
  start: null, // what the server said at the beginning: registry, orders, examples
  nodes: {},
  heads: new Map(), // card id -> {card, drawing, note, grip}
  strip: null,
  tokens: null,
  light: createLight(),
  view: null, // the picture on screen
  key: null, // the step being looked at
  promptText: "", // the prompt as the model reads it
  run: null, // the generation on screen: {id, steps: Map(index -> token), follow}
  mode: "completion",
  chartScale: "linear",
  hold: false, // rows keep their order while a slider moves
};

/** A stage's title for people, from its id: "Min-p", its second copy "Min-p 2" (min_p--2). */
export function title(id) {
  const [name, copy] = id.split("--");
  const words = { guidance: "Guidance", draw: "Draw" }[name] ?? page.start.registry[name]?.title ?? name;
  return copy ? `${words} ${copy}` : words;
}

export const plotly = () => loadScript("pg/vendor/plotly.min.js");

/** Show what went wrong, in the server's own words; nothing on the page is lost. */
export function problem(error) {
  const node = document.getElementById("pg-problem");
  if (error.lost) document.body.dataset.lost = "true";
  node.firstElementChild.textContent = error.message;
  node.hidden = false;
}

export const settled = () => {
  document.getElementById("pg-problem").hidden = true;
  delete document.body.dataset.lost;
};

const STANDS_MS = 800; // a sentence is read out once it has stood this long, never at every frame of a drag
let sentence = "";
let standing = 0;

/** The live sentence changed; a screen reader hears the one that stays. */
export function announce(words) {
  if (words === sentence) return;
  sentence = words;
  clearTimeout(standing);
  standing = setTimeout(() => say(words), STANDS_MS);
}

let saying = 0;
/** Tell a screen reader. */
export function say(words) {
  clearTimeout(saying);
  saying = setTimeout(() => { page.nodes.say.textContent = words; }, 50);
}
