// What the page knows. Everything shown is drawn from here; `changed` draws it again.

export const TABS = ["channel", "loss", "timeline", "report"];

export const state = {
  person: "",
  incidents: [],
  id: null, // of the incident that is shown
  incident: null,
  receivedAt: 0, // when it was read, in ms of this browser's clock
  tab: "channel",
};

const drawers = [];

export const whenChanged = (draw) => drawers.push(draw);

export function changed() {
  for (const draw of drawers) draw();
}

// Oldest first, as the bot tells them.
export const openDecisions = () => (state.incident?.decisions ?? []).filter((one) => one.state === "open");

// Returns the open questions that were asked last, together: what people have to answer now. Older ones may stay open for days.
export function askedLast() {
  const open = openDecisions();
  return open.filter((one) => one.opened_at === open.at(-1)?.opened_at);
}

// Goes to an incident and a view by the address, so that Back works and a link can be sent.
export function go(id, tab = "channel") {
  location.hash = `#/${encodeURIComponent(id)}/${tab}`;
}

export function readAddress() {
  const [, id, tab] = location.hash.split("/");
  let name = null;
  try {
    name = id ? decodeURIComponent(id) : null;
  } catch {
    name = null; // a damaged link shows the newest incident
  }
  return { id: name, tab: TABS.includes(tab) ? tab : "channel" };
}
