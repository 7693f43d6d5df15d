// The record: every entry with its time and its person, oldest first.

import { CallError, getJson, oneAtATime } from "./api.js";
import { byId, clock, h, keyed, plural, rich, sign } from "./dom.js";
import { state, whenChanged } from "./state.js";

// Entries that tell how, not what: left out of the short view.
const DETAILS = new Set(["host.command", "command", "refused", "note", "backups.listed", "backup.inspected", "watch", "paged", "rung"]);
const BAD = /\.failed$|\.broken$|^refused$/;
const UNSURE = /unknown|^escalated$|^operation\.cancelled$|\.void$/;
const GOOD = /\.done$|^reopened$|\.proven$|^decision\.answered$|^approved$|^incident\.closed$/;

let held = { id: null, entries: [], problem: "" };
let all = false;

function toneOfKind(kind) {
  if (BAD.test(kind)) return "bad";
  if (UNSURE.test(kind)) return "warning";
  return GOOD.test(kind) ? "good" : "neutral";
}

function entryView(entry) {
  const host = entry.kind === "host.command";
  return h("li", { class: host ? "entry host" : "entry" },
    clock(entry.at), sign(host ? toneOfExit(entry.data) : toneOfKind(entry.kind)),
    h("div", {},
      h("span", { class: "quiet actor" }, entry.actor), " ",
      host ? hostView(entry) : h("span", { class: "body" }, rich(entry.text))));
}

const toneOfExit = ({ exit_status: status }) => (status === 0 ? "good" : typeof status === "number" ? "bad" : "warning");

function hostView({ data, text }) {
  const exit = typeof data.exit_status === "number" ? `exit ${data.exit_status}` : "outcome unknown";
  const took = typeof data.duration_s === "number" ? ` · ${data.duration_s.toFixed(data.duration_s < 10 ? 2 : 0)} s` : "";
  return h("span", {}, h("code", {}, rich(data.command ?? text)), h("span", { class: "quiet" }, ` ${data.host ?? ""} · ${exit}${took}`));
}

function filterView() {
  const radio = (value, label) => h("label", {},
    h("input", { type: "radio", name: "timeline-filter", "data-focus": `filter:${value}`, checked: all === value, onchange: () => { all = value; draw(); } }), label);
  return h("fieldset", { class: "filter" }, h("legend", { class: "unseen" }, "Show"), radio(false, "Decisions and steps only"), radio(true, "Everything"));
}

// Tells whether an entry says nothing that the one before it, or the answer right after it, does not say.
function repeats(entry, before) {
  if (entry.kind === "decision.voted") return entry.text.endsWith("(1 of 1)");
  return entry.kind.startsWith("step.") && entry.text === before?.text;
}

// Returns the short view: what was decided and what came of it.
function shortView(entries) {
  const kept = [];
  for (const entry of entries) {
    if (DETAILS.has(entry.kind) || repeats(entry, kept.at(-1))) continue;
    kept.push(entry);
  }
  return kept;
}

function draw() {
  const entries = held.id === state.id ? held.entries : [];
  const visible = all ? entries : shortView(entries);
  const panel = byId("panel-timeline");
  keyed(panel, [
    { key: "filter", signature: String(all), build: filterView },
    { key: "problem", signature: held.problem, build: () => h("p", { class: "problem", role: "status" }, held.problem) },
    { key: "entries", signature: "", build: () => h("ol", { class: "entries" }) },
    { key: "end", signature: `${entries.length} ${visible.length} ${entries.at(-1)?.hash}`, build: () => h("p", { class: "quiet" }, endWords(entries, visible)) },
  ]);
  keyed(panel.querySelector(".entries"), visible.map((entry) => ({
    key: `${state.id} ${entry.sequence}`, signature: entry.hash, build: () => entryView(entry),
  })));
}

function endWords(entries, visible) {
  if (!entries.length) return "No entries yet.";
  const hidden = entries.length - visible.length;
  return `${plural(entries.length, "entry")}${hidden ? `, ${hidden} not shown here` : ""}; last hash ${entries.at(-1).hash.slice(0, 12)}`.replace("entrys", "entries");
}

// Reads what was added since the last time.
const readOn = oneAtATime(async () => {
  if (state.tab !== "timeline" || !state.id) return;
  if (held.id !== state.id) held = { id: state.id, entries: [], problem: "" };
  const reading = held;
  try {
    const after = reading.entries.at(-1)?.sequence ?? 0;
    reading.entries.push(...await getJson(`/api/incidents/${encodeURIComponent(reading.id)}/timeline?after=${after}`));
    reading.problem = "";
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    reading.problem = `The timeline could not be read: ${error.message}`;
  }
  draw();
});

whenChanged(() => {
  if (state.tab === "timeline") draw();
  readOn();
});
