// Talks to the page's own routes: one session a tab, one request in flight, the latest value wins.

const root = new URL("pg/v1/", document.baseURI);
let session = null;
let reopening = null;

/** Open this tab's session; the answer holds everything the page needs to start. */
export async function open() {
  const answer = await post("session", {});
  session = answer.session;
  return answer;
}

export const sessionToken = () => session;

/** The server no longer knows this tab (it was restarted, or it forgot): open a session once for all who ask. */
export async function reopen(dead) {
  if (session !== dead) return;
  reopening ??= open().finally(() => { reopening = null; });
  await reopening;
}

/**
 * POST a JSON body; throws an Error with the server's own words and `status`. Where the session has ended a new one is
 * opened; what names nothing of the old one is sent again, the rest throws an Error with `ended`: ask anew.
 */
export async function post(route, body, signal) {
  const used = session;
  const send = () => fetched(route, {
    method: "POST", headers: { "Content-Type": "application/json", ...owner() }, body: JSON.stringify(body), signal,
  });
  try {
    return await send();
  } catch (error) {
    if (!error.ended || route === "session") throw error;
    await reopen(used);
    if ("key" in body || "generation" in body) throw error;
    return send();
  }
}

export const get = (route) => fetched(route, { headers: owner() });

const owner = () => (session ? { "X-PG-Session": session } : {});

async function fetched(route, options) {
  const response = await fetch(new URL(route, root), options).catch((error) => {
    if (error.name === "AbortError") throw error;
    const words = "The server does not answer. Nothing here is lost: the page goes on by itself once it is back.";
    throw Object.assign(new Error(words), { lost: true });
  });
  return unpack(response);
}

async function unpack(response) {
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    answer = {};
  }
  if (response.ok) return answer;
  const error = new Error(answer.error || `The server answered ${response.status}. Try again, or reload the page.`);
  error.status = response.status;
  error.ended = Boolean(answer.session_ended);
  throw error;
}

/**
 * Run `work(value)` one at a time; values that arrive meanwhile replace each other, only the last one runs.
 * A drag of sixty events becomes as many redraws as the server and the screen can do, never a backlog.
 */
export function latest(work) {
  let waiting = null;
  let busy = false;
  return async function offer(value) {
    waiting = { value };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const { value: current } = waiting;
        waiting = null;
        await work(current);
      }
    } finally {
      busy = false;
    }
  };
}

const scripts = new Map();

/** Load one of our own classic scripts, once; it is only fetched when the first chart that needs it is shown. */
export function loadScript(path) {
  if (!scripts.has(path)) {
    scripts.set(path, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(path, document.baseURI).href;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`The page's own ${path} did not load; reload the page.`));
      document.head.append(script);
    }));
  }
  return scripts.get(path);
}
