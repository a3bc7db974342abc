// Talks to the page's own routes: one session a tab, one request in flight, the latest value wins.

const root = new URL("pg/v1/", document.baseURI);
let session = null;

/** Open this tab's session; the answer holds everything the page needs to start. */
export async function open() {
  const answer = await post("session", {});
  session = answer.session;
  return answer;
}

export const sessionToken = () => session;

/** POST a JSON body; throws an Error with the server's own words and `status`. */
export async function post(route, body, signal) {
  const response = await fetch(new URL(route, root), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(session ? { "X-PG-Session": session } : {}) },
    body: JSON.stringify(body),
    signal,
  });
  return unpack(response);
}

export async function get(route) {
  const response = await fetch(new URL(route, root), { headers: session ? { "X-PG-Session": session } : {} });
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
