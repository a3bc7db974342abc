// The text as an instrument: streamed tokens that can be lit, walked through with the keyboard and opened.
// Knows nothing about generation; it takes batches with positions, ignores what it has, reports what is missing.

import { el, setLabel } from "./dom.js";
import { bits, percent } from "./format.js";

const SHADES = [1, 2, 3.5, 5, 7, 10];
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffd\u202a-\u202e\u2066-\u2069]/;
let serial = 0;

/**
 * handlers: {onSelect(tokenView), onGap(fromIndex), label}. Returns {setPrompt(tokens), clear(), count, tokens,
 * apply({generation, at, tokens, done, base}), select(index | null, {prompt}), fadeFrom(index | null)}. A new generation
 * keeps the first `base` generated tokens (0 by default); `at` is the position of the batch's first token.
 */
export function createTokens(node, handlers = {}) {
  const prefix = `pg-t${serial++}-`;
  node.replaceChildren();
  const list = el("div", "pg-text", node);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", handlers.label || "The text, token by token. Arrows move, Enter opens a token’s step.");
  list.dir = "auto";
  const caret = el("i", "pg-caret pg-none", list);
  caret.setAttribute("aria-hidden", "true");
  const prompt = [];
  const output = [];
  let generation = null;
  let faded = null;
  let chosen = null;
  let current = null;

  const api = {
    get count() {
      return output.length;
    },
    get tokens() {
      return output.map((span) => span.pgToken);
    },

    setPrompt(tokens) {
      prompt.splice(0).forEach((span) => span.remove());
      const fragment = document.createDocumentFragment();
      for (const token of tokens) prompt.push(fragment.appendChild(make(token, prefix)));
      list.insertBefore(fragment, list.firstChild);
      if (!output.length) node.scrollTop = node.scrollHeight; // of a long prompt its end, where the text goes on
      keepCurrent();
    },

    apply({ generation: id, at, tokens, done = false, base = 0 }) {
      if (id !== generation) {
        generation = id;
        truncate(base);
        api.fadeFrom(null);
      }
      if (at > output.length) {
        handlers.onGap?.(output.length);
        return;
      }
      const fresh = tokens.slice(output.length - at);
      const bottom = fresh.length > 0 && atBottom(node);
      const fragment = document.createDocumentFragment();
      for (const token of fresh) output.push(fragment.appendChild(make(token, prefix)));
      list.insertBefore(fragment, caret);
      caret.classList.toggle("pg-none", done);
      list.setAttribute("aria-busy", String(!done));
      if (bottom) node.scrollTop = node.scrollHeight;
      keepCurrent();
    },

    select(index, { prompt: inPrompt = false } = {}) {
      chosen?.setAttribute("aria-selected", "false");
      chosen = index === null ? null : (inPrompt ? prompt : output)[index] || null;
      chosen?.setAttribute("aria-selected", "true");
      if (chosen) makeCurrent(chosen);
    },

    fadeFrom(index) {
      const [from, to] = [faded ?? output.length, index ?? output.length];
      output[faded]?.classList.remove("pg-fork");
      for (let i = Math.min(from, to); i < Math.max(from, to); i++) output[i].classList.toggle("pg-faded", i >= to);
      faded = index;
      output[index]?.classList.add("pg-fork");
    },

    clear() {
      truncate(0);
      prompt.splice(0).forEach((span) => span.remove());
      generation = faded = chosen = current = null;
      caret.classList.add("pg-none");
      list.setAttribute("aria-busy", "false");
    },
  };

  function truncate(length) {
    for (const span of output.splice(length)) {
      if (span === chosen) chosen = null;
      span.remove();
    }
    keepCurrent();
  }

  const all = () => prompt.concat(output);

  function makeCurrent(span) {
    if (current && current !== span) current.tabIndex = -1;
    current = span;
    span.tabIndex = 0;
  }

  function keepCurrent() {
    if (current?.isConnected) return;
    const first = output[0] || prompt[0];
    if (first) makeCurrent(first);
  }

  list.addEventListener("click", (event) => {
    const span = event.target.closest(".pg-t");
    if (!span) return;
    makeCurrent(span);
    handlers.onSelect?.(span.pgToken);
  });
  list.addEventListener("focusin", (event) => {
    const span = event.target.closest(".pg-t");
    if (span) makeCurrent(span);
  });
  list.addEventListener("keydown", (event) => {
    const span = event.target.closest(".pg-t");
    if (!span || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") handlers.onSelect?.(span.pgToken);
    else {
      const target = neighbour(all(), span, event.key);
      if (!target) return;
      target.focus();
    }
    event.preventDefault();
  });
  return api;
}

function neighbour(spans, span, key) {
  const at = spans.indexOf(span);
  if (key === "ArrowRight") return spans[at + 1];
  if (key === "ArrowLeft") return spans[at - 1];
  if (key === "Home") return spans[0];
  if (key === "End") return spans[spans.length - 1];
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  return acrossLines(spans, at, key === "ArrowDown" ? 1 : -1);
}

/** The token of the next line up or down that stands nearest in x. */
function acrossLines(spans, at, step) {
  const here = spans[at].getClientRects()[0];
  if (!here) return undefined;
  let line = null;
  let best = null;
  for (let i = at + step; i >= 0 && i < spans.length; i += step) {
    const rect = spans[i].getClientRects()[0];
    if (!rect || (rect.top - here.top) * step < here.height / 2) continue;
    if (line !== null && Math.abs(rect.top - line) > here.height / 2) break;
    line = rect.top;
    const distance = Math.abs(rect.left + rect.width / 2 - here.left - here.width / 2);
    if (!best || distance < best.distance) best = { span: spans[i], distance };
  }
  return best?.span;
}

function atBottom(node) {
  return node.scrollHeight > node.clientHeight && node.scrollHeight - node.scrollTop - node.clientHeight < 40;
}

function make(token, prefix) {
  const span = document.createElement("span");
  const raw = token.special || !token.text || CONTROL.test(token.text);
  let name = token.prompt ? "pg-t pg-t-prompt" : "pg-t";
  if (token.surprisal_bits !== null && token.surprisal_bits !== undefined && !token.prompt) {
    const shade = SHADES.filter((edge) => token.surprisal_bits >= edge).length;
    name += ` pg-s${shade}`;
  }
  if (token.special) name += " pg-special";
  else if (raw) name += " pg-bytes";
  if (!raw && token.text.includes("\n")) name += " pg-newline";
  span.className = name;
  span.id = `${prefix}${token.prompt ? "p" : ""}${token.index}`;
  span.setAttribute("role", "option");
  span.setAttribute("aria-selected", "false");
  span.setAttribute(token.prompt ? "data-prompt" : "data-index", String(token.index));
  span.setAttribute("data-token-id", String(token.token_id));
  span.tabIndex = -1;
  span.pgToken = token;
  if (raw) setLabel(span, token.label, token.special);
  else span.textContent = token.text;
  const figures = describe(token);
  span.setAttribute("aria-label", figures ? `${token.label}, ${figures}` : token.label);
  span.title = figures ? `${token.label}  ${figures}` : token.label;
  return span;
}

function describe(token) {
  if (token.surprisal_bits === null || token.surprisal_bits === undefined) return "";
  const p = token.p_final ?? null;
  return `surprisal ${bits(token.surprisal_bits)} bits` + (p === null ? "" : `, drawn at ${percent(p)}`);
}
