// One token lit in the whole page, and the pinned ones: pointing at or focusing any [data-token-id] lights them all.
// Knows nothing about what the elements are; modules that draw by token subscribe.

/** root: where to listen and paint, the document by default. */
export function createLight(root = document) {
  const listeners = new Set();
  let hovered = null;
  let focused = null;
  let scheduled = false;

  const light = {
    lit: null,
    pinned: new Set(),

    /** Lights a token (null: none) until something else is pointed at. */
    set(tokenId) {
      const next = tokenId ?? null;
      if (next === light.lit) return;
      light.lit = next;
      tell();
    },

    togglePin(tokenId) {
      if (!light.pinned.delete(tokenId)) light.pinned.add(tokenId);
      tell();
    },

    /** fn(light) after every change; returns how to stop. */
    subscribe(fn) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },

    /** Modules call this after they gave an element another token; repainting waits for the frame. */
    touch() {
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(() => {
        scheduled = false;
        paint();
      });
    },

    /** Lit first, then the pinned ones: the tokens whose journey is shown. */
    shown() {
      const ids = [...light.pinned].filter((id) => id !== light.lit);
      return light.lit === null ? ids : [light.lit, ...ids];
    },
  };

  function tell() {
    paint();
    for (const fn of [...listeners]) fn(light);
  }

  function paint() {
    mark("pg-lit", light.lit === null ? [] : [light.lit]);
    mark("pg-pinned", [...light.pinned]);
  }

  function mark(name, ids) {
    const wanted = new Set(ids.length ? root.querySelectorAll(ids.map(selector).join(",")) : []);
    for (const node of root.querySelectorAll("[data-token-id]." + name)) {
      if (!wanted.has(node)) node.classList.remove(name);
    }
    for (const node of wanted) node.classList.add(name);
  }

  const tokenOf = (target) => {
    const node = target instanceof Element ? target.closest("[data-token-id]") : null;
    return node ? Number(node.dataset.tokenId) : null;
  };

  root.addEventListener("pointerover", (event) => {
    hovered = tokenOf(event.target);
    light.set(hovered ?? focused);
  });
  root.addEventListener("pointerout", (event) => {
    if (event.relatedTarget) return;
    hovered = null;
    light.set(focused);
  });
  root.addEventListener("focusin", (event) => {
    focused = tokenOf(event.target);
    light.set(focused ?? hovered);
  });
  root.addEventListener("focusout", (event) => {
    if (event.relatedTarget) return;
    focused = null;
    light.set(hovered);
  });
  return light;
}

const selector = (id) => `[data-token-id="${Number(id)}"]`;

/** Calls draw(light) now and at each change, once per node however often it is rendered. */
export function follow(followers, node, light, draw) {
  if (!light) return;
  const known = followers.get(node);
  if (known?.light === light) {
    known.draw = draw;
  } else {
    known?.stop();
    const entry = { light, draw, stop: null };
    entry.stop = light.subscribe((now) => (node.isConnected ? entry.draw(now) : entry.stop()));
    followers.set(node, entry);
  }
  draw(light);
}
