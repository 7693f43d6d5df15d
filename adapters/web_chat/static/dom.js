// Builds the page's elements. Text from the server becomes text, never markup: nothing here parses HTML.

export const byId = (id) => document.getElementById(id);

// Returns an element. `on…` properties are listeners, true sets an empty attribute, null and false leave it out.
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const TONES = {
  neutral: ["•", ""],
  working: ["↻", "At work: "],
  good: ["✓", "Good: "],
  warning: ["!", "Warning: "],
  bad: ["✕", "Bad: "],
};

export const toneOf = (tone) => (tone in TONES ? tone : "neutral");
export const toneWord = (tone) => TONES[toneOf(tone)][1];
export const toneSign = (tone) => TONES[toneOf(tone)][0];

// Returns the sign of a tone in its colour, with the word for those who do not see it.
export function sign(tone) {
  return h("span", { class: `sign tone-${toneOf(tone)}` },
    h("span", { "aria-hidden": "true" }, toneSign(tone)),
    h("span", { class: "unseen" }, toneWord(tone)));
}

const LONG_PATH = 34; // a path longer than this is cut to its end
const LONG_FACT = 56; // a longer fact would be a narrow tower in a column
const LONG_HASH = 12; // of a hash, so many digits tell it from any other that a person meets

// Returns text with **bold** and `code` as nodes, and long paths and hashes cut; everything else stands as it was written.
export function rich(text) {
  return pieces(text, /\*\*([^\n]+?)\*\*|`([^`\n]+)`/g, ([, bold, code]) =>
    bold === undefined ? h("code", {}, brief(code)) : h("strong", {}, brief(bold)), brief);
}

// Returns text with long paths and hashes cut. The whole shows when one points at it, and stays when one presses it.
const brief = (text) => pieces(text, /(?:\/[^\s/,;:()'"]+){3,}|\b[0-9a-f]{40,64}\b|SHA256:[\w+/]{43}/g, ([whole]) => {
  const short = whole.startsWith("/") ? shortPath(whole) : `${whole.slice(0, whole.startsWith("SHA") ? 7 + LONG_HASH : LONG_HASH)}…`;
  return short === whole ? whole : cut(whole, short);
}, (rest) => [rest]);

function shortPath(path) {
  if (path.length <= LONG_PATH) return path;
  const parts = path.split("/");
  const two = parts.slice(-2).join("/");
  return `…/${two.length > LONG_PATH ? parts.at(-1) : two}`;
}

function cut(whole, short) {
  const node = h("button", { type: "button", class: "cut", title: whole, "data-focus": `cut:${whole}` }, short);
  node.addEventListener("click", () => { node.textContent = node.textContent === short ? whole : short; });
  return node;
}

// Returns labelled facts; a long one gets a line of its own.
export function factsView(facts) {
  return h("dl", { class: "facts" }, facts.map(([label, value]) => {
    const nodes = rich(value);
    const length = nodes.reduce((sum, node) => sum + (node.textContent ?? node).length, 0);
    return h("div", { class: length > LONG_FACT ? "wide" : null }, h("dt", {}, label), h("dd", {}, nodes));
  }));
}

function pieces(text, pattern, build, between) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(pattern)) {
    nodes.push(...between(text.slice(end, found.index)), build(found));
    end = found.index + found[0].length;
  }
  return [...nodes, ...between(text.slice(end))].filter((node) => node !== "");
}

const grouped = new Intl.NumberFormat("en");
export const number = (value) => (typeof value === "number" ? grouped.format(value) : "–");

const two = (value) => String(value).padStart(2, "0");

// Returns the local time of day as an element; the full time in UTC shows when one points at it.
export function clock(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return h("span", {}, "–");
  const utc = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return h("time", { datetime: at.toISOString(), title: utc },
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`);
}

// Returns seconds as 4:05 or 1:02:09.
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function plural(count, word) {
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
}

const LONG_CELL = 24; // a longer name breaks into lines
const TEXT_CELL = 60; // a longer text does so in a wide column

// Returns a table that scrolls by itself where it is too wide, so that the page never does.
export function tableView(label, columns, rows, numeric = []) {
  const side = (index, cell = "") => (numeric.includes(index) ? "number" : cell.length > TEXT_CELL ? "text" : cell.length > LONG_CELL ? "long" : null);
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((name, i) => h("th", { scope: "col", class: side(i) }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) => h("td", { class: side(i, cell) }, typeof cell === "string" ? rich(cell) : cell)))))));
}

const signatures = new WeakMap();

// Makes the children of `parent` those of `items` ({key, signature, build}), in that order. A child whose signature is
// the same stays untouched; one that is built anew keeps focus, open details and the scroll of its tables.
export function keyed(parent, items) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    let node = old.get(item.key);
    old.delete(item.key);
    if (!node || signatures.get(node) !== item.signature) {
      const fresh = item.build();
      fresh.dataset.key = item.key;
      signatures.set(fresh, item.signature);
      if (node) {
        if (place === node) place = fresh;
        replaceKeeping(node, fresh);
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else moveBefore(parent, node, place);
  }
  for (const node of old.values()) node.remove();
}

function moveBefore(parent, node, place) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(node, place);
  focused?.focus({ preventScroll: true });
}

function replaceKeeping(node, fresh) {
  const active = document.activeElement;
  const focusKey = node.contains(active) ? active.dataset.focus : undefined;
  const onNode = node === active;
  for (const details of node.querySelectorAll("details[open]")) {
    fresh.querySelector(`details[data-keep="${CSS.escape(details.dataset.keep)}"]`)?.setAttribute("open", "");
  }
  const scrolls = [...node.querySelectorAll(".table")].map((table) => table.scrollLeft);
  node.replaceWith(fresh);
  fresh.querySelectorAll(".table").forEach((table, index) => { table.scrollLeft = scrolls[index] ?? 0; });
  const same = focusKey && fresh.querySelector(`[data-focus="${CSS.escape(focusKey)}"]`);
  const target = onNode ? fresh : focusKey && (same || fresh); // a button that is gone leaves the focus with its card
  if (target) {
    target.focus({ preventScroll: true });
    if (target.type === "text") target.setSelectionRange(target.value.length, target.value.length);
  }
}

// Hands a text to the browser as a file.
export function download(name, file) {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
