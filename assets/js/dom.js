// Small DOM helpers that make in-place drawing cheap and token text safe (textContent and setAttribute only).
// Knows nothing about views or figures.

const SVG = "http://www.w3.org/2000/svg";

/** The state a module keeps for a node; built once, built again when somebody emptied the node. */
export function keep(states, node, build) {
  let state = states.get(node);
  if (!state || state.root.parentNode !== node) {
    node.replaceChildren();
    state = build(node);
    states.set(node, state);
  }
  return state;
}

export function el(tag, className, parent, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}

export function svg(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (parent) parent.appendChild(node);
  return node;
}

/** Writes text only when it changes; the last one is kept on the node, because reading it back costs. */
export function setText(node, text) {
  if (node.pgText === text) return;
  node.pgText = text;
  node.textContent = text;
}

export function setAttr(node, name, value) {
  const kept = (node.pgAttrs ??= {});
  if (kept[name] === value) return;
  kept[name] = value;
  if (value === null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

export function setStyle(node, name, value) {
  const kept = (node.pgStyles ??= {});
  if (kept[name] === value) return;
  kept[name] = value;
  node.style.setProperty(name, value);
}

export function setClass(node, name, on) {
  const kept = (node.pgClasses ??= {});
  if (kept[name] === on) return;
  kept[name] = on;
  node.classList.toggle(name, on);
}

const MARKS = /([␣↵⇥]|<0x[0-9A-Fa-f]{2}>)/;

/** A token's label as received, its whitespace and byte marks set fainter; whole in the title. */
export function setLabel(node, text, special = false) {
  if (node.pgLabel === text) return;
  node.pgLabel = text;
  node.replaceChildren();
  for (const piece of text.split(MARKS)) {
    if (!piece) continue;
    if (MARKS.test(piece)) el("span", "pg-mark", node, piece);
    else node.appendChild(document.createTextNode(piece));
  }
  node.title = text;
  node.classList.toggle("pg-special", special);
}

/** A list of child nodes brought to the wanted length; make(index) builds a missing one. */
export function fit(parent, list, length, make) {
  while (list.length > length) list.pop().remove();
  while (list.length < length) {
    const node = make(list.length);
    if (!node.parentNode) parent.appendChild(node);
    list.push(node);
  }
  return list;
}

/** One stop for Tab in a list; arrows, Home and End walk its children. */
export function walkable(list) {
  list.addEventListener("keydown", (event) => {
    const items = [...list.children];
    const at = items.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    items[Math.max(0, Math.min(items.length - 1, to))].focus();
    event.preventDefault();
  });
  list.addEventListener("focusin", (event) => {
    for (const item of list.children) item.tabIndex = item === event.target ? 0 : -1;
  });
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
