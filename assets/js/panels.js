// The fixed furniture of the page: panels, headings, buttons. Built once, filled by the drawn modules.

/** el("p", {class: "x", onclick: f}, child, "text"): text always goes in as text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

const fill = (id, ...children) => document.getElementById(id).replaceChildren(...children);

/** A row of buttons of which one is chosen: Tab reaches the chosen one, arrows choose. */
export function segment(name, choices, choose) {
  const node = el("div", { class: "pg-segment", role: "radiogroup", "aria-label": name });
  for (const { value, words, ...attributes } of choices) {
    node.append(el("button", { type: "button", role: "radio", "data-value": value, onclick: () => choose(value),
      ...attributes }, words));
  }
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...node.children];
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    event.preventDefault();
    next.focus();
    next.click();
  });
  check(node, choices[0].value);
  return node;
}

export function check(segmentNode, value) {
  for (const button of segmentNode.children) {
    const chosen = button.dataset.value === value;
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  }
}

export function top(model, onRetry) {
  const state = el("strong", { id: "pg-model" }, model);
  const note = el("span", { id: "pg-model-note", class: "pg-quiet" });
  const people = el("span", { id: "pg-people", class: "pg-quiet", "aria-live": "off" });
  const theme = el("button", { class: "pg-plain", id: "pg-theme", type: "button", title: "Light or dark",
    "aria-label": "Switch between light and dark" }, "◐");
  fill("pg-top",
    el("header", { class: "pg-header" },
      el("h1", {}, "Decoding Playground"),
      el("p", { class: "pg-tagline" }, "See and steer how a language model picks its next token."),
      el("span", { class: "pg-header-right" }, state, note, people, theme)),
    el("div", { id: "pg-loading", class: "pg-loading", hidden: true, role: "status" },
      el("progress", { max: "1", value: "0", "aria-label": "Loading the model" }), el("span", {})),
    el("div", { id: "pg-problem", class: "pg-problem", hidden: true, role: "alert" },
      el("span", {}),
      el("button", { type: "button", class: "pg-button pg-retry", onclick: onRetry }, "Try now"),
      el("button", { type: "button", class: "pg-plain", "aria-label": "Dismiss",
        onclick: (event) => { event.currentTarget.parentNode.hidden = true; } }, "✕")));
  return { state, note, people, theme };
}

export function toolbar(orders, handlers) {
  const select = el("select", { id: "pg-order", "aria-label": "Order of the stages, as in an engine" },
    el("option", { value: "" }, "own order"), ...orders.map((name) => el("option", { value: name }, name)));
  const values = el("button", { type: "button", id: "pg-defaults", class: "pg-button", hidden: true,
    title: "Set what this engine does where nothing is set: its stages with its values, all others off",
    onclick: () => handlers.defaults(select.value) }, "with its default values");
  select.addEventListener("change", () => {
    values.hidden = !select.value;
    if (select.value) handlers.order(select.value);
  });
  const modes = segment("Mode", [
    { value: "completion", words: "Completion", id: "pg-mode-completion" },
    { value: "chat", words: "Chat", id: "pg-mode-chat" },
  ], handlers.mode);
  fill("pg-toolbar",
    el("div", { class: "pg-toolbar" }, modes,
      el("label", { class: "pg-quiet" }, "Order ", select), values,
      el("button", { type: "button", id: "pg-neutralise", class: "pg-button", onclick: handlers.neutralise,
        title: "Switch every stage off: the model itself" }, "Neutralise"),
      keys(), el("span", { id: "pg-axis-note", class: "pg-quiet pg-right" })));
  return { select, modes };
}

const KEYS = [["Ctrl Enter", "generate"], ["Esc", "stop"], ["← →", "on a card's grip: move the stage; Delete takes it off"],
  ["↑ ↓", "in a list of tokens: the next one"], ["Enter", "on a bar: force this token; on the text: open its step"],
  ["P", "on a bar: pin the token"]];

function keys() {
  const list = el("dl", {}, ...KEYS.flatMap(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)]));
  const node = el("details", { class: "pg-keys" }, el("summary", {}, "Keys"), list);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    node.open = false;
    node.firstElementChild.focus();
  });
  node.addEventListener("focusout", (event) => { if (!node.contains(event.relatedTarget)) node.open = false; });
  return node;
}

/** What to look at, under the examples; heard by a screen reader. */
export const watchFor = (words) => document.getElementById("pg-watch").replaceChildren(el("b", {}, "Watch: "), words);

export function examples(list, choose) {
  const watch = el("p", { class: "pg-watch pg-quiet", id: "pg-watch", "aria-live": "polite" },
    "One click sets everything up; what to watch is said here.");
  const groups = new Map();
  for (const example of list) {
    const chip = el("button", { type: "button", class: "pg-chip", title: example.watch,
      onclick: () => {
        watchFor(example.watch);
        choose(example);
      } }, example.title);
    const name = example.chip;
    if (!groups.has(name)) groups.set(name, el("span", { class: "pg-chips" }));
    groups.get(name).append(chip);
  }
  fill("pg-examples", el("div", { class: "pg-examples", role: "group", "aria-label": "Examples" },
    ...groups.values()), watch);
}

export function cardHead(node, { id, title, summary, formula, source, movable, onRemove }) {
  const help = [summary, formula, source].filter(Boolean).join("\n");
  const grip = movable ? el("button", { type: "button", class: "pg-grip", title: "Drag, or use the arrow keys; " +
    "Delete takes the stage off the strip", "aria-label": `Move ${title}` }, "⠿") : null;
  const drawing = el("div", { class: "pg-card-drawing" });
  node.replaceChildren(
    el("div", { class: "pg-card-title" }, grip, el("strong", { title: help }, title),
      movable ? el("button", { type: "button", class: "pg-plain pg-card-remove", title: "Take off the strip",
        "aria-label": `Take ${title} off the strip`, onclick: () => onRemove(id) }, "✕") : null),
    drawing);
  return { grip, drawing };
}

/** The button at the foot of a card that loads its sampler's own example. */
export const showButton = (title, handler) => el("button", { type: "button", class: "pg-plain pg-card-show",
  title: "Load a prompt on which it matters", "aria-label": `Show me ${title}`, onclick: handler }, "Show me");

export function addStage(pipeline, names, registry, choose, showMe) {
  const select = el("select", { id: "pg-add-stage", "aria-label": "Add a stage" }, el("option", { value: "" }, "Add a stage"),
    ...names.map((name) => el("option", { value: name, title: registry[name].summary }, registry[name].title)),
    el("optgroup", { label: "Show me, on a prompt of its own" }, ...names.filter((name) => registry[name].demo).map((name) =>
      el("option", { value: `show:${name}`, title: registry[name].demo.says }, `Show me: ${registry[name].title}`))));
  select.addEventListener("change", () => {
    if (select.value.startsWith("show:")) showMe(select.value.slice(5));
    else if (select.value) choose(select.value);
    select.value = "";
  });
  pipeline.append(el("div", { class: "pg-add", style: "order: 900" },
    el("span", { "aria-hidden": "true" }, el("b", {}, "+"), "Add a stage"), select));
}

export function textPanel(handlers) {
  const node = el("div", { class: "pg-tokens-host", id: "tokens" });
  const button = (words, title, handler, id) =>
    el("button", { type: "button", class: "pg-button", title, id, onclick: handler }, words);
  fill("pg-text-panel",
    el("section", { class: "pg-panel", "aria-label": "Text" },
      el("h2", {}, "Text ", el("span", { class: "pg-quiet" },
        "shaded where the model was surprised; click a token to open its step"),
        el("span", { id: "pg-run", class: "pg-quiet pg-right" })),
      node, el("p", { class: "pg-no-text pg-quiet" }, "No text yet: press Generate (Ctrl+Enter), or click a bar to force its token."),
      el("div", { id: "pg-continue", class: "pg-continue", hidden: true, role: "status" }, el("span", {}),
        el("button", { type: "button", class: "pg-button", id: "pg-continue-button", onclick: handlers.goOn }, "Continue from here")),
      el("div", { id: "timeline", class: "pg-plot", "aria-label": "Entropy and surprisal along the text", role: "img" }),
      el("div", { class: "pg-buttons", id: "pg-steps" },
        button("◂", "Previous step", () => handlers.step(-1), "pg-previous"),
        button("▸", "Next step", () => handlers.step(1), "pg-next"),
        button("uncertain ⤓", "Jump to the next uncertain step", handlers.uncertain, "pg-uncertain"),
        button("surprise ⤓", "Jump to the next surprising token", handlers.surprise, "pg-surprise"),
        button("back to the end", "The distribution after the last token", handlers.end, "pg-end"),
        el("span", { class: "pg-quiet pg-right pg-legend", title: "both of the model before any stage" },
          el("i", { class: "pg-key-line" }), " entropy ", el("i", { class: "pg-key-bar" }), " surprisal of the model, bits"))));
  return node;
}

export function distributionPanel(handlers) {
  const scales = segment("Scale of the chart",
    ["linear", "log", "rank"].map((scale) => ({ value: scale, words: scale, "data-scale": scale })), handlers.scale);
  const headline = el("div", { id: "pg-headline" });
  const rows = el("div", { id: "distribution" });
  const plot = el("div", { id: "pg-rank-plot", class: "pg-plot", hidden: true, role: "img",
    "aria-label": "Probability against rank over the whole vocabulary, with every threshold" });
  const ruler = el("div", { id: "pg-ruler" });
  fill("pg-distribution-panel",
    el("section", { class: "pg-panel", "aria-label": "Next-token distribution" },
      el("h2", {}, el("span", { id: "pg-after" }), el("span", { class: "pg-legend pg-quiet" },
        el("i", { class: "pg-key-raw" }), " model ", el("i", { class: "pg-key-final" }), " after the pipeline"), scales),
      headline, rows, plot,
      el("h3", {}, "The dart"), ruler));
  return { headline, rows, plot, ruler, segment: scales };
}

export function guidancePanel(onScalePlot) {
  const marks = el("div", { id: "pg-guidance" });
  const plot = el("div", { id: "pg-scale-plot", class: "pg-plot", role: "img",
    "aria-label": "Probability of the leading tokens against the guidance scale" });
  const rendered = el("div", { class: "pg-rendered" });
  const details = el("details", { id: "pg-scale-details" },
    el("summary", {}, "p(token) against the scale, and the two prompts as the model reads them"), plot, rendered);
  details.addEventListener("toggle", () => details.open && onScalePlot());
  fill("pg-guidance-panel",
    el("section", { class: "pg-panel", "aria-label": "What guidance changed" },
      el("h2", {}, "What guidance changed ", el("span", { id: "pg-formula", class: "pg-quiet" })),
      marks, details));
  return { marks, plot, details, rendered };
}

export function inspectorPanel(onOpen) {
  const table = el("div", { id: "pg-table" });
  const details = el("details", { id: "pg-inspector" }, el("summary", {}, "Inspector: the numbers behind the picture"),
    el("div", { class: "pg-table-scroll" }, table));
  details.addEventListener("toggle", () => details.open && onOpen());
  fill("pg-inspector-panel", details);
  return { table, details };
}

export const sentenceNode = () => {
  const node = el("div", { id: "sentence" });
  fill("pg-sentence", el("div", { class: "pg-say" }, node, el("div", { id: "pg-journey" })));
  return node;
};
