// Plotly on a node that stays: one react a frame, our own resizing, colours that follow the theme.
// Knows nothing about what is plotted; figures come whole from Python with fixed ranges.

const CONFIG = { displayModeBar: false, responsive: false, displaylogo: false, showTips: false };
const states = new WeakMap();
let watching = false;
const drawn = new Set();

/**
 * Draws figure {data, layout, config?} on node, the last one of a frame winning. A colour written "var(--pg-name)" anywhere
 * in it is replaced by the theme's, and again when the theme changes. Returns a promise of the paint.
 */
export function draw(node, figure) {
  let state = states.get(node);
  if (!state) {
    state = { figure: null, waiting: null, size: "" };
    states.set(node, state);
    drawn.add(node);
    new ResizeObserver(() => {
      const size = `${node.clientWidth}x${node.clientHeight}`;
      if (state.figure && size !== state.size) request(node, state);
    }).observe(node);
    watchTheme();
  }
  state.figure = figure;
  return request(node, state);
}

function request(node, state) {
  state.waiting ??= new Promise((resolve) => {
    requestAnimationFrame(() => {
      state.waiting = null;
      resolve(paint(node, state));
    });
  });
  return state.waiting;
}

function paint(node, state) {
  if (!window.Plotly || !node.isConnected || !node.clientWidth) return undefined;
  const { data, layout = {}, config = {} } = state.figure;
  const colours = getComputedStyle(node);
  const height = node.clientHeight || layout.height || 240;
  const fixed = { autosize: false, width: node.clientWidth, height, uirevision: "kept" };
  state.size = `${node.clientWidth}x${node.clientHeight}`;
  const shared = defaults();
  const font = { ...shared.font, ...layout.font, family: colours.fontFamily }; // measured as it is drawn: "inherit" is not
  const themed = withTheme({ ...shared, ...layout, font, ...fixed }, colours);
  return window.Plotly.react(node, withTheme(data, colours), themed, { ...CONFIG, ...config });
}

/** What every figure shares unless it says otherwise. */
function defaults() {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: "var(--pg-muted)", size: 11 },
    margin: { l: 40, r: 10, t: 8, b: 28, autoexpand: false },
    hoverlabel: { bgcolor: "var(--pg-surface)", bordercolor: "var(--pg-line)", font: { color: "var(--pg-ink)" } },
    showlegend: false,
  };
}

/** A copy in which each "var(--name)" has become the colour it stands for now. */
export function withTheme(value, colours) {
  if (typeof value === "string") {
    const name = /^var\((--[\w-]+)\)$/.exec(value);
    return name ? colours.getPropertyValue(name[1]).trim() || value : value;
  }
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((item) => withTheme(item, colours));
  if (!value || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withTheme(item, colours)]));
}

function watchTheme() {
  if (watching) return;
  watching = true;
  new MutationObserver(() => {
    for (const node of drawn) {
      if (!node.isConnected) drawn.delete(node);
      else request(node, states.get(node));
    }
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
