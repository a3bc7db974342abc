// Numbers as people read them; one place, so that the same figure looks the same everywhere.
// Knows nothing about views, tokens or the DOM.

const NBSP = "\u00a0";
const MINUS = "\u2212";

/** 49152 -> "49,152" */
export function count(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Effective choices: 15.4, 153, 1,637 */
export function choices(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 99.95 ? value.toFixed(1) : count(value);
}

/** A fraction as a percentage with sensible digits: 17.4 %, 6.9 %, 0.41 %, 0.03 %, 0.004 %, <0.001 % */
export function percent(fraction) {
  if (!Number.isFinite(fraction)) return "–";
  const value = fraction * 100;
  if (value === 0) return "0" + NBSP + "%";
  if (value < 0) return MINUS + percent(-fraction);
  if (fraction < 1 && value >= 99.95) return ">99.9" + NBSP + "%";
  if (value < 0.0005) return "<0.001" + NBSP + "%";
  const digits = value >= 99.95 ? 0 : value >= 0.995 ? 1 : value >= 0.0095 ? 2 : 3;
  return value.toFixed(digits) + NBSP + "%";
}

/** A loss of mass: −12 %, −0.4 %; one digit fewer than percent() where it can be spared. */
export function loss(fraction) {
  const value = fraction * 100;
  if (value < 0.05) return MINUS + "<0.1" + NBSP + "%";
  return MINUS + value.toFixed(value < 9.95 ? 1 : 0) + NBSP + "%";
}

/** Bits: 9.3, 0.04 */
export function bits(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) < 0.0005 ? "0" : value.toFixed(Math.abs(value) < 0.0995 ? 2 : 1);
}

/** A factor: ×5.02, ×123, ×0.29, ×0.003 */
export function ratio(value) {
  if (value === Infinity) return "×∞";
  if (!Number.isFinite(value)) return "–";
  if (value >= 9999.5) return "×" + value.toExponential(1).replace("e+", "e");
  if (value >= 99.95) return "×" + count(value);
  if (value >= 9.995) return "×" + value.toFixed(1);
  if (value >= 0.0995) return "×" + value.toFixed(2);
  return value < 0.0005 ? "×<0.001" : "×" + value.toFixed(3);
}

/** A uniform or a parameter: 0.496 */
export function unit(value) {
  return Number.isFinite(value) ? value.toFixed(3) : "–";
}

/** A probability for an axis of decades, exponent -4 -> "0.01 %" */
export function decade(exponent) {
  const value = 10 ** (exponent + 2);
  return (exponent >= -2 ? value.toFixed(0) : value.toFixed(-exponent - 2)) + NBSP + "%";
}

/** Full precision, for data attributes, tables and CSV. */
export function exact(value) {
  return value === null || value === undefined ? "" : String(value);
}

/** β or another weight: 0.0123, 45.6, 1.23e+5 */
export function short(value) {
  return value >= 1e4 || value < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** How long something takes: 40 s, 7 min */
export function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** Six significant digits without an exponent where that stays short, for the inspector. */
export function precise(value) {
  if (!Number.isFinite(value)) return "";
  if (value === 0) return "0";
  return Math.abs(value) < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}
