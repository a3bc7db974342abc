// Saves texts as files of the browser's, and writes a step's view as a table. Knows nothing about where they come from.

/** Hand a text to the browser as a file. */
export function saved(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * The rows of a view as CSV, one token a line. Token texts are written as JSON strings, so that none can begin a cell
 * with "=" and be run by a spreadsheet.
 */
export function traceCsv(view) {
  const names = [...new Set(view.rows.flatMap((row) => Object.keys(row).filter((name) => !(row[name] instanceof Object))))];
  const cell = (value) => {
    const text = typeof value === "string" ? JSON.stringify(value) : String(value ?? "");
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names.join(","), ...view.rows.map((row) => names.map((name) => cell(row[name])).join(","))].join("\n") + "\n";
}
