// Talks to the bot. The token travels in a header only, never in an address, and lives in this browser tab.

const TOKEN_KEY = "backout-token";
const SILENCE_LIMIT_MS = 40_000; // the bot says something every 15 seconds, so longer silence is a dead line

export const token = {
  get: () => sessionStorage.getItem(TOKEN_KEY),
  set: (value) => sessionStorage.setItem(TOKEN_KEY, value),
  clear: () => sessionStorage.removeItem(TOKEN_KEY),
};

// `status` 0: no answer came, and whether the bot took it is not known.
export class CallError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const headers = () => ({ Authorization: `Bearer ${token.get() ?? ""}` });

async function call(path, options = {}) {
  try {
    return await fetch(path, { cache: "no-store", ...options, headers: { ...headers(), ...options.headers } });
  } catch {
    throw new CallError(0, "No answer came from the bot.");
  }
}

async function words(response) {
  try {
    return (await response.json()).text;
  } catch {
    return `The bot answered ${response.status}.`;
  }
}

async function get(path) {
  const response = await call(path);
  if (!response.ok) throw new CallError(response.status, await words(response));
  return response;
}

export async function getText(path) {
  return (await get(path)).text();
}

export async function getFile(path) {
  return (await get(path)).blob();
}

export async function getJson(path) {
  return JSON.parse(await getText(path));
}

// Sends, and returns the reply {ok, text, …}; a refusal is a reply too. One delivery id a press: a repeat has one effect.
// The bot says at once that it has it (`received` is called then), and the reply is waited for apart.
export async function send(path, body, deliveryId, received = () => {}) {
  let response = await call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: "respond-async" },
    body: JSON.stringify({ ...body, delivery_id: deliveryId }),
  });
  const acknowledged = response.status === 202;
  if (acknowledged) received();
  while (response.status === 202) response = await call(`/api/replies/${encodeURIComponent(deliveryId)}?wait=25`);
  if (response.ok || response.status === 409) return response.json();
  if (acknowledged && response.status === 404) throw new CallError(0, "The bot was started anew before its reply was read.");
  throw new CallError(response.status, await words(response));
}

export function newDeliveryId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Reads the event stream until it ends, calling `opened` once and `changed` for each incident id. An EventSource
// cannot send the token in a header, so the stream is read by hand. Rejects when the line is cut or silent.
export async function readEvents({ opened, changed }) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), SILENCE_LIMIT_MS);
  try {
    const response = await call("/api/events", { signal: stop.signal });
    if (!response.ok) throw new CallError(response.status, await words(response));
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), SILENCE_LIMIT_MS);
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data: ")) changed(JSON.parse(line.slice(6)).id);
    }
  } finally {
    clearTimeout(timer);
  }
}

// Returns a function that runs `work` one at a time. Calls that come meanwhile lead to one more turn, not to many.
export function oneAtATime(work) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      running = false;
    }
  };
}
