// The strip of cards: which stages stand on it and in which order. Cards are reordered with CSS `order` alone, because
// moving a node under Gradio's hands would break it. Knows nothing about values or drawing.

/** @param {{onChange: Function, titles: Function}} handlers */
export function createStrip(pipeline, opening, handlers) {
  let order = [...opening];
  const card = (id) => document.getElementById(`card-${id}`);
  const grips = new Map();

  function apply(moved) {
    for (const element of pipeline.querySelectorAll(".pg-card[id]")) {
      const id = element.id.slice("card-".length);
      if (id === "guidance" || id === "draw") continue;
      const place = order.indexOf(id);
      element.classList.toggle("pg-away", place < 0);
      if (place >= 0) element.style.order = String(place + 1);
    }
    if (moved) {
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      card(moved)?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: still ? "auto" : "smooth" });
    }
  }

  function set(next, moved) {
    order = next;
    apply(moved);
    handlers.onChange(order, moved);
  }

  function move(id, to) {
    const rest = order.filter((other) => other !== id);
    const place = Math.max(0, Math.min(rest.length, to));
    set([...rest.slice(0, place), id, ...rest.slice(place)], id);
    handlers.say(`${handlers.title(id)} is now stage ${place + 1} of ${order.length}.`);
  }

  /** A grip is a button: drag it, or move its card with the arrow keys; Delete takes the card off the strip. */
  function grip(id, button) {
    grips.set(id, button);
    button.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) move(id, order.indexOf(id) + step);
      else if (event.key === "Home") move(id, 0);
      else if (event.key === "End") move(id, order.length - 1);
      else if (event.key === "Delete") remove(id);
      else return;
      event.preventDefault();
      button.focus();
    });
    button.addEventListener("pointerdown", (event) => drag(id, button, event));
  }

  function drag(id, button, start) {
    if (start.button !== 0) return;
    start.preventDefault();
    button.focus();
    button.setPointerCapture(start.pointerId);
    const element = card(id);
    element.classList.add("pg-dragged");
    const onMove = (event) => {
      element.style.transform = `translate(${event.clientX - start.clientX}px, ${event.clientY - start.clientY}px)`;
    };
    const onUp = (event) => {
      button.removeEventListener("pointermove", onMove);
      element.classList.remove("pg-dragged");
      element.style.transform = "";
      if (event.type === "pointercancel") return;
      const rest = order.filter((other) => other !== id);
      const before = rest.findIndex((other) => isBefore(event, card(other).getBoundingClientRect()));
      const to = before < 0 ? rest.length : before;
      if (to !== order.indexOf(id)) move(id, to);
    };
    button.addEventListener("pointermove", onMove);
    button.addEventListener("pointerup", onUp, { once: true });
    button.addEventListener("pointercancel", onUp, { once: true });
  }

  const isBefore = (event, rect) =>
    event.clientY < rect.top || (event.clientY <= rect.bottom && event.clientX < rect.left + rect.width / 2);

  function add(name) {
    const free = [name, `${name}--2`].find((id) => !order.includes(id) && card(id));
    if (!free) return null;
    // What draws the token itself stays last.
    const last = handlers.draws(name) ? -1 : order.findIndex((id) => handlers.draws(id));
    set(last < 0 ? [...order, free] : [...order.slice(0, last), free, ...order.slice(last)], free);
    grips.get(free)?.focus();
    return free;
  }

  function remove(id) {
    const place = order.indexOf(id);
    if (place < 0) return;
    set(order.filter((other) => other !== id));
    (grips.get(order[Math.min(place, order.length - 1)]) ?? document.getElementById("pg-add-stage"))?.focus();
    handlers.say(`${handlers.title(id)} was taken off the strip.`);
  }

  // Where the browser knows reading-flow, Tab follows the cards as they stand by itself.
  if (!CSS.supports("reading-flow", "flex-visual")) pipeline.addEventListener("keydown", (event) => walk(pipeline, event));
  apply();
  return {
    grip, add, remove,
    get order() { return [...order]; },
    replace: (next) => set([...next]),
    hasRoom: (name) => [name, `${name}--2`].some((id) => !order.includes(id) && card(id)),
  };
}

const STOPS = "button, input, select, textarea, summary, a[href], [tabindex=\"0\"]";

/** Tab and Shift+Tab from control to control in the order the cards are seen, then out of the strip. */
function walk(pipeline, event) {
  if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.metaKey) return;
  // What lies in closed details has a place on the page and yet takes no focus.
  const seen = (node) => node.checkVisibility() && node.getClientRects().length > 0 && !node.disabled && node.tabIndex >= 0;
  const stops = (root) => [...root.querySelectorAll(STOPS)].filter(seen);
  const place = (node) => Number(getComputedStyle(node).order);
  const inside = [...pipeline.children].sort((a, b) => place(a) - place(b)).flatMap(stops);
  const at = inside.indexOf(event.target);
  if (at < 0) return;
  const side = event.shiftKey ? Node.DOCUMENT_POSITION_PRECEDING : Node.DOCUMENT_POSITION_FOLLOWING;
  const outside = stops(document).filter((node) =>
    !pipeline.contains(node) && pipeline.compareDocumentPosition(node) & side);
  const target = inside[at + (event.shiftKey ? -1 : 1)] ?? (event.shiftKey ? outside.at(-1) : outside[0]);
  if (!target) return;
  event.preventDefault();
  target.focus();
}
