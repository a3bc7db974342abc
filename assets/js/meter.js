// Quiet meters: a figure with a thin bar, a mark where it begins to warn or ought to be, and one line that says what it
// means, seen on hover and focus and heard with the figure. One stop for Tab, arrows walk, Escape puts the line away.
// Knows nothing about what is measured.

import { setAttr, setStyle, setText } from "./dom.js";
import { el } from "./panels.js";

let groups = 0;

/** entries: [{name, title, about}]. Answers the node and, by name, paint({value, note, share, at, warns}) and show(yes). */
export function createMeters(label, entries) {
  const group = ++groups;
  const made = entries.map((entry, index) => createMeter(entry, `pg-meter-${group}-${entry.name}`, index));
  const root = el("div", { class: "pg-meters", role: "group", "aria-label": label }, ...made.map((meter) => meter.root));
  root.addEventListener("keydown", walk);
  root.addEventListener("focusin", ({ target }) => {
    for (const { face } of made) face.tabIndex = face === target ? 0 : -1;
  });
  return { root, ...Object.fromEntries(made.map((meter, index) => [entries[index].name, meter])) };
}

function createMeter({ name, title, about }, id, index) {
  const value = el("b", {});
  const note = el("span", {});
  const warning = el("span", { class: "pg-meter-warning", "aria-hidden": "true" }, "!");
  const heard = el("span", { class: "pg-hidden" });
  const fill = el("span", {});
  const mark = el("i", {});
  const track = el("span", { class: "pg-meter-track", "aria-hidden": "true" }, fill, mark);
  const face = el("button", { type: "button", class: "pg-meter", tabindex: index ? -1 : 0, "aria-describedby": id },
    el("span", { class: "pg-meter-title" }, title), el("span", { class: "pg-meter-value" }, value, " ", note, warning, heard), track);
  const root = el("div", { class: "pg-meter-box", "data-meter": name }, face,
    el("span", { class: "pg-meter-about", role: "tooltip", id }, about));

  /** share: how much of the bar is full, null for no bar; at: where the mark stands, null for none. */
  function paint({ value: figure, note: more = "", share = null, at = null, warns = false }) {
    setText(value, figure);
    setText(note, more);
    setText(heard, warns ? ", a warning" : "");
    setAttr(root, "data-warns", String(warns));
    warning.hidden = !warns;
    track.hidden = share === null;
    setStyle(fill, "width", place(share));
    mark.hidden = at === null;
    setStyle(mark, "left", place(at));
  }

  return { root, face, paint, show: (yes) => { root.hidden = !yes; } };
}

const place = (share) => `${(100 * Math.max(0, Math.min(1, share || 0))).toFixed(1)}%`;

function walk(event) {
  const faces = [...event.currentTarget.querySelectorAll(".pg-meter-box:not([hidden]) .pg-meter")];
  const at = faces.indexOf(document.activeElement);
  if (event.key === "Escape") document.activeElement.blur();
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: faces.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  faces[Math.max(0, Math.min(faces.length - 1, to))].focus();
}
