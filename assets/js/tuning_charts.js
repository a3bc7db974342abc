// The curves of a tuning: four small charts, each with its lines in words under its title.
// Knows nothing about runs; the figures come whole from the server, their lines' names as text beside them.

import { el, setAttr } from "./dom.js";
import { plotly } from "./page.js";
import { draw } from "./plot.js";

const TITLES = { distance: "Distance, nats", mass: "Mass of the target, Z", shares: "Shares", moments: "Means of the features" };
const DASHES = { dash: "dashed", dot: "dotted" };

export function charts(parent) {
  const root = el("div", "pg-tuning-charts", parent);
  const parts = Object.entries(TITLES).map(([name, title]) => {
    const figure = el("figure", "", root);
    el("figcaption", "", figure, title);
    const legend = el("ul", "pg-tuning-legend", figure);
    const node = el("div", "pg-tuning-chart", figure);
    setAttr(node, "role", "img");
    return { name, title, legend, node, explained: "" };
  });

  async function paint(figures, steps) {
    await plotly();
    for (const part of parts) {
      setAttr(part.node, "aria-label", `${part.title} over ${steps} gradient steps; the meters above say where it stands.`);
      explain(part, figures[part.name].data);
      draw(part.node, figures[part.name]);
    }
  }

  return { root, paint };
}

/** Each line's name beside a stroke as it is drawn. */
function explain(part, lines) {
  const key = JSON.stringify(lines.map(({ meta, line }) => [meta, line]));
  if (key === part.explained) return;
  part.explained = key;
  part.legend.replaceChildren(...lines.map(({ meta, line }) => {
    const item = el("li");
    const stroke = el("i", "", item);
    stroke.style.borderTopColor = line.color;
    stroke.style.borderTopStyle = DASHES[line.dash] ?? "solid";
    el("bdi", "", item, meta);
    return item;
  }));
}
