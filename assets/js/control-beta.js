// β: its slider, what it costs and buys in words, the curve of acceptance rate against divergence.
// Knows nothing about the figures' meaning beyond their names; the chart comes whole from the server.

import { setAttr, setStyle, setText } from "./dom.js";
import { count, percent, short } from "./format.js";
import { plotly } from "./page.js";
import { check, el } from "./panels.js";
import { draw } from "./plot.js";

const MEASURES = [["tvd", "TVD"], ["kl", "KL"], ["js", "JS"]];
const RATES = [[1, "take all"], [0.5, "1 in 2"], [0.1, "1 in 10"], [null, "nothing seen clipped"]];

export function createBeta({ state, changed, failed }) {
  const slider = el("input", { type: "range", step: "any", id: "pg-control-beta", "aria-label": "β, logarithmic" });
  slider.addEventListener("input", () => {
    state.logBeta = Number(slider.value);
    state.rate = null;
    filled();
    changed();
  });
  const rates = el("div", { class: "pg-control-rates", role: "group", "aria-label": "β by acceptance rate" }, ...RATES.map(([rate, words]) =>
    el("button", { type: "button", class: "pg-chip", onclick: () => {
      state.rate = rate === 1 ? null : rate;
      state.logBeta = rate === 1 ? Number(slider.min) : null;
      changed();
    } }, words)));
  const share = el("input", { type: "number", min: 0.01, max: 100, step: "any", id: "pg-control-rate", inputmode: "decimal",
    "aria-label": "Wanted acceptance rate, per cent" });
  share.addEventListener("change", () => {
    const wanted = Number(share.value) / 100;
    if (!(wanted > 0 && wanted <= 1)) return failed(new Error("An acceptance rate lies above 0 and is at most 100 %."));
    state.rate = wanted;
    changed();
  });
  rates.append(el("label", {}, "accept ", share, " %"));
  const measures = el("div", { class: "pg-segment", role: "radiogroup", "aria-label": "Divergence" }, ...MEASURES.map(([value, words]) =>
    el("button", { type: "button", role: "radio", "data-value": value, onclick: () => choose(value) }, words)));
  measures.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const names = MEASURES.map(([value]) => value);
    event.preventDefault();
    choose(names[(names.indexOf(state.measure) + step + names.length) % names.length]);
    measures.querySelector("[aria-checked=true]").focus();
  });
  check(measures, state.measure);
  const cells = [0, 1, 2].map(() => el("div", {}, el("dt", {}), el("dd", {})));
  const more = el("p", {});
  const words = el("div", { class: "pg-control-reading" }, el("dl", { class: "pg-headline" }, ...cells), more);
  const filled = () => {
    const part = (slider.value - slider.min) / (slider.max - slider.min || 1);
    setStyle(slider, "--pg-at", `${(100 * part).toFixed(1)}%`);
  };
  const legend = el("ul", { class: "pg-control-legend", "aria-label": "What the chart shows" });
  const plot = el("div", { class: "pg-control-plot", role: "img", "aria-label": "Acceptance rate against divergence from the target" });
  const root = el("div", {}, el("div", { class: "pg-control-form" }, el("label", { class: "pg-control-slider" }, "β ", slider), measures),
    rates, words, plot, legend);

  function choose(value) {
    state.measure = value;
    check(measures, value);
    changed();
  }

  let explained = "";
  function explain(view) {
    const entries = legendOf(view);
    const key = JSON.stringify(entries);
    if (key === explained) return;
    explained = key;
    legend.replaceChildren(...entries.map(([mark, text]) => el("li", { "data-mark": mark }, text)));
  }

  let [moves, said] = [0, ""];
  function paint(view) {
    const { beta } = view;
    slider.min = beta.low;
    slider.max = beta.high;
    if (document.activeElement !== slider || state.logBeta === null) slider.value = beta.log_beta;
    if (document.activeElement !== share) share.value = Number((100 * beta.acceptance_rate).toPrecision(3));
    filled();
    const read = reading(view);
    read.figures.forEach(([figure, what], index) => {
      setText(cells[index].firstChild, what);
      setText(cells[index].lastChild, figure);
    });
    setText(more, read.more);
    said = `${read.figures.map((pair) => pair.join(" ")).join(", ")}. ${read.more}`;
    setAttr(slider, "aria-valuetext", said);
    explain(view);
    plotly().then(() => draw(plot, view.figure)).catch(failed);
    root.dataset.moves = String(++moves);
  }

  return { root, paint, words: () => said };
}

/** The three figures that matter, how sure they are once nothing is dragged, and the rest in a sentence. */
function reading({ beta, bands, measure, enumerated, num_accepted: taken, num_rows: rows }) {
  const value = divergence(beta.divergence);
  const cost = beta.per_accepted === null ? "–" : beta.per_accepted.toFixed(beta.per_accepted < 10 ? 1 : 0);
  const exact = beta.log_beta >= beta.log_largest - 1e-9;
  const proof = enumerated ? " Nothing is clipped: the accepted texts follow the target exactly."
    : " No larger ratio was seen in this pool, which is not to say that there is none.";
  return {
    figures: [[percent(beta.acceptance_rate), `accepted${between(bands?.acceptance_rate, percent)}`], [cost, "proposals for each accepted text"],
      [value, `${measure.toUpperCase()} from the target${exact && !enumerated ? ", as far as this pool saw" : between(bands?.divergence, divergence)}`]],
    more: `β = ${short(Math.exp(beta.log_beta))}: of this pool ${count(taken)} of ${count(rows)} texts; TVD at most ${beta.tvd_bound.toFixed(3)}${enumerated ? "" : " by this pool"}.`
      + (exact ? proof : ""),
  };
}

/** " (5.8 % to 10.8 %)"; nothing where both ends read the same. */
function between(pair, words) {
  const [low, high] = (pair ?? []).map(words);
  return low === high ? "" : ` (${low} to ${high})`;
}

const divergence = (value) => (typeof value === "number" ? value.toFixed(3) : "infinite");

/** [[mark, words], ...]: everything that is drawn, in words. */
function legendOf({ lines, measure, enumerated, gauges }) {
  const many = lines.length > 1;
  const entries = many ? lines.map((line, index) => [`line-${index}`, line.label])
    : [["line-0", `${measure.toUpperCase()} of what is accepted from the target`]];
  if (!enumerated) entries.push(["band", "95 % of resampled pools, exponents as they are"]);
  entries.push(["moment", `mean of ${gauges[0].label} among the accepted${many ? ` of ${lines[0].label}` : ""}`], ["here", "this β"]);
  const cut = measure === "tvd" ? lines.filter((line) => line.floor > 0.005) : [];
  if (cut.length) entries.push(["floor", `share of the ${[...new Set(cut.map((line) => line.floor_of))].join(" or ")} that a cut proposal can never write`]);
  entries.push(["seen", enumerated ? "past here every text is kept in proportion: exact" : "past here no larger ratio was seen, so nothing is known"]);
  return entries;
}
