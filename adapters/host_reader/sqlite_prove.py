"""Proof of a repair: each row of the backup and of live, and each lost value, is accounted for, or it is not proven."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, Dict, List, Optional, Set, Tuple

from adapters.host_reader.answers import progress
from adapters.host_reader.sqlite_account import ROW_KINDS, Account, Books, KeyedAccount, typed
from adapters.host_reader.sqlite_account_keyless import keyless_account
from adapters.host_reader.sqlite_fingerprint import table_checksum
from adapters.host_reader.sqlite_mappings import Mapping, read_mappings
from adapters.host_reader.sqlite_open import attach, quick_check, quoted, reading
from adapters.host_reader.sqlite_request import Answer, Request, mapping, names, text
from adapters.host_reader.sqlite_schema import Schema, Table, read_migrations, read_schema


def sqlite_prove(request: Request) -> Answer:
    """Return the account of a repaired scratch against `baseline` and `live_copy`, and whether it is proven; reads only.

    Proven means: no row and no value is lost, nothing is in scratch that cannot be explained, tables and columns of the
    backup are there, foreign keys are no worse than they were, and counters stand above every id. Rows whose key or
    unique value another row has now, and values of the new shape that no mapping covers, are told in `notes`.
    """
    scratch = text(request, "scratch")
    with reading(scratch) as connection:
        attach(connection, "base", text(request, "baseline"))
        attach(connection, "live", text(request, "live_copy"))
        try:
            return _Proof(connection, request).answer()
        except sqlite3.OperationalError as error:
            if "UTF-8" not in str(error):
                raise
        # Some text is no UTF-8: once more with its bytes kept, which is slower.
        connection.text_factory = _bytes_kept
        return _Proof(connection, request).answer()


def _bytes_kept(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class _Proof:
    """One proof over three attached databases."""

    def __init__(self, connection: sqlite3.Connection, request: Request) -> None:
        self._connection = connection
        self._runtime = names(request, "runtime_tables")
        self._migrations = str(request.get("migrations_table") or "migrations")
        self._aside = [*self._runtime, self._migrations]
        self._schemas = {name: read_schema(connection, name) for name in ("main", "base", "live")}
        self._rules = read_mappings(request, self._schemas["live"])
        self._books = Books(
            connection,
            self._schemas,
            mapping(request, "decisions"),
            self._mapped_values(),
            frozenset(self._new_shape_values()),
        )
        self._reasons: List[str] = []
        self._notes: List[str] = []

    def answer(self) -> Answer:
        """Return the whole account."""
        accounts = self._accounts()
        totals = _totals(accounts)
        totals["rows_aside"] = self._rows_aside()
        totals["values_unmapped"] = sum(self._not_landed(rule) for rule in self._rules)
        self._judge(totals, accounts)
        self._judge_runtime_tables()
        self._judge_migrations()
        self._judge_counters()
        keys = self._judge_foreign_keys()
        differences = self._schema_differences()
        if not quick_check(self._connection):
            self._reasons.append("SQLite's quick check of scratch found damage")
        return {
            "proven": not self._reasons,
            "reasons": self._reasons,
            "notes": self._notes,
            "totals": totals,
            "tables": {name: _told(account) for name, account in accounts.items()},
            "schema_differences": differences,
            "foreign_key_violations": keys,
        }

    def _accounts(self) -> Dict[str, Account]:
        accounts = {}
        listed = self._schemas["base"].without(self._aside)
        for done, base in enumerate(listed):
            progress("proving", done, len(listed), "tables")
            accounts[base.name] = self._account(base)
        for live in self._schemas["live"].without(self._aside):
            copy = self._schemas["main"].table(live.name)
            if copy is not None and self._schemas["base"].table(live.name) is None:
                accounts[live.name] = self._account_of_new(live, copy)
        progress("proving", len(listed), len(listed), "tables")
        return accounts

    def _account(self, base: Table) -> Account:
        copy, live = self._schemas["main"].table(base.name), self._schemas["live"].table(base.name)
        if copy is None:
            account = Account()
            account.rows["lost"] = self._count("base", base)
            return account
        keyed = base.key and all(table.column(name) for name in base.key for table in (copy, live) if table)
        if keyed:
            return KeyedAccount(self._books, base, live, copy).closed()
        return keyless_account(self._books, base, live, copy)

    def _account_of_new(self, live: Table, copy: Table) -> Account:
        """Account for a table that live and the copy have and the backup has not: it must be the same."""
        account = Account()
        columns = ", ".join(quoted(name) for name in live.common(copy))
        theirs, mine = (
            Counter(self._connection.execute(f"SELECT {columns} FROM {schema}.{quoted(live.name)}"))
            for schema in ("live", "main")
        )
        account.live["lost"] = sum((theirs - mine).values())
        account.live["kept"] = sum((theirs & mine).values())
        account.unaccounted = sum((mine - theirs).values())
        return account

    def _count(self, schema: str, table: Table) -> int:
        return int(
            self._connection.execute(f"SELECT count(*) FROM {schema}.{quoted(table.name)}").fetchone()[0]
        )

    def _new_columns(self) -> List[Tuple[Table, List[str]]]:
        """Return the columns of live that scratch does not have, keys left out."""
        found = []
        for live in self._schemas["live"].without(self._aside):
            copy = self._schemas["main"].table(live.name)
            columns = live.column_names if copy is None else live.without(copy)
            found.append((live, [name for name in columns if name not in live.key]))
        return [(table, columns) for table, columns in found if columns]

    def _new_shape_values(self) -> Set[Tuple[type, Any]]:
        values: Set[Tuple[type, Any]] = set()
        for table, columns in self._new_columns():
            selected = ", ".join(quoted(name) for name in columns)
            for row in self._connection.execute(f"SELECT {selected} FROM live.{quoted(table.name)}"):
                values.update(typed(value) for value in row if value is not None)
        return values

    def _mapped_values(self) -> Dict[Tuple[str, str], Dict[Tuple[Any, ...], Set[Any]]]:
        """Return per target column and row key the values that mappings bring, as live has them."""
        mapped: Dict[Tuple[str, str], Dict[Tuple[Any, ...], Set[Any]]] = {}
        for rule in self._rules:
            target, source = (self._schemas["live"].table(name) for name in (rule.target, rule.source))
            if target is None or source is None:
                continue
            for from_column, to_column in rule.columns.items():
                known = mapped.setdefault((rule.target.lower(), to_column.lower()), {})
                keys = [f"t.{quoted(name)}" for name in target.key]
                for *key, value in self._linked(rule, keys, f"f.{quoted(from_column)}"):
                    known.setdefault(tuple(key), set()).add(typed(value))
        return mapped

    def _linked(self, rule: Mapping, keys: List[str], value: str) -> sqlite3.Cursor:
        on = " AND ".join(f"t.{quoted(mine)} = f.{quoted(theirs)}" for mine, theirs in rule.join.items())
        return self._connection.execute(
            f"SELECT {', '.join([*keys, value])} FROM live.{quoted(rule.target)} AS t"
            f" JOIN live.{quoted(rule.source)} AS f ON {on} WHERE {value} IS NOT NULL"
        )

    def _not_landed(self, rule: Mapping) -> int:
        """Return how many set values of the new shape stand in no row of scratch they belong to."""
        target = self._schemas["main"].table(rule.target)
        if target is None:
            return 0
        count = 0
        mine = [f"t.{quoted(name)}" for name in rule.join]
        theirs = [quoted(name) for name in rule.join.values()]
        on = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in target.key)
        for from_column, to_column in rule.columns.items():
            landed = set(
                self._connection.execute(
                    f"SELECT {', '.join(mine)}, s.{quoted(to_column)} FROM live.{quoted(rule.target)} AS t"
                    f" JOIN main.{quoted(rule.target)} AS s ON {on}"
                )
            )
            values = self._connection.execute(
                f"SELECT {', '.join([*theirs, quoted(from_column)])} FROM live.{quoted(rule.source)}"
                f" WHERE {quoted(from_column)} IS NOT NULL"
            )
            count += sum(1 for row in values if row not in landed)
        return count

    def _rows_aside(self) -> int:
        main = self._schemas["main"]
        new = [
            table for table in self._schemas["live"].without(self._aside) if main.table(table.name) is None
        ]
        return sum(self._count("live", table) for table in new)

    def _judge(self, totals: Dict[str, int], accounts: Dict[str, Account]) -> None:
        for name, account in accounts.items():
            self._reasons += account.reasons
            for counted, word in (
                (account.rows.get("lost", 0), "rows of the backup are lost"),
                (account.live.get("lost", 0), "rows of the live database are lost"),
                (account.values.get("lost", 0), "values are lost"),
                (account.unaccounted, "rows or values cannot be explained"),
            ):
                if counted:
                    self._reasons.append(f"{name}: {counted} {word}")
        if totals["rows_key_reused"] or totals["rows_key_taken"]:
            count = totals["rows_key_reused"] + totals["rows_key_taken"]
            self._notes.append(
                f"{count} rows of the backup stay out: their key or unique value is used by newer rows"
            )
        if totals["values_unmapped"]:
            self._notes.append(
                f"{totals['values_unmapped']} values of the new shape have no place in the old one"
            )

    def _judge_runtime_tables(self) -> None:
        for name in self._runtime:
            live, copy = self._schemas["live"].table(name), self._schemas["main"].table(name)
            if live is None or copy is None:
                continue
            columns = ", ".join(quoted(column) for column in live.common(copy))
            sums = {
                table_checksum(self._connection, f"SELECT {columns} FROM {schema}.{quoted(name)}")
                for schema in ("live", "main")
            }
            if len(sums) != 1:
                self._reasons.append(f"{name}: a runtime table is not as it is in the live database")

    def _judge_migrations(self) -> None:
        listed = {
            schema: {
                row["migration"]
                for row in read_migrations(self._connection, schema, found.table(self._migrations)) or []
            }
            for schema, found in self._schemas.items()
        }
        if not listed["base"] <= listed["main"]:
            self._reasons.append(f"{self._migrations}: rows of the backup are missing from scratch")
        if not listed["main"] <= listed["base"] | listed["live"]:
            self._reasons.append(f"{self._migrations}: scratch has rows that neither backup nor live has")

    def _judge_counters(self) -> None:
        for copy in self._schemas["main"].without([]):
            if not copy.autoincrement:
                continue
            ids = [self._largest(schema, found, copy) for schema, found in self._schemas.items()]
            counter = self._connection.execute(
                "SELECT max(seq) FROM main.sqlite_sequence WHERE lower(name) = lower(?)", (copy.name,)
            ).fetchone()[0]
            if (counter or 0) < max(ids):
                self._reasons.append(f"{copy.name}: its counter stands below an id that was issued")

    def _largest(self, schema: str, found: Schema, copy: Table) -> int:
        table = found.table(copy.name)
        if table is None or table.column(copy.key[0]) is None:
            return 0
        select = f"SELECT max({quoted(copy.key[0])}) FROM {schema}.{quoted(table.name)}"
        largest = self._connection.execute(select).fetchone()[0]
        return largest if isinstance(largest, int) else 0

    def _judge_foreign_keys(self) -> Dict[str, int]:
        counts = {schema: self._violations(schema) for schema in self._schemas}
        for key, count in counts["main"].items():
            allowed = max(counts["base"].get(key, 0), counts["live"].get(key, 0))
            if count > allowed:
                self._reasons.append(f"{key}: {count} rows point nowhere, {allowed} did before")
        return counts["main"]

    def _violations(self, schema: str) -> Dict[str, int]:
        rows = self._connection.execute(f"PRAGMA {schema}.foreign_key_check")
        return dict(Counter(f"{row[0]} -> {row[2]}" for row in rows))

    def _schema_differences(self) -> Dict[str, Any]:
        base, main = self._schemas["base"], self._schemas["main"]
        tables = {}
        for table in base.without([]):
            copy: Optional[Table] = main.table(table.name)
            missing = table.column_names if copy is None else table.without(copy)
            extra = [] if copy is None else copy.without(table)
            if missing:
                self._reasons.append(f"{table.name}: scratch has no column {', '.join(missing)}")
            if missing or extra:
                tables[table.name] = {"missing": missing, "extra": extra}
        return {
            "columns": tables,
            "tables_extra": [table.name for table in main.without([]) if base.table(table.name) is None],
            "indexes_missing": sorted(set(base.indexes) - set(main.indexes)),
            "triggers_missing": sorted(set(base.triggers) - set(main.triggers)),
            "views_missing": sorted(set(base.views) - set(main.views)),
        }


def _totals(accounts: Dict[str, Account]) -> Dict[str, int]:
    def of(part: str, kind: str) -> int:
        return sum(getattr(account, part).get(kind, 0) for account in accounts.values())

    totals = {f"rows_{kind}": of("rows", kind) for kind in ROW_KINDS}
    totals["rows_kept"] += totals["rows_changed_since"]
    totals["rows_lost"] += of("live", "lost")
    totals["live_rows_kept"] = of("live", "kept")
    totals["live_rows_lost"] = of("live", "lost")
    for kind in ("restored", "newer_kept", "mapped", "lost"):
        totals[f"values_{kind}"] = of("values", kind)
    totals["unaccounted"] = sum(account.unaccounted for account in accounts.values())
    return totals


def _told(account: Account) -> Dict[str, Any]:
    return {
        "rows": dict(account.rows),
        "live": dict(account.live),
        "values": dict(account.values),
        "unaccounted": account.unaccounted,
    }
