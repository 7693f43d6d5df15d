// What is true now: the headline with the time that the site is down, the incidents, and the eleven steps.

import { byId, clock, h, keyed, rich, sign, span, toneOf, toneSign } from "./dom.js";
import { showStepMessage } from "./messages.js";
import { go, openDecisions, state, whenChanged } from "./state.js";

const STATUS = {
  waiting: ["○", "waiting"],
  running: ["↻", "running"],
  done: ["✓", "done"],
  failed: ["✕", "failed"],
  refused: ["⊘", "refused"],
  skipped: ["–", "skipped"],
  unknown: ["?", "outcome unknown"],
};

// Seconds of downtime until now. The bot's figure counts from when it was read, so that a wrong clock here does no harm.
function downSeconds({ down_since: since, downtime_s: until }) {
  if (!since) return until;
  return until + (Date.now() - state.receivedAt) / 1000;
}

function drawHeadline() {
  const incident = state.incident;
  const bar = byId("headline");
  bar.className = `headline tone-${toneOf(incident?.tone)}`;
  keyed(bar, [{
    key: "headline",
    signature: JSON.stringify([incident?.id, incident?.headline, incident?.tone, incident?.title, incident?.down_since, incident?.operation, incident?.closed_at, progressOf(incident)]),
    build: () => h("div", { class: "headline-row" }, incident ? headline(incident) : h("h1", {}, "Backout")),
  }]);
  tick();
  const waits = openDecisions().length ? "(decision) " : "";
  document.title = incident ? `${toneSign(incident.tone)} ${waits}${incident.site}: ${incident.headline}` : "Backout";
}

// Returns how far the present work is, in words, so that it is seen wherever one has scrolled to.
function progressOf(incident) {
  const working = incident?.operation ? incident.messages.filter((one) => one.tone === "working" && one.progress?.total > 0) : [];
  const { what, done, total } = working.at(-1)?.progress ?? {};
  return what ? ` · ${what}: ${Math.floor((100 * done) / total)} %` : "";
}

function headline(incident) {
  const { operation } = incident;
  return [
    sign(incident.tone),
    h("div", { class: "headline-text" },
      h("p", { class: "quiet place" }, h("strong", {}, incident.site), ` · ${incident.id}`, incident.closed_at ? " · closed" : "",
        h("span", { class: "more" }, ` · ${incident.title}`)),
      h("h1", {}, rich(incident.headline)),
      operation ? h("p", { class: "quiet" }, `At work for ${operation.person} since `, clock(operation.since), progressOf(incident)) : null),
    h("p", { class: "down" }, h("span", { class: "quiet", id: "down-label" }), h("span", { class: "down-time", id: "down-time" })),
  ];
}

function tick() {
  const incident = state.incident;
  const time = byId("down-time");
  if (!incident || !time) return;
  const seconds = downSeconds(incident);
  time.textContent = seconds > 0 || incident.down_since ? span(seconds) : "";
  byId("down-label").textContent = incident.down_since ? "Down for" : seconds > 0 ? "Was down for" : "";
}

function drawIncidents() {
  keyed(byId("incidents"), state.incidents.map((one) => ({
    key: one.id,
    signature: JSON.stringify([one, one.id === state.id]),
    build: () => h("li", {},
      h("button", {
        type: "button", class: `incident ${one.closed_at ? "closed" : ""}`, "data-focus": one.id,
        "aria-current": one.id === state.id ? "true" : null, onclick: () => go(one.id, state.tab),
      },
      sign(one.tone), h("span", {}, h("strong", {}, one.site), h("span", { class: "quiet" }, ` ${one.id}`),
        h("span", { class: "incident-title" }, one.closed_at ? `${one.title} · closed` : one.title)))),
  })));
}

function stepView(one) {
  const [mark, word] = STATUS[one.status] ?? STATUS.unknown;
  return h("li", { class: `step ${one.status}`, "aria-current": one.status === "running" ? "step" : null },
    h("button", { type: "button", "data-focus": `step:${one.number}`, onclick: () => { closeSide(); go(state.id); showStepMessage(one.number); } },
      h("span", { class: "step-mark", "aria-hidden": "true" }, mark),
      h("span", { class: "step-text" },
        h("span", { class: "step-name" }, `${one.number} ${one.name}`, h("span", { class: "unseen" }, ` (${word})`)),
        one.note ? h("span", { class: "quiet step-note", title: one.note }, one.note) : null)));
}

function drawSteps() {
  const steps = state.incident?.steps ?? [];
  byId("steps-title").hidden = steps.length === 0;
  keyed(byId("steps"), steps.map((one) => ({
    key: `${state.id} ${one.number}`, signature: JSON.stringify(one), build: () => stepView(one),
  })));
  byId("side-toggle").textContent = whereNow(steps);
}

// Returns the first waiting step after the last one that was begun; one that was passed over does not come up again.
function nextWaiting(steps) {
  const last = steps.findLastIndex((one) => one.status !== "waiting");
  return steps.slice(last + 1)[0];
}

// Returns one line that says where the incident stands, for a narrow screen.
function whereNow(steps) {
  const now = steps.find((one) => !["done", "skipped", "waiting"].includes(one.status)) ?? nextWaiting(steps);
  if (state.incident?.closed_at) return "Closed · steps and incidents";
  if (!now) return steps.length ? "All steps done" : "Incidents";
  return `Step ${now.number} of ${steps.length} · ${now.name} · ${(STATUS[now.status] ?? STATUS.unknown)[1]}`;
}

export function closeSide() {
  byId("side").classList.remove("open");
  byId("side-toggle").setAttribute("aria-expanded", "false");
}

byId("side-toggle").addEventListener("click", () => {
  const open = byId("side").classList.toggle("open");
  byId("side-toggle").setAttribute("aria-expanded", String(open));
});
whenChanged(() => {
  drawHeadline();
  drawIncidents();
  drawSteps();
  byId("person").textContent = state.person;
});
setInterval(tick, 1000);
