// A question with its buttons: who chose what, what is asked to be typed along, and what became of it.

import { CallError, newDeliveryId, send } from "./api.js";
import { clock, h, plural, rich, sign } from "./dom.js";
import { changed, state } from "./state.js";

// What this person has begun to answer, by decision id: {typing, typed, sending, reply, delivery, version}.
const drafts = new Map();

function draftOf(id) {
  if (!drafts.has(id)) drafts.set(id, { typing: null, typed: "", sending: null, reply: null, delivery: null, version: 0 });
  return drafts.get(id);
}

function edit(id, change) {
  const draft = draftOf(id);
  Object.assign(draft, change, { version: draft.version + 1 });
  changed();
}

// Returns what a decision looks like now as text, for telling whether it must be drawn anew.
export const decisionSignature = (decision) => JSON.stringify([decision, drafts.get(decision?.id)?.version ?? 0]);

// Returns a decision with its buttons; with `bare` without its words, which the card around it has said.
export function decisionView(decision, bare = false) {
  const draft = draftOf(decision.id);
  const open = decision.state === "open";
  return h("section", { class: `decision ${decision.state}`, "aria-label": `Decision: ${decision.question}`, "data-decision": decision.id },
    open && (!bare || hasChosen(decision)) ? h("p", { class: "tag" }, tagOf(decision)) : null,
    bare ? null : h("h4", {}, decision.question),
    decision.body && !bare ? h("p", { class: "body" }, rich(decision.body)) : null,
    open ? buttons(decision, draft) : outcome(decision),
    open && draft.typing ? typing(decision, draft) : null,
    votes(decision),
    open && decision.expires_at ? h("p", { class: "quiet" }, "Open until ", clock(decision.expires_at)) : null,
    draft.reply && (open || !draft.reply.ok) ? replyView(draft.reply) : null);
}

// Returns a question that is answered, or no longer asked, as one line; what was asked stands behind it.
export function settledView(decision, message) {
  const { reply } = draftOf(decision.id);
  const asked = [decision.body, ...message.facts.map(([label, value]) => `${label}: ${value}`)].filter(Boolean).join("\n");
  return h("article", { class: "message settled", tabindex: "-1", "aria-label": decision.question, "data-message": message.id },
    h("section", { class: `decision ${decision.state}`, "data-decision": decision.id },
      h("details", { "data-keep": "asked" },
        h("summary", { "data-focus": "asked" }, h("h3", {}, decision.question), outcome(decision)),
        h("p", { class: "body quiet" }, rich(asked || "Nothing more was said."))),
      reply && !reply.ok ? replyView(reply) : null));
}

const hasChosen = (decision) => state.person in decision.votes;
const tagOf = (decision) => (hasChosen(decision) ? "You have chosen; more people are asked" : "Decision");

function buttons(decision, draft) {
  return h("div", { class: "choices" }, decision.choices.map((choice) => {
    const mine = decision.votes[state.person] === choice.key;
    return h("button", {
      type: "button",
      class: `button ${choice.style}`,
      "data-focus": `${decision.id}:${choice.key}`,
      "data-choice": choice.key,
      "aria-pressed": mine ? "true" : null,
      "aria-expanded": choice.typed ? String(draft.typing === choice.key) : null,
      "aria-disabled": draft.sending ? "true" : null,
      onclick: () => press(decision, choice),
    }, draft.sending === choice.key ? "Sending…" : choice.label, mine ? " (your vote)" : "");
  }));
}

function press(decision, choice) {
  const draft = draftOf(decision.id);
  if (draft.sending) return;
  if (!choice.typed) {
    vote(decision.id, choice.key, null);
    return;
  }
  edit(decision.id, { typing: choice.key, typed: "", reply: null });
  document.querySelector(`[data-focus="${CSS.escape(`${decision.id}:typed`)}"]`)?.focus();
}

function typing(decision, draft) {
  const choice = decision.choices.find((one) => one.key === draft.typing);
  const confirm = h("button", { class: `button ${choice.style}`, type: "submit", "data-confirm": choice.key }, `Confirm: ${choice.label}`);
  const ready = () => confirm.toggleAttribute("disabled", draft.typed !== choice.typed);
  const cancel = () => {
    edit(decision.id, { typing: null, typed: "" });
    document.querySelector(`[data-focus="${CSS.escape(`${decision.id}:${choice.key}`)}"]`)?.focus();
  };
  const field = h("input", {
    type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "data-focus": `${decision.id}:typed`, id: `typed-${decision.id}`,
    oninput: (event) => { draft.typed = event.target.value; ready(); },
  });
  field.value = draft.typed;
  ready();
  return h("form", {
    class: "typing",
    onsubmit: (event) => { event.preventDefault(); if (draft.typed === choice.typed) vote(decision.id, choice.key, draft.typed); },
    onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); cancel(); } },
  },
  h("label", { for: `typed-${decision.id}` }, "Type ", h("strong", {}, choice.typed), " to confirm"),
  field, confirm, h("button", { class: "button", type: "button", onclick: cancel }, "Cancel"));
}

async function vote(id, choice, typed) {
  const draft = draftOf(id);
  // The id of a press is kept until an answer came: pressed again after a lost line, it has one effect.
  if (draft.delivery?.choice !== choice) draft.delivery = { choice, id: newDeliveryId() };
  edit(id, { sending: choice, reply: null });
  const body = typed === null ? { choice } : { choice, typed };
  let change;
  try {
    const reply = await send(`/api/decisions/${encodeURIComponent(id)}`, body, draft.delivery.id);
    change = { reply, delivery: null, typing: reply.ok ? null : draft.typing };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const again = error.status === 0 ? " It is not known whether your choice was taken. Pressing again is safe: it counts once." : "";
    change = { reply: { ok: false, text: error.message + again } };
  }
  edit(id, { ...change, sending: null });
}

export function replyView(reply) {
  return h("p", { class: `answer ${reply.ok ? "good" : "bad"}`, role: "status" }, sign(reply.ok ? "good" : "bad"), h("span", { class: "body" }, rich(reply.text)));
}

const labelOf = (decision, key) => decision.choices.find((choice) => choice.key === key)?.label ?? key;

function votes(decision) {
  const given = Object.entries(decision.votes);
  if (decision.state !== "open" || (decision.votes_needed < 2 && given.length === 0)) return null;
  const list = given.map(([person, key]) => `${person}: ${labelOf(decision, key)}`).join(", ");
  const needed = decision.votes_needed > 1 ? `${plural(decision.votes_needed, "person")} must agree. `.replace("persons", "people") : "";
  return h("p", { class: "quiet votes" }, needed, given.length ? `So far: ${list}` : "Nobody has chosen yet.");
}

function outcome(decision) {
  if (decision.state === "void") {
    return h("p", { class: "outcome" }, sign("neutral"), h("span", {}, "No longer asked", decision.void_reason ? `: ${decision.void_reason}` : "."));
  }
  return h("p", { class: "outcome" }, sign("good"),
    h("span", {}, h("strong", {}, decision.answered_by ?? "Backout"), " chose ", h("strong", {}, labelOf(decision, decision.answer)), " at ",
      decision.answered_at ? clock(decision.answered_at) : "–"));
}
