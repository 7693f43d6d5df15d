// The command box: completion under it, and the answer in place.

import { CallError, getJson, newDeliveryId, send } from "./api.js";
import { replyView } from "./decisions.js";
import { byId, factsView, h, tableView } from "./dom.js";
import { go, state, whenChanged } from "./state.js";

const TYPING_PAUSE_MS = 80;
const HISTORY_LIMIT = 50;
const READING_MS = 1500; // an answer stays at least so long

const box = byId("command");
const list = byId("completions");
let offered = [];
let chosen = -1; // index in `offered`, -1: none
let timer = 0;
let asked = 0; // counts questions, so that a late answer to an old one is dropped
let sending = false;
let begun = null; // {operation, at}: the work that the shown answer speaks of, and since when it is shown
let unanswered = null; // {text, delivery}: sent, and no answer came
const history = [];
let past = 0;

// Puts a command into the box, to be looked at and sent; nothing is sent by itself.
export function putCommand(text) {
  box.value = text;
  box.focus();
  const gap = /<[^>]+>/.exec(text); // `<file>`: what a person must fill in is marked, so that typing replaces it
  box.setSelectionRange(gap ? gap.index : text.length, gap ? gap.index + gap[0].length : text.length);
  ask();
}

function drawList() {
  list.hidden = offered.length === 0;
  box.setAttribute("aria-expanded", String(offered.length > 0));
  list.replaceChildren(...offered.map((one, index) => h("li", {
    role: "option", id: `completion-${index}`, "aria-selected": String(index === chosen),
    onmousedown: (event) => { event.preventDefault(); accept(index); },
  }, h("code", {}, one.text), h("span", { class: "quiet" }, one.summary))));
  if (chosen >= 0) {
    box.setAttribute("aria-activedescendant", `completion-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  } else box.removeAttribute("aria-activedescendant");
}

function offer(found) {
  offered = found;
  chosen = -1;
  drawList();
}

function dismiss() {
  asked += 1;
  clearTimeout(timer);
  offer([]);
}

function accept(index) {
  putCommand(offered[index].text);
}

function ask() {
  clearTimeout(timer);
  timer = setTimeout(askNow, TYPING_PAUSE_MS);
}

async function askNow() {
  asked += 1;
  const mine = asked;
  const text = box.value;
  if (!text.startsWith("/")) {
    offer([]);
    return;
  }
  const query = new URLSearchParams({ text, channel: state.incident?.channel ?? "" });
  let found = [];
  try {
    found = await getJson(`/api/completions?${query}`);
  } catch (error) {
    if (!(error instanceof CallError)) throw error; // without completion one can still type
  }
  if (mine === asked) offer(found.filter((one) => one.text !== text));
}

function showReply(reply) {
  begun = reply.ok && (reply.operation_id || reply.decision_id) ? { operation: reply.operation_id, at: Date.now() } : null;
  if (begun) setTimeout(dropOldReply, READING_MS + 50);
  byId("reply").replaceChildren(h("div", { class: "reply-card" },
    h("button", { class: "link close", type: "button", "aria-label": "Close the answer", onclick: clearReply }, "×"),
    replyView(reply),
    reply.facts?.length ? factsView(reply.facts) : null,
    reply.table ? tableView("Answer", reply.table.columns, reply.table.rows, reply.table.numeric) : null,
    reply.suggestions?.length ? h("ul", { class: "suggestions" }, reply.suggestions.map((text) =>
      h("li", {}, h("button", { class: "command", type: "button", onclick: () => putCommand(text) }, h("code", {}, text))))) : null));
}

function clearReply() {
  byId("reply").replaceChildren();
  box.focus();
}

// Takes away the answer to a command whose work has ended or whose question is shown: the channel says more by now.
function dropOldReply() {
  if (!begun || Date.now() - begun.at < READING_MS) return;
  if (begun.operation && state.incident?.operation?.id === begun.operation) return;
  begun = null;
  byId("reply").replaceChildren();
}

async function submit(event) {
  event.preventDefault();
  const text = box.value.trim();
  if (!text || sending) return;
  dismiss();
  // The same text again after a lost line is the same delivery: it has one effect.
  if (unanswered?.text !== text) unanswered = { text, delivery: newDeliveryId() };
  setSending(true);
  try {
    const channel = state.incident?.channel;
    const reply = await send("/api/commands", channel ? { text, channel } : { text }, unanswered.delivery, () => {
      byId("send").textContent = "Received…";
    });
    unanswered = null;
    remember(text);
    showReply(reply);
    if (reply.ok) box.value = "";
    if (reply.ok && reply.incident_id && reply.incident_id !== state.id) go(reply.incident_id);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const again = error.status === 0 ? " It is not known whether it took the command. Sending it again is safe: it counts once." : "";
    showReply({ ok: false, text: error.message + again });
  } finally {
    setSending(false);
  }
}

function setSending(value) {
  sending = value;
  byId("send").textContent = value ? "Sending…" : "Send";
}

function remember(text) {
  if (history.at(-1) !== text) history.push(text);
  if (history.length > HISTORY_LIMIT) history.shift();
  past = history.length;
}

function recall(direction) {
  past = Math.min(Math.max(past + direction, 0), history.length);
  putText(history[past] ?? "");
}

function putText(text) {
  box.value = text;
  dismiss();
}

function move(direction) {
  chosen = (chosen + direction + offered.length + (chosen < 0 && direction < 0 ? 1 : 0)) % offered.length;
  drawList();
}

function onKey(event) {
  if (event.key === "Escape") {
    if (offered.length) dismiss();
    else if (byId("reply").firstChild) clearReply();
    else box.blur();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const direction = event.key === "ArrowDown" ? 1 : -1;
    if (offered.length) move(direction);
    else recall(direction);
  } else if (event.key === "Tab" && !event.shiftKey && offered.length) accept(Math.max(chosen, 0));
  else if (event.key === "Enter" && chosen >= 0) accept(chosen);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

box.addEventListener("input", ask);
box.addEventListener("keydown", onKey);
box.addEventListener("blur", dismiss);
byId("command-form").addEventListener("submit", submit);
whenChanged(() => {
  box.placeholder = state.incident ? "/ for commands" : "/incident start …";
  dropOldReply();
});
