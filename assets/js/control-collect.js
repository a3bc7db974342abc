// Collecting accepted texts: what it will take, a run with its accepted texts as they come, why it ended, taking them home.
// Knows nothing about ratios or rules; the server proposes, judges and stops. Texts go in as text alone.

import { post } from "./api.js";
import { aim, bias, figures, means, promised, test } from "./control-collect-words.js";
import { makeRow, paintRow } from "./control-list.js";
import { fit, setText } from "./dom.js";
import { count, duration } from "./format.js";
import { el } from "./panels.js";
import { copied, saved } from "./saving.js";

const TOY = "toy";
const POLL_MS = 400;
const SHOWN = 300; // in the list; Copy and Download have all

export function createCollecting({ state, aimed, tools, failed }) {
  const box = (label, id, value, after, attributes) => {
    const input = el("input", { type: "number", id, inputmode: "numeric", ...attributes });
    input.value = value;
    input.addEventListener("input", () => paintPromise());
    return { input, label: el("label", {}, label, input, after) };
  };
  const wanted = box("until ", "pg-collect-wanted", 20, " are accepted", { min: 1, max: 1000 });
  const most = box("of at most ", "pg-collect-most", 2000, " proposals", { min: 1, max: 5000 });
  const within = box("or rate known to ± ", "pg-collect-within", "", " %", { min: 1, max: 90, placeholder: "–",
    title: "Stop once half the width of the acceptance rate's 95 % interval is so many per cent of the rate" });
  const go = el("button", { type: "submit", class: "pg-button", id: "pg-collect-go" }, "Collect");
  const promise = el("p", { id: "pg-collect-promise" });
  const form = el("form", { class: "pg-control-form", "aria-label": "Collect accepted texts" }, wanted.label, most.label, within.label, go);
  const lead = el("p", { class: "pg-control-lead" }, "Fresh texts of the pool's proposal, each kept or not by a dart of its own, "
    + "until a rule says stop. Target and β are those of this moment and stand still, whatever you drag meanwhile.");
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Collecting" });
  const doing = el("span", { class: "pg-quiet", "aria-live": "off" });
  const stop = el("button", { type: "button", class: "pg-button", id: "pg-collect-stop", onclick: () => ask("control/collect_stop") }, "Stop");
  const line = el("div", { class: "pg-control-progress" }, bar, doing, stop);
  const [ending, what, biased, tested] = ["ending", "aim", "bias", "test"].map((name) => el("p", { class: `pg-collect-${name}` }));
  const cells = [0, 1, 2].map(() => el("div", {}, el("dt", {}), el("dd", {})));
  const headline = el("dl", { class: "pg-headline" }, ...cells);
  const moments = el("ul", { class: "pg-collect-means" });
  const copy = el("button", { type: "button", class: "pg-button", id: "pg-collect-copy", onclick: copyAll }, "Copy texts");
  const save = el("button", { type: "button", class: "pg-button", id: "pg-collect-save", onclick: download }, "Download JSON");
  const note = el("span", { class: "pg-quiet" });
  const list = el("ol", { class: "pg-control-texts", role: "list", tabindex: 0, "aria-label": "Accepted texts" });
  const found = el("div", { class: "pg-collect-found", hidden: true }, line, ending, what, headline, biased, tested, moments,
    el("div", { class: "pg-control-form" }, copy, save, note), list);
  const offer = el("div", {}, lead, form, promise);
  const root = el("div", { class: "pg-control-collect", hidden: true }, el("h3", {}, "Collect texts"), offer, found);
  form.noValidate = true; // the server says in words what is wrong
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });

  const items = [];
  let beta = null; // what the pool says at this β
  let rows = [];
  let timer = 0;

  const numberIn = ({ input }) => (input.value === "" ? null : Number(input.value));
  const rule = () => ({ num_accepted: numberIn(wanted), max_proposals: numberIn(most),
    precision: within.input.value === "" ? null : numberIn(within) / 100 });

  async function start() {
    go.disabled = true;
    try {
      const view = await post("control/collect", { ...aimed(), ...rule() });
      rows = [];
      list.replaceChildren();
      items.length = 0;
      tools.say("Texts are being collected.");
      paintRun(view);
    } catch (error) {
      go.disabled = false;
      failed(error);
    }
  }

  /** How far it is, and the texts that are new; again while it runs. */
  async function ask(route = "control/collection") {
    clearTimeout(timer);
    try {
      const view = await post(route, { since: rows.length });
      if (view.since === rows.length) paintRun(view);
    } catch (error) {
      if (error.lost) later(); // while the server is away, ask on
      else over(error.message);
    }
  }

  const later = (wait = POLL_MS) => {
    clearTimeout(timer);
    timer = setTimeout(ask, wait);
  };

  function over(words) {
    line.hidden = true;
    go.disabled = false;
    setText(ending, words);
    tools.say(words);
  }

  function paintRun(view) {
    found.hidden = root.hidden = false;
    rows.push(...view.rows);
    const more = rows.length < view.num_accepted;
    line.hidden = !view.running;
    if (view.running) {
      const share = Math.max(view.num_proposed / view.max_proposals, view.num_wanted ? view.num_accepted / view.num_wanted : 0);
      bar.value = share;
      setText(doing, progress(view));
      setText(ending, "");
    } else if (!more) {
      over(view.fault || view.ending);
    }
    setText(what, aim(view));
    figures(view).forEach(([figure, words], index) => {
      setText(cells[index].firstChild, words);
      setText(cells[index].lastChild, figure);
    });
    setText(biased, bias(view));
    setText(tested, test(view));
    fit(moments, moments.made ??= [], view.num_accepted ? view.means.length : 0, () => el("li", {}));
    view.means.slice(0, moments.made.length).forEach((one, index) => setText(moments.made[index], means(one)));
    paintTexts(view);
    if (view.running || more) later(more ? 0 : POLL_MS);
  }

  function paintTexts(view) {
    const names = view.means.map((one) => one.label);
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    const before = items.length;
    fit(list, items, Math.min(rows.length, SHOWN), makeRow);
    list.dataset.features = String(names.length);
    for (let index = before; index < items.length; index++) {
      paintRow(items[index], rows[index], 1, names, view.prompts);
      setText(items[index].firstChild, String(index + 1));
    }
    if (atEnd && items.length > before) list.scrollTop = list.scrollHeight;
    copy.hidden = save.hidden = note.hidden = list.hidden = !rows.length;
    if (!view.running) save.hidden = !view.num_proposed; // the rejected are worth having, too
    setText(note, rows.length > SHOWN ? `the first ${SHOWN} are shown` : "");
  }

  async function copyAll() {
    if (!(await copied(rows.map((row) => row.text).join("\n\n"), list))) return tools.say("Copying is not allowed here; the texts are selected.");
    tools.say("Copied.");
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy texts"; }, 1500);
  }

  async function download() {
    try {
      saved("collected.json", JSON.stringify(await post("control/collect_export", {}), null, 1));
    } catch (error) {
      failed(error);
    }
  }

  function paintPromise() {
    const pool = state.pools.find((one) => one.id === state.pool);
    if (beta && pool) setText(promise, promised(beta, rule(), pool.progress?.per_s));
  }

  /** What is to be expected at this target and β; the run goes on with its own. */
  function paint(view) {
    beta = view.beta;
    offer.hidden = state.pool === TOY;
    root.hidden = state.pool === TOY && found.hidden;
    paintPromise();
  }

  return { root, offer, paint };
}

function progress(view) {
  const done = `${count(view.num_accepted)}${view.num_wanted ? ` of ${count(view.num_wanted)}` : ""} accepted, ${count(view.num_proposed)} proposals`;
  if (view.queue_place) return `place ${view.queue_place} in the queue; people who type go first`;
  if (view.remaining_s === null) return "the first texts are being written";
  return `${done} · ${view.per_s.toFixed(view.per_s < 10 ? 1 : 0)} a second · about ${duration(view.remaining_s)} left`;
}
