// The command box: completion under it, and the answer in place.

import { CallError, getJson, newDeliveryId, send } from "./api.js";
import { replyView } from "./decisions.js";
import { byId, h, rich, tableView } from "./dom.js";
import { go, state } from "./state.js";

const TYPING_PAUSE_MS = 80;
const HISTORY_LIMIT = 50;

const box = byId("command");
const list = byId("completions");
let offered = [];
let chosen = -1; // index in `offered`, -1: none
let timer = 0;
let asked = 0; // counts questions, so that a late answer to an old one is dropped
let sending = false;
let unanswered = null; // {text, delivery}: sent, and no answer came
const history = [];
let past = 0;

// Puts a command into the box, to be looked at and sent; nothing is sent by itself.
export function putCommand(text) {
  box.value = text;
  box.focus();
  box.setSelectionRange(text.length, text.length);
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
  byId("reply").replaceChildren(h("div", { class: "reply-card" },
    h("button", { class: "link close", type: "button", "aria-label": "Close the answer", onclick: clearReply }, "×"),
    replyView(reply),
    reply.facts?.length ? h("dl", { class: "facts" }, reply.facts.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, rich(value))))) : null,
    reply.table ? tableView("Answer", reply.table.columns, reply.table.rows, reply.table.numeric) : null,
    reply.suggestions?.length ? h("ul", { class: "suggestions" }, reply.suggestions.map((text) =>
      h("li", {}, h("button", { class: "command", type: "button", onclick: () => putCommand(text) }, h("code", {}, text))))) : null));
}

function clearReply() {
  byId("reply").replaceChildren();
  box.focus();
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
    const reply = await send("/api/commands", channel ? { text, channel } : { text }, unanswered.delivery);
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
