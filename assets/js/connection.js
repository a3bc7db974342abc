// The connection: whether the model is ready and the server answers, and what to keep when it goes away.
// Knows nothing about what is asked or drawn.

import { get } from "./api.js";
import { mounted } from "./controls.js";
import * as knobs from "./knobs.js";
import { page, problem, settled } from "./page.js";

const LOADING_MS = 700;
const CALM_MS = 5000;
const KEPT = "pg-kept";

/** Follow the server for as long as the page is open. ready(): the model answers for the first time, or again. */
export async function watch(ready) {
  const { dataset } = document.body;
  for (;;) {
    const status = await get("status").catch(lost);
    if (status?.state === "failed") return problem(new Error(status.message));
    if (status?.state === "ready") {
      const back = dataset.lost === "true";
      if (back) settled();
      showReady(status);
      if (back || dataset.ready !== "true") ready(back);
      dataset.ready = "true";
    } else if (status) showLoading(status);
    const calm = status?.state === "ready";
    await new Promise((resolve) => setTimeout(resolve, calm ? CALM_MS : LOADING_MS));
  }
}

function lost(error) {
  const { dataset } = document.body;
  dataset.generating = "false";
  if (dataset.lost !== "true") problem(error);
}

function showReady(status) {
  const { num_users_generating: people } = status;
  page.nodes.people.textContent = people > 1 ? `${people} people generating` : "";
  page.nodes.state.textContent = status.model;
  page.nodes.note.textContent = page.nodes.note.title = status.note;
  const chat = document.getElementById("pg-mode-chat");
  chat.disabled = !status.chat;
  chat.title = status.chat ? "" : "This is a base model: it has no chat template.";
  document.getElementById("pg-loading").hidden = true;
}

function showLoading(status) {
  const bar = document.getElementById("pg-loading");
  bar.hidden = false;
  bar.firstElementChild.value = status.fraction;
  if (bar.lastElementChild.textContent !== status.message) bar.lastElementChild.textContent = status.message;
}

/** Gradio says its errors in corner toasts; the page says them in its own place, once. */
export async function adoptToasts() {
  const wrap = await mounted(".toast-wrap");
  new MutationObserver((records) => {
    for (const node of records.flatMap((record) => [...record.addedNodes])) {
      const body = node instanceof Element ? node.querySelector(".toast-body.error") : null;
      if (!body) continue;
      document.body.dataset.generating = "false";
      const words = body.querySelector(".toast-text")?.textContent.trim() || body.textContent.trim();
      if (document.body.dataset.lost !== "true") problem(new Error(words));
    }
  }).observe(wrap, { childList: true });
}

/** Gradio reloads the page when a server it lost comes back: what a person has set outlives that reload. */
export function keepOverReload() {
  addEventListener("pagehide", () => {
    const { lost: gone, generating } = document.body.dataset;
    if (gone !== "true" && generating !== "true") return;
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(knobs.state()));
    } catch {
      // A box that cannot be read, or no storage: then the page opens as new.
    }
  });
}

export function kept() {
  try {
    const state = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
    return state;
  } catch {
    return null;
  }
}
