// The sections beside Play: tabs at the top, one of them open, each drawn by its own script when it is wanted.
// Knows nothing about what a section shows; playground/ui/sections.py says how to add one.

import { latest, post } from "./api.js";
import { knobs, setStage } from "./knobs.js";
import { page, problem, say, settled, title } from "./page.js";
import { el } from "./panels.js";

const PLAY = "play";
const FRAGMENT = "section";
const scripts = new Map(); // name -> the module, once its section was opened
const tabs = new Map(); // name -> button
const extra = new Map(); // host id -> the parts of Play it wants beside those it always keeps
let open = PLAY;

/** What a section's script may use besides its own modules. */
const tools = {
  light: page.light, // what is pointed at or pinned: light.js
  title, // a stage's words from its id
  say, // aloud, to a screen reader
  problem, // show an error in the page's own place
  knobs, // the knobs as the routes understand them; throws an Error with words where a box cannot be read
  setStage, // one card's values: {id, on, parameter: value}
  show, // open a section by its name
  keep, // keep(node, part, on): a part of Play that the section with this node wants above it for a while
  get strip() { return page.strip; }, // order, replace(ids), add(name), remove(id)
  get start() { return page.start; }, // registry, orders, examples
  get view() { return page.view; }, // the PipelineView on screen, or null
};

/** Build the tabs. With Play alone there is nothing to choose, and no tabs. */
export function furnish() {
  const { sections } = page.start;
  if (sections.length < 2) return;
  const list = el("div", { class: "pg-tabs", role: "tablist", "aria-label": "Sections" });
  for (const { name, title: words } of sections) {
    const tab = el("button", { type: "button", role: "tab", id: `pg-tab-${name}`, "aria-controls": hostId(name),
      onclick: () => show(name) }, words);
    tabs.set(name, tab);
    list.append(tab);
    const host = document.getElementById(hostId(name));
    host.setAttribute("role", "tabpanel");
    host.setAttribute("aria-labelledby", tab.id);
  }
  list.addEventListener("keydown", walk);
  document.getElementById("pg-tabs").replaceChildren(list);
  addEventListener("hashchange", () => show(wanted()));
  show(wanted());
}

/** Open a section: its tab, its host, the parts of Play that it keeps; nothing is moved or built anew. */
export function show(name) {
  const section = page.start.sections.find((one) => one.name === name) ?? page.start.sections[0];
  open = section.name;
  for (const [other, tab] of tabs) {
    tab.setAttribute("aria-selected", String(other === open));
    tab.tabIndex = other === open ? 0 : -1;
    if (other !== PLAY) document.getElementById(hostId(other)).hidden = other !== open;
  }
  document.body.dataset.section = open;
  keepParts();
  remember();
  follow();
}

function keep(node, part, on) {
  const wanted = extra.get(node.id) ?? new Set();
  if (on) wanted.add(part);
  else wanted.delete(part);
  extra.set(node.id, wanted);
  keepParts();
}

function keepParts() {
  const { keeps } = page.start.sections.find((one) => one.name === open);
  document.body.dataset.keeps = [...keeps, ...(extra.get(hostId(open)) ?? [])].join(" ");
}

const hostId = (name) => (name === PLAY ? "pg-main" : `pg-section-${name}`);

/** A new picture stands: the open section follows it. */
export function follow() {
  if (open !== PLAY && page.key) refresh();
}

const refresh = latest(async () => {
  const name = open;
  if (name === PLAY) return;
  const host = document.getElementById(hostId(name));
  try {
    if (!scripts.has(name)) scripts.set(name, await import(`./${name}.js`));
    const script = scripts.get(name);
    const view = script.route ? await asked(script.route) : null;
    settled();
    if (open === name && (!view || view.key === undefined || view.key === page.key)) {
      script.render(host, view, tools);
      host.dataset.drawn = String(Number(host.dataset.drawn ?? 0) + 1);
    }
  } catch (error) {
    if (!error.ended) problem(error); // where the session has ended, the picture is asked anew and this follows it
  } finally {
    delete host.dataset.stale;
  }
  async function asked(route) {
    const body = { key: page.key, ...knobs() };
    const view = await post(route, body);
    if (!view.missing) return view;
    host.dataset.stale = "true"; // the last drawing stays, marked
    return post(route, { ...body, refill: true });
  }
});

/** Arrows, Home and End walk the tabs and open them. */
function walk(event) {
  const names = [...tabs.keys()];
  const at = names.indexOf(open);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  show(names.at(to % names.length));
  tabs.get(open).focus();
}

const fragment = () => new URLSearchParams(location.hash.slice(1));
const wanted = () => fragment().get(FRAGMENT) ?? PLAY;

/** The open section stays in the address, beside whatever else the fragment holds. */
function remember() {
  const state = fragment();
  if (open === PLAY) state.delete(FRAGMENT);
  else state.set(FRAGMENT, open);
  const text = state.toString();
  const address = text ? `#${text}` : location.pathname + location.search;
  if (text !== location.hash.slice(1)) history.replaceState(history.state, "", address);
}
