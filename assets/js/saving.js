// Saves texts as files of the browser's and on its clipboard, and writes a step's view as a table. Knows nothing about where they come from.

/** Hand a text to the browser as a file. */
export function saved(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Put a text on the clipboard; false where that is not allowed, and then ``node``, which shows it, is selected. */
export async function copied(text, node) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // no permission, or plain http: the old way, through a selection
    const before = document.activeElement;
    const box = document.createElement("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    before?.focus();
    if (!done) getSelection().selectAllChildren(node);
    return done;
  }
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
