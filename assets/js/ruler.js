// The cumulative ruler: the final distribution laid end to end from 0 to 1, and where the dart u landed.
// Knows nothing about how u was drawn.

import { el, fit, keep, setAttr, setClass, setLabel, setStyle, setText } from "./dom.js";
import { percent, unit } from "./format.js";

const states = new WeakMap();
const NAMED_FROM_PX = 460; // as in modules.css: narrower rulers name no segments

/** dart: DartView (or EngineDartView, whose segments know p_here). options: {light}. */
export function render(node, dart, options = {}) {
  const state = keep(states, node, build);
  const { segments } = dart;
  const last = segments[segments.length - 1];
  const end = last ? last.start + last.p : 0;
  fit(state.track, state.segments, segments.length, makeSegment);
  segments.forEach((segment, index) => drawSegment(state.segments[index], segment, index, dart.token_id));
  const rest = Math.max(0, 1 - end);
  setStyle(state.rest, "left", `${share(end)}%`);
  setStyle(state.rest, "width", `${share(rest)}%`);
  setClass(state.rest, "pg-none", rest < 5e-7);
  setAttr(state.rest, "title", `all other tokens, ${percent(rest)}`);
  setStyle(state.dart, "left", `${share(dart.u)}%`);
  setStyle(state.root, "--pg-u", String(Math.round(dart.u * 1e4) / 1e4));
  setText(state.u, `u = ${unit(dart.u)}`);
  setLabel(state.hit, dart.text, dart.special);
  setAttr(state.hit, "data-token-id", String(dart.token_id));
  setText(state.p, percent(dart.p));
  const fell = (dart.coins || []).map((coin) => `${coin.title}: coin at ${unit(coin.u)}, ${coin.acts ? "it acts" : "it does not act"}`);
  setText(state.coins, fell.length ? `${fell.join(" · ")}; the ruler shows this side` : "");
  setClass(state.coins, "pg-none", !fell.length);
  const how = dart.found_by ? `${dart.found_by} took, at ${unit(dart.u)},` : `the dart at ${unit(dart.u)} hit`;
  const said = [`Cumulative ruler: ${how} ${dart.text}, ${percent(dart.p)}`, ...fell].join("; ");
  setAttr(state.track, "aria-label", said);
  options.light?.touch();
}

const share = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1e5) / 1e3;

function build(parent) {
  const root = el("div", "pg-ruler", parent);
  const u = el("div", "pg-ruler-u", root);
  const track = el("div", "pg-ruler-track", root);
  track.setAttribute("role", "img");
  const rest = el("i", "pg-ruler-rest", track);
  const dart = el("i", "pg-ruler-dart", track);
  const scale = el("div", "pg-ruler-scale", root);
  el("span", "", scale, "0");
  const said = el("span", "pg-ruler-hit", scale);
  const hit = el("bdi", "pg-token", said);
  const p = el("span", "pg-ruler-p", said);
  el("span", "", scale, "1");
  const coins = el("div", "pg-ruler-coins pg-none", root);
  return { root, u, track, rest, dart, hit, p, coins, segments: [] };
}

function makeSegment() {
  const node = el("i", "pg-ruler-segment");
  el("bdi", "", node);
  return node;
}

function drawSegment(node, segment, index, hit) {
  setAttr(node, "data-token-id", String(segment.token_id));
  setStyle(node, "left", `${share(segment.start)}%`);
  setStyle(node, "width", `${share(segment.p)}%`);
  setStyle(node, "--pg-fade", String(Math.max(0.28, Math.round((1 - index * 0.045) * 100) / 100)));
  setClass(node, "pg-hit", segment.token_id === hit);
  setClass(node, "pg-foreign", segment.p_here === 0);
  setAttr(node, "title", `${segment.text}  ${percent(segment.p)}`);
  setText(node.firstChild, segment.p * NAMED_FROM_PX >= segment.text.length * 7 + 10 ? segment.text : "");
}
