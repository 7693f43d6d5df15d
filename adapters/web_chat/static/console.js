// Starts the page: sign-in, the views, the keys, and the line to the bot.

import { CallError, getJson, oneAtATime, readEvents, token } from "./api.js";
import "./loss.js";
import "./report.js";
import "./timeline.js";
import { byId, h, keyed } from "./dom.js";
import { inSight, showDecision, step } from "./messages.js";
import { closeSide } from "./overview.js";
import { TABS, askedLast, changed, go, openDecisions, readAddress, state, whenChanged } from "./state.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;
const PROBLEM_KEY = "backout-problem"; // why the sign-in is asked for again, over the loading of the page

// ---- the line to the bot

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function followEvents() {
  let retry = FIRST_RETRY_MS;
  while (token.get()) {
    try {
      await readEvents({ opened: () => { retry = FIRST_RETRY_MS; connected(true); refresh(); }, changed: () => refresh() });
    } catch (error) {
      if (error instanceof CallError && [401, 403].includes(error.status)) {
        signOut(error.message);
        return;
      }
    }
    connected(false);
    await pause(retry);
    retry = Math.min(retry * 2, LAST_RETRY_MS);
  }
}

function connected(yes) {
  const line = byId("connection");
  if (!yes && line.hidden) {
    line.textContent = `Connection to the bot lost. What you see is as of ${new Date(state.receivedAt || Date.now()).toLocaleTimeString()}. Work on the host goes on; trying again…`;
  }
  line.hidden = yes;
}

// Reads everything that is shown.
const refresh = oneAtATime(async () => {
  try {
    await readAll();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (error.status === 401) signOut(error.message);
  }
});

async function readAll() {
  const { person } = await getJson("/api/person");
  const incidents = await getJson("/api/incidents");
  const wanted = readAddress();
  const shown = incidents.find((one) => one.id === wanted.id) ?? incidents.find((one) => !one.closed_at) ?? incidents[0];
  const incident = shown ? await getJson(`/api/incidents/${encodeURIComponent(shown.id)}`) : null;
  Object.assign(state, { person, incidents, incident, id: incident?.id ?? null, tab: wanted.tab, receivedAt: Date.now() });
  changed();
}

// ---- the views

function drawTabs() {
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === state.tab));
    tab.tabIndex = name === state.tab ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== state.tab;
  }
}

// Says that a decision waits, while its buttons are out of sight.
function drawWaiting() {
  const open = openDecisions();
  const [first] = askedLast();
  const bar = byId("waiting");
  bar.hidden = open.length === 0 || (state.tab === "channel" && inSight(first));
  if (bar.hidden) return;
  const words = open.length > 1 ? `${open.length} decisions wait. ${first.question}` : `A decision waits: ${first.question}`;
  keyed(bar, [
    { key: "words", signature: words, build: () => h("span", {}, words) },
    {
      key: "show", signature: "", build: () => h("button", { type: "button", class: "button small primary", "data-focus": "show", onclick: toDecision },
        "Show it", h("span", { class: "keyed" }, " (d)")),
    },
  ]);
}

function onAddress() {
  closeSide();
  state.tab = readAddress().tab;
  changed();
  refresh();
}

const openTab = (name) => { if (state.id) go(state.id, name); };

function toDecision() {
  if (!openDecisions().length) return;
  openTab("channel");
  state.tab = "channel";
  changed();
  showDecision();
}

function onTabKey(event) {
  const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!direction) return;
  const name = TABS.at((TABS.indexOf(state.tab) + direction) % TABS.length);
  openTab(name);
  byId(`tab-${name}`).focus();
}

// ---- the keys

const typing = (target) => target.closest("input, textarea, select, dialog") !== null;

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || byId("app").hidden) return;
  const tab = TABS[Number(event.key) - 1];
  const actions = { "/": () => byId("command").focus(), "?": openKeys, j: () => step(1), k: () => step(-1), d: toDecision, Escape: closeSide };
  const action = tab ? () => openTab(tab) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

const openKeys = () => byId("keys").showModal();

// ---- sign-in

// Opens the page; a wrong token comes back here by the first call. A bot that is away is waited for.
function signIn() {
  byId("sign-in").hidden = true;
  byId("app").hidden = false;
  changed();
  followEvents();
}

// Forgets the token and, by loading the page anew, everything that was read with it.
function signOut(problem = "") {
  token.clear();
  sessionStorage.setItem(PROBLEM_KEY, problem);
  location.reload();
}

function askForToken() {
  byId("token-problem").textContent = sessionStorage.getItem(PROBLEM_KEY) ?? "";
  sessionStorage.removeItem(PROBLEM_KEY);
  byId("sign-in").hidden = false;
  byId("token").focus();
}

byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = byId("token").value.trim();
  byId("token").value = "";
  if (!/^[\x21-\x7e]+$/.test(given)) { // no header can carry it, so no token is like that
    byId("token-problem").textContent = "This is not a token: it has spaces or letters that no token has.";
    return;
  }
  token.set(given);
  signIn();
});
byId("sign-out").addEventListener("click", () => signOut());
byId("keys-open").addEventListener("click", openKeys);
for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => openTab(name));
document.querySelector(".tabs").addEventListener("keydown", onTabKey);
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", onAddress);
byId("panel-channel").addEventListener("scroll", drawWaiting);
whenChanged(() => { drawTabs(); drawWaiting(); });

if (token.get()) signIn();
else askForToken();
