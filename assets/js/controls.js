// Reads and sets Gradio's own controls (sliders, text boxes, checkboxes) through the DOM, so that a drag costs no
// trip through Gradio's queue. Knows nothing about what a control means.

const setter = (proto) => Object.getOwnPropertyDescriptor(proto, "value").set;

export const host = (id) => document.getElementById(id);
const range = (id) => host(id)?.querySelector("input[type=range]");
const text = (id) => host(id)?.querySelector("textarea, input[type=text]");
const box = (id) => host(id)?.querySelector("input[type=checkbox]");

export function number(id) {
  const input = range(id) ?? host(id)?.querySelector("input[type=number]");
  return input ? Number(input.value) : NaN;
}

export function setNumber(id, value) {
  const input = range(id) ?? host(id)?.querySelector("input[type=number]");
  if (!input || Number(input.value) === Number(value)) return;
  setter(HTMLInputElement.prototype).call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export const words = (id) => text(id)?.value ?? "";

export function setWords(id, value) {
  const input = text(id);
  if (!input || input.value === value) return;
  const proto = input instanceof HTMLTextAreaElement ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype;
  setter(proto).call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export const option = (id, value) =>
  [...(host(id)?.querySelectorAll("input[type=radio]") ?? [])].find((input) => input.value === value);

/** Right after a click two are checked, as Gradio names each differently: the new one is not marked as selected yet. */
export function choice(id) {
  const on = [...(host(id)?.querySelectorAll("input[type=radio]:checked") ?? [])];
  return (on.find((input) => !input.closest("label").classList.contains("selected")) ?? on[0])?.value;
}

export function setChoice(id, value) {
  const input = option(id, value);
  if (input && !input.checked) input.click();
}

export const checked = (id) => Boolean(box(id)?.checked);

export function setChecked(id, value) {
  const input = box(id);
  if (input && input.checked !== value) input.click();
}

/** Resolves with the element once Gradio has mounted it. */
export function mounted(selector) {
  return new Promise((resolve) => {
    const look = () => {
      const found = document.querySelector(selector);
      if (found) {
        observer.disconnect();
        resolve(found);
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { childList: true, subtree: true });
    look();
  });
}

/**
 * Call `changed(id, phase)` for every control inside an element with an id: phase "move" while a slider moves,
 * "settle" when it is let go, a key is up, a box is ticked or Gradio's reset button is pressed.
 */
export function listen(changed) {
  const idOf = (target) => target.closest?.(".pg-knob, .pg-switch, .pg-field, #prompt, #negative-prompt, #system-prompt")?.id;
  const report = (phase) => (event) => {
    const id = idOf(event.target);
    if (id) changed(id, phase);
  };
  document.addEventListener("input", (event) => {
    report("move")(event);
    // The number box beside a slider reaches the range input only after Gradio's own update.
    if (event.target.type === "number") setTimeout(() => report("move")(event), 0);
  });
  document.addEventListener("change", report("settle"));
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".pg-knob button")) setTimeout(() => report("settle")(event), 0);
  });
}
