"""The account of a table without a key: its rows are counted as equal or not, since none can be named."""

from __future__ import annotations

from collections import Counter
from typing import Any, List, Optional, Tuple

from adapters.host_reader.sqlite_account import Account, Books, typed
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_schema import Table

Tally = Counter  # how often each whole row is there


def keyless_account(books: Books, base: Table, live: Optional[Table], copy: Table) -> Account:
    """Return the finished account of one table without a key; reads only.

    What live has must be in the copy as often, and what the backup has more often than live must be as decided.
    """
    account = Account()
    common = [name for name in base.common(copy) if live is None or live.column(name)]
    before = _tally(books, "base", base, common)
    now = _tally(books, "live", live, common) if live is not None else Counter()
    found = _tally(books, "main", copy, common)
    missing = before - now
    expected = now if books.decisions.get(base.name) == "leave" else now + missing
    absent = expected - found
    gone = sum(count for row, count in absent.items() if _parent_gone(books, base, copy, common, row))
    account.live["kept"] = sum((now & found).values())
    account.live["lost"] = sum((now - found).values())
    account.rows["kept"] = sum((before & now).values())
    account.unaccounted = sum((found - expected).values())
    if books.decisions.get(base.name) == "leave":
        account.rows["left_deleted"] = sum(missing.values())
    else:
        account.rows["parent_gone"] = gone
        account.rows["restored"] = sum(missing.values()) - sum(absent.values())
    account.rows["lost"] = sum(absent.values()) - gone
    _count_lost_values(books, base, copy, common, account)
    return account


def _tally(books: Books, schema: str, table: Table, columns: List[str]) -> Tally[Tuple[Any, ...]]:
    if not columns:
        return Counter()
    selected = ", ".join(quoted(name) for name in columns)
    rows = books.connection.execute(f"SELECT {selected} FROM {schema}.{quoted(table.name)}")
    return Counter(tuple(typed(value) for value in row) for row in rows)


def _parent_gone(books: Books, base: Table, copy: Table, columns: List[str], row: Tuple[Any, ...]) -> bool:
    values = {name.lower(): row[place][1] for place, name in enumerate(columns)}
    for key in {*base.foreign_keys, *copy.foreign_keys}:
        wanted = [values.get(name.lower()) for name in key.columns]
        parent = books.schemas["main"].table(key.parent)
        if None in wanted:
            continue
        where = " AND ".join(f"{quoted(name)} = ?" for name in key.parent_columns)
        if (
            parent is None
            or not books.connection.execute(
                f"SELECT EXISTS (SELECT 1 FROM main.{quoted(parent.name)} WHERE {where})", wanted
            ).fetchone()[0]
        ):
            return True
    return False


def _count_lost_values(books: Books, base: Table, copy: Table, common: List[str], account: Account) -> None:
    """Count values of lost columns: each whole row of the backup that the copy has in its other columns must be there."""
    lost = [name for name in base.common(copy) if name not in common]
    if not lost:
        return
    whole = common + lost
    before, found = _tally(books, "base", base, whole), _tally(books, "main", copy, whole)
    there = {row[: len(common)] for row in found}
    for row, count in before.items():
        values = sum(1 for value in row[len(common) :] if value != typed(None))
        if row[: len(common)] in there:
            kept = min(count, found[row])
            account.values["restored"] += values * kept
            account.values["lost"] += values * (count - kept)
            # Not a value was lost, but another stands where there was none.
            account.unaccounted += 0 if values else count - kept
