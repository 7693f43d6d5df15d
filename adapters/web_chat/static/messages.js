// The incident's channel: one card a message, changed in place.

import { decisionSignature, decisionView, settledView } from "./decisions.js";
import { byId, clock, download, factsView, h, keyed, number, plural, rich, sign, tableView, toneOf, toneWord } from "./dom.js";
import { askedLast, openDecisions, state, whenChanged } from "./state.js";
import { putCommand } from "./commandbox.js";

const NEAR_END_PX = 80; // nearer to the end than this, the channel follows what comes in

let shown = { id: null, tones: new Map() };
let restedAt = 0; // where the page itself has scrolled the channel to
let following = true; // until a person scrolls away

function messageView(message, decision) {
  const alone = isQuestion(message, decision); // the card is the question and nothing else
  if (alone && decision.state !== "open") return settledView(decision, message);
  const facts = message.facts.length ? factsView(message.facts) : null;
  return h("article", { class: `message tone-${toneOf(message.tone)}${alone ? " asks" : ""}`, tabindex: "-1", "aria-label": `${toneWord(message.tone)}${message.title}`, "data-message": message.id },
    h("header", {}, sign(message.tone), h("h3", {}, alone ? h("span", { class: "unseen" }, "Decision: ") : null, message.title),
      h("p", { class: "meta quiet" }, message.step ? `Step ${message.step} · ` : "", clock(message.updated_at))),
    message.body ? h("p", { class: "body" }, rich(message.body)) : null,
    alone ? null : facts,
    message.progress ? progressView(message.progress) : null,
    message.table ? tableView(message.title, message.table.columns, message.table.rows, message.table.numeric) : null,
    message.file_text === null || message.file_text === undefined ? null : fileView(message),
    decision ? decisionView(decision, alone) : null,
    alone ? facts : null);
}

const isQuestion = (message, decision) => Boolean(decision) && message.title === decision.question && !message.table;

function progressView({ what, done, total, unit }) {
  const share = total > 0 ? Math.floor((100 * done) / total) : null;
  const label = share === null ? `${what}: ${number(done)} ${unit} so far` : `${what}: ${number(done)} of ${number(total)} ${unit} (${share} %)`;
  const bar = share === null ? h("progress", { "aria-label": label }) : h("progress", { max: total, value: done, "aria-label": label });
  return h("div", { class: "progress" }, bar, h("span", {}, label));
}

function fileView(message) {
  const name = message.file_name ?? "output.txt";
  const lines = message.file_text.split("\n").length;
  return h("details", { class: "file", "data-keep": "file" },
    h("summary", { "data-focus": "file" }, h("code", {}, name), ` · ${plural(lines, "line")}`),
    h("pre", { tabindex: "0" }, message.file_text),
    h("button", { class: "button small", type: "button", onclick: () => download(name, new Blob([message.file_text], { type: "text/plain" })) }, `Save ${name}`));
}

function nextView(title, commands) {
  return h("div", { class: "commands" }, h("span", { class: "quiet" }, title),
    h("ul", {}, commands.map(({ text, summary }) => h("li", {},
      h("button", { class: "command", type: "button", "data-focus": `next:${text}`, onclick: () => putCommand(text) }, h("code", {}, text)),
      summary ? h("span", { class: "quiet" }, summary) : null))));
}

// Returns the cards by the time of their last change, so that the work stands last; after it only the open questions,
// with what the first of those that were asked last is about right above it.
export function items() {
  const decisions = new Map((state.incident?.decisions ?? []).map((one) => [one.id, one]));
  const inOrder = (state.incident?.messages ?? []).map((message) => ({ message, at: changedAt(message, decisions.get(message.decision_id)) })).sort((one, other) => one.at - other.at);
  const messages = inOrder.map(({ message }) => {
    const decision = decisions.get(message.decision_id);
    decisions.delete(message.decision_id);
    return {
      key: message.id,
      step: message.step,
      asks: isQuestion(message, decision) && decision.state === "open" ? decision : null,
      ofStep: message.slot === `step-${message.step}`,
      signature: JSON.stringify([message.revision, message.updated_at, decisionSignature(decision)]),
      build: () => messageView(message, decision),
    };
  });
  // An open decision that no message shows must be reachable all the same.
  const loose = [...decisions.values()].filter((one) => one.state === "open").map((decision) => ({
    key: `decision ${decision.id}`,
    signature: decisionSignature(decision),
    build: () => h("article", { class: "message", tabindex: "-1", "aria-label": decision.question }, decisionView(decision)),
  }));
  const last = new Set(askedLast());
  const now = messages.filter((one) => last.has(one.asks));
  const about = messages.find((one) => one.ofStep && one.step === now[0]?.step);
  const earlier = messages.filter((one) => one.asks && !last.has(one.asks));
  return [...messages.filter((one) => !one.asks && one !== about), ...earlier, ...(about ? [about] : []), ...now, ...loose];
}

// Returns when a card last said something new, in ms; a question does so by its answer.
function changedAt(message, decision) {
  return Date.parse((isQuestion(message, decision) && decision.answered_at) || message.updated_at);
}

function welcome() {
  return h("div", { class: "empty" }, h("h3", {}, "No incident here"),
    h("p", {}, "When a migration lost data, open one. Backout looks first; it changes nothing before you decide."),
    nextView("Begin with", [{ text: "/incident start ", summary: "and the name of the site" }]));
}

function nextOrWelcome(next) {
  if (state.receivedAt > 0 && state.incident === null) return welcome();
  return next.length ? nextView(openDecisions().length ? "Or type a command" : "What you can do next", next) : h("div");
}

// Returns what may be typed now: what the bot offers, and after it what the newest message names besides.
function nextCommands() {
  const { messages, next_commands: offered } = state.incident;
  const newest = messages.reduce((last, one) => (last && last.updated_at > one.updated_at ? last : one), null);
  const known = new Set(offered.map((one) => one.text));
  return [...offered, ...(newest?.next_steps ?? []).filter((text) => !known.has(text)).map((text) => ({ text, summary: "" }))];
}

function announce(fresh) {
  const words = fresh.map((message) => `${toneWord(message.tone)}${message.title}`).join(". ");
  if (words) byId("announce").textContent = words;
}

// Returns the messages that are new, or whose tone or title changed, since the last drawing of the same incident.
function news() {
  const messages = state.incident?.messages ?? [];
  const same = shown.id === state.id;
  const before = shown.tones;
  shown = { id: state.id, tones: new Map(messages.map((one) => [one.id, `${one.tone} ${one.title}`])) };
  return { same, fresh: same ? messages.filter((one) => before.get(one.id) !== shown.tones.get(one.id)) : [] };
}

function draw() {
  const follow = atEnd();
  const { same, fresh } = news();
  keyed(byId("messages"), items());
  const next = state.incident && !state.incident.closed_at ? nextCommands() : [];
  keyed(byId("next"), [{
    key: "next",
    signature: JSON.stringify([state.receivedAt > 0, state.id, openDecisions().length > 0, next]),
    build: () => nextOrWelcome(next),
  }]);
  announce(fresh);
  if (!same || follow) toEnd();
  else if (fresh.length) showNewer(fresh.length);
}

// Tells whether the channel stands where its newest is, or where the page has put it.
function atEnd() {
  const panel = byId("panel-channel");
  return panel.scrollHeight - panel.scrollTop - panel.clientHeight < NEAR_END_PX || Math.abs(panel.scrollTop - restedAt) < 2;
}

// Scrolls to the newest; a question that was asked last and would be cut by that stands at the top.
export function toEnd() {
  const panel = byId("panel-channel");
  panel.scrollTop = panel.scrollHeight;
  const asked = viewOf(askedLast()[0])?.closest("article");
  if (asked && asked.getBoundingClientRect().top < panel.getBoundingClientRect().top) asked.scrollIntoView({ block: "start" });
  restedAt = panel.scrollTop;
  following = true;
  byId("newer").hidden = true;
}

function showNewer(count) {
  const button = byId("newer");
  button.textContent = `↓ ${plural(count, "new message")}`;
  button.hidden = state.tab !== "channel";
}

// Puts the focus on the message after (1) or before (-1) the one that has it; the last one when none has.
export function step(direction) {
  const all = [...document.querySelectorAll("#messages > article")];
  const now = all.findIndex((one) => one.contains(document.activeElement));
  const target = now < 0 ? all.at(-1) : all[now + direction];
  target?.focus();
  target?.scrollIntoView({ block: "nearest" });
}

export function showStepMessage(number) {
  const message = (state.incident?.messages ?? []).filter((one) => one.step === number).at(-1);
  showMessage(message && document.querySelector(`[data-message="${CSS.escape(message.id)}"]`));
}

const viewOf = (decision) => decision && document.querySelector(`[data-decision="${CSS.escape(decision.id)}"]`);

// Tells whether a decision can be seen in the channel, or a good part of it.
export function inSight(decision) {
  const view = viewOf(decision)?.getBoundingClientRect();
  const panel = byId("panel-channel").getBoundingClientRect();
  return Boolean(view) && view.top < panel.bottom - NEAR_END_PX && view.bottom > panel.top + NEAR_END_PX;
}

export function showDecision() {
  const view = viewOf(askedLast()[0]);
  if (!view) return;
  showMessage(view);
  view.querySelector("button")?.focus({ preventScroll: true });
}

function showMessage(node) {
  node?.scrollIntoView({ block: "center" });
  node?.focus({ preventScroll: true });
}

whenChanged(draw);
byId("newer").addEventListener("click", toEnd);
byId("panel-channel").addEventListener("scroll", () => {
  following = atEnd();
  if (following) byId("newer").hidden = true;
});
const resized = new ResizeObserver(() => { if (following) toEnd(); });
resized.observe(byId("panel-channel"));
resized.observe(byId("messages"));
