// The post-mortem as it stands now, in a frame in which no script can run.

import { CallError, getFile, getText } from "./api.js";
import { byId, download, h } from "./dom.js";
import { state, whenChanged } from "./state.js";

// The browser lets only this policy turn text into a document, and only the frame below uses it.
const policy = window.trustedTypes?.createPolicy("backout-report", { createHTML: (text) => text });

let shownFor = null;

const path = (form) => `/api/incidents/${encodeURIComponent(state.id)}/report.${form}`;

async function save(form) {
  await orProblem(async () => download(`${state.id}.${form}`, await getFile(path(form))));
}

async function orProblem(work) {
  const problem = byId("report-problem");
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    problem.textContent = `The report could not be read: ${error.message}`;
  }
}

// The page's policy forbids inline styles, and a frame inherits it (the browser's console says so); the report's own are
// put back as style sheets. Only style goes this way: the frame's sandbox has no scripts, forms or pop-ups.
function dress(frame) {
  const page = frame.contentDocument;
  page.adoptedStyleSheets = [...page.querySelectorAll("style")].map((style) => {
    const sheet = new frame.contentWindow.CSSStyleSheet({ media: style.media });
    sheet.replaceSync(style.textContent);
    return sheet;
  });
  for (const node of page.querySelectorAll("[style]")) node.style.cssText = node.getAttribute("style");
  frame.classList.add("ready");
}

async function show() {
  shownFor = state.id;
  await orProblem(async () => {
    const id = state.id;
    const text = await getText(path("html"));
    if (state.id !== id) return; // another incident was opened meanwhile, and its report is on its way
    const frame = h("iframe", { class: "report", title: "Post-mortem", sandbox: "allow-same-origin allow-modals", id: "report-frame" });
    frame.addEventListener("load", () => dress(frame));
    frame.srcdoc = policy ? policy.createHTML(text) : text;
    byId("report-place").replaceChildren(frame);
  });
}

byId("panel-report").append(
  h("div", { class: "bar" },
    h("button", { class: "button small", type: "button", onclick: show }, "Read anew"),
    h("button", { class: "button small", type: "button", onclick: () => save("md") }, "Save as Markdown"),
    h("button", { class: "button small", type: "button", onclick: () => save("html") }, "Save as HTML"),
    h("button", { class: "button small", type: "button", onclick: () => save("pdf") }, "Save as PDF"),
    h("button", { class: "button small", type: "button", onclick: () => byId("report-frame")?.contentWindow.print() }, "Print")),
  h("p", { class: "problem", id: "report-problem", role: "status" }),
  h("div", { id: "report-place", class: "report-place" }));

whenChanged(() => {
  if (state.tab !== "report" || !state.id || shownFor === state.id) return;
  byId("report-place").replaceChildren();
  show();
});
