// What was lost, per table and column, in figures.

import { byId, h, keyed, number, sign, tableView } from "./dom.js";
import { state, whenChanged } from "./state.js";

const VERDICTS = {
  none: ["good", "Nothing was lost"],
  loss: ["bad", "Data were lost"],
  missing_rows: ["warning", "Rows are missing"],
};
// What became of a table or a column, for which `both` needs no words.
const STATES = { both: "", created: "new", dropped: "dropped" };
const COLUMNS = ["Table", "State", "Rows before", "Rows now", "Missing", "New", "Changed"];
const NUMERIC = [2, 3, 4, 5, 6];

function figures(rows) {
  return h("dl", { class: "totals" }, rows.map(([label, value, bad]) =>
    h("div", { class: bad && value ? "lost" : null }, h("dt", {}, label), h("dd", {}, number(value)))));
}

// Returns what the cut-over gave back, as it was counted on the copy that went live.
function recoveredView({ cutover, rehearsal }) {
  if (cutover !== "done" || !rehearsal?.totals) return null;
  const sums = rehearsal.totals;
  const lost = sums.rows_lost + sums.values_lost + sums.unaccounted;
  return [h("h2", {}, sign(lost ? "warning" : "good"), lost ? "Recovered, but not all of it" : "Recovered: nothing was lost for good"), figures([
    ["Rows put back", sums.rows_restored, false],
    ["Values put back", sums.values_restored + sums.values_mapped, false],
    ["Rows kept", sums.rows_kept, false],
    ["Lost for good", lost, true],
  ])];
}

function lossView(loss) {
  const [tone, words] = VERDICTS[loss.verdict] ?? ["warning", loss.verdict];
  const columns = loss.tables.flatMap((table) => table.columns.map((column) => columnRow(table.table, column)));
  return h("div", { class: "loss" },
    recoveredView(state.incident),
    h("h2", {}, sign(tone), words, h("span", { class: "quiet" }, "as found by the assessment")),
    figures(totals(loss.totals)),
    h("h3", {}, "Tables"),
    tableView("Loss per table", COLUMNS, loss.tables.map(tableRow), NUMERIC),
    columns.length ? [
      h("h3", {}, "Columns"),
      tableView("Loss per column", ["Column", "State", "Values before", "Lost", "Moved", "Found again in"], columns, [2, 3, 4]),
    ] : null);
}

const totals = (sums) => [
  ["Rows lost", sums.rows_lost, true],
  ["Values lost", sums.values_lost, true],
  ["Values moved", sums.values_moved, false],
  ["Rows new since the backup", sums.rows_new, false],
];

const tableRow = (one) => [
  h("code", {}, one.table), STATES[one.status] ?? one.status, number(one.rows_before), number(one.rows_after), number(one.missing), number(one.new), number(one.changed),
];

const columnRow = (table, one) => [
  h("code", {}, `${table}.${one.column}`), STATES[one.status] ?? one.status, number(one.values_before), number(one.values_lost), number(one.values_moved),
  one.moved_to ? h("code", {}, one.moved_to) : "",
];

whenChanged(() => {
  const loss = state.incident?.loss ?? null;
  keyed(byId("panel-loss"), [{
    key: "loss",
    signature: JSON.stringify([state.id, loss, state.incident?.cutover, state.incident?.rehearsal?.totals]),
    build: () => (loss ? lossView(loss) : h("p", { class: "empty" }, "Not assessed yet. ", h("code", {}, "/incident assess"), " compares production with the newest good backup; it reads only.")),
  }]);
});
