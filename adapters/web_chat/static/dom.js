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

// Returns text with **bold** and `code` as nodes; everything else stands as it was written.
export function rich(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(/\*\*([^\n]+?)\*\*|`([^`\n]+)`/g)) {
    nodes.push(text.slice(end, found.index));
    nodes.push(found[1] === undefined ? h("code", {}, found[2]) : h("strong", {}, found[1]));
    end = found.index + found[0].length;
  }
  return [...nodes, text.slice(end)].filter((node) => node !== "");
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

// Returns a table that scrolls by itself where it is too wide, so that the page never does.
export function tableView(label, columns, rows, numeric = []) {
  const side = (index) => (numeric.includes(index) ? "number" : null);
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((name, i) => h("th", { scope: "col", class: side(i) }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) => h("td", { class: side(i) }, cell)))))));
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
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
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
  const target = onNode ? fresh : focusKey && fresh.querySelector(`[data-focus="${CSS.escape(focusKey)}"]`);
  if (target) {
    target.focus({ preventScroll: true });
    if (target.type === "text") target.setSelectionRange(target.value.length, target.value.length);
  }
}

// Hands a text to the browser as a file.
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
