// The picture: one view of one step, given to every drawn module.
// Knows nothing about where the view comes from.

import { render as drawCard } from "./card.js";
import { setText } from "./dom.js";
import { count } from "./format.js";
import { render as drawFormula } from "./formula.js";
import { render as drawGuidance } from "./guidance.js";
import { render as drawHeadline } from "./headline.js";
import { render as drawJourney } from "./journey.js";
import { announce, page, title } from "./page.js";
import { draw as drawPlot } from "./plot.js";
import { render as drawRendered } from "./rendered.js";
import { render as drawRibbon } from "./ribbon.js";
import { render as drawRows } from "./rows.js";
import { render as drawRuler } from "./ruler.js";
import { follow } from "./sections.js";
import { render as drawSentence } from "./sentence.js";
import { render as drawTable } from "./table.js";

const narrow = matchMedia("(max-width: 760px)");
let painted = 0;

/** Draw a view on the next frame; `onForce(tokenId)` is what a click on a bar does. */
export function paint(view, onForce) {
  page.view = view;
  requestAnimationFrame(() => draw(view, onForce));
  follow();
}

export function draw(view, onForce) {
  const { nodes, light, hold, chartScale } = page;
  drawSentence(nodes.sentence, view.sentence);
  announce((view.sentence || []).map((fragment) => fragment.text).join(""));
  drawHeadline(nodes.headline, view);
  nodes.after.textContent = view.title ? `After “${view.title}”` : "Next token";
  nodes.rows.hidden = chartScale === "rank";
  nodes.plot.hidden = chartScale !== "rank";
  if (chartScale !== "rank") drawRows(nodes.rows, view, { scale: chartScale, light, hold, stageTitle: title, onForce });
  else if (view.figures?.rank) drawPlot(nodes.plot, view.figures.rank);
  drawRuler(nodes.ruler, view.dart, { light });
  drawCards(view);
  drawGuidance(nodes.marks, view.guidance, { light, hold });
  drawFormula(nodes.formula, view.guidance);
  drawRendered(nodes.rendered, page.promptText, view.guidance);
  setText(nodes.axisNote, `cards: log probability against log rank, all ${count(view.vocabulary_size)} tokens`);
  if (nodes.inspector.open) drawTable(nodes.table, view, { light, hold, stageTitle: title });
  const { dataset } = document.body;
  dataset.key = view.key;
  dataset.guidance = view.guidance?.preset ?? "";
  dataset.recomputed = String(view.recomputed);
  dataset.painted = String(++painted);
}

/** What a card says below its knobs: its coin or its memory, and whose rule it follows. */
function noteOf(stage) {
  const facts = stage.on ? page.start.registry[stage.name].params : {};
  const rules = Object.entries(facts).filter(([, fact]) => fact.kind === "choice").map(([name, fact]) => {
    const value = stage.params[name] ?? fact.default;
    return `${value}: ${fact.choices.find(([one]) => one === value)?.[1] ?? ""}.`;
  });
  return [stage.note, ...rules].filter(Boolean).join(" ");
}

function drawCards(view) {
  const { nodes, heads, light } = page;
  const stacked = narrow.matches;
  for (const stage of view.stages) {
    const head = heads.get(stage.id);
    if (!head) continue;
    head.card.classList.toggle("pg-off", !stage.on);
    drawCard(head.drawing, stage, { view, light, stacked });
    if (stage.id !== "guidance") setText(head.note, noteOf(stage));
  }
  drawRuler(heads.get("draw").drawing, view.dart, { light });
  const cost = view.guidance?.cost_ms;
  const own = ["cfg", "negative"].includes(view.guidance?.preset ?? "cfg") ? "" : ` · ${view.guidance.scale_is}`;
  setText(heads.get("guidance").note, `1 = off${own}${cost > 0.5 ? ` · +${cost.toFixed(0)} ms a step` : ""}`);
  drawRibbon(nodes.ribbon, view.stages, { card: (id) => heads.get(id)?.card ?? null, stacked });
  const hint = narrow.matches ? "Touch the ring beside a token to follow it." : undefined;
  drawJourney(nodes.journey, view, { light, hint, stageTitle: title });
}
