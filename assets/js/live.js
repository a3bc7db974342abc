// Live: a knob moves and the picture follows; the prompt changes and the model is asked.
// Knows nothing about generated text beyond what it must clear.

import { latest, post } from "./api.js";
import { knobs, promptJson } from "./knobs.js";
import { page, plotly, problem, settled } from "./page.js";
import { paint } from "./picture.js";
import { draw as drawPlot } from "./plot.js";
import { cleared, departed, force } from "./text.js";

let prompted = ""; // the prompt boxes as the model last read them

export const promptChanged = () => JSON.stringify(promptJson()) !== prompted;

/** Redraw the step on screen under the present knobs: no model call, unless its rows have left the store. */
export const retrace = latest(async () => {
  if (!page.key) return;
  try {
    const body = { key: page.key, ...knobs() };
    let view = await post("trace", body);
    if (view.missing) {
      document.body.dataset.stale = "true"; // the last picture stays, marked
      view = await post("trace", { ...body, refill: true });
    }
    settled();
    if (view.key === page.key) paint(view, force);
  } catch (error) {
    if (error.ended) ask();
    else problem(error);
  } finally {
    delete document.body.dataset.stale;
  }
});

/** Ask the model for the distribution after the prompt. */
export const ask = latest(async () => {
  const prompt = promptJson();
  const same = !promptChanged(); // asked again in a new session: the text on screen stays
  const before = page.run;
  try {
    const view = await post("next", { ...prompt, ...knobs() });
    prompted = JSON.stringify(prompt);
    settled();
    page.key = view.key;
    if (page.run !== before) page.tokens.setPrompt(view.prompt_tokens); // a text has begun meanwhile
    else if (same && before) departed(view.prompt_tokens);
    else cleared(view.prompt_tokens);
    page.promptText = view.rendered[0][1];
    paint(view, force);
  } catch (error) {
    problem(error);
  }
});

/** The precomputed first view: it stands until the prompt changes. */
export function showFirst(first) {
  page.key = first.view.key;
  page.promptText = promptJson().prompt;
  prompted = JSON.stringify(promptJson());
  cleared(first.prompt_tokens);
  paint(first.view, force);
}

/** p(token) against the scale, while somebody looks at it. */
export const scalePlot = latest(async () => {
  if (!page.key || !page.nodes.scaleDetails.open) return;
  try {
    const figure = await post("scale", { key: page.key, ...knobs() });
    await plotly();
    drawPlot(page.nodes.scalePlot, figure);
  } catch (error) {
    if (!error.ended) problem(error);
  }
});
