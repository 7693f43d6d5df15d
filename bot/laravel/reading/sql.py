"""What a text of SQL does, statement by statement. A reading for review: it knows the shapes that migrations use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bot.laravel.reading.acts import EVERY_COLUMN, UNKNOWN, Act, Origin

_TOKEN: Final = re.compile(
    r"""\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/
    |(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<quoted>"[^"]*"|`[^`]*`|\[\w+\])
    |(?P<word>[A-Za-z_][\w$]*|\?)|(?P<number>\d[\w.]*)|(?P<sign>::|<=|>=|<>|!=|:=|.)""",
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS: Final = frozenset(
    [
        "select",
        "from",
        "where",
        "and",
        "or",
        "not",
        "null",
        "is",
        "in",
        "as",
        "on",
        "set",
        "join",
        "left",
        "right",
        "inner",
        "outer",
        "cross",
        "full",
        "using",
        "order",
        "by",
        "group",
        "having",
        "limit",
        "offset",
        "union",
        "all",
        "distinct",
        "case",
        "when",
        "then",
        "else",
        "end",
        "exists",
        "between",
        "like",
        "insert",
        "into",
        "values",
        "update",
        "delete",
        "replace",
        "ignore",
        "with",
        "asc",
        "desc",
        "coalesce",
        "concat",
        "cast",
        "returning",
        "conflict",
        "do",
        "nothing",
        "key",
        "duplicate",
        "lateral",
        "true",
        "false",
        "default",
        "interval",
    ]
)


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word, sign or text of SQL; `word` is lower case, and '' for what is no bare word."""

    text: str
    word: str
    is_name: bool


@dataclass(frozen=True, kw_only=True)
class SqlAct:
    """One act of a statement; the fields are those of an Event."""

    act: Act
    table: str = UNKNOWN
    name: str = ""
    to: str = ""
    columns: frozenset[str] = frozenset()
    reads: frozenset[Origin] = frozenset()
    where: frozenset[str] | None = None
    traits: frozenset[str] = frozenset()
    is_checked: bool = False


def read_sql(sql: str) -> Iterator[SqlAct]:
    """Yield what each statement of a text does, in order; reading statements yield nothing."""
    for tokens in _statements(sql):
        yield from _statement(tokens)


def sql_reads(sql: str, table: str = UNKNOWN) -> frozenset[Origin]:
    """Return the columns that an expression or a select list takes its values from."""
    return _origins(_tokens(sql), table)


def asks_catalog(sql: str) -> bool:
    """Return True where a query asks the database's own catalog what is there."""
    return (
        re.search(
            r"information_schema|pg_catalog|pg_indexes|pg_constraint|to_regclass|sqlite_(?:master|schema)|"
            r"\bshow\s+(?:columns|tables|index|keys|create)|pragma\s+(?:table_|index_|foreign_key_list)",
            sql,
            re.IGNORECASE,
        )
        is not None
    )


def _tokens(sql: str) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(sql):
        if match["text"] is not None:
            found.append(Token(text=match["text"], word="", is_name=False))
        elif match["quoted"] is not None:
            found.append(Token(text=match["quoted"][1:-1], word="", is_name=True))
        elif match["word"] is not None:
            word = match["word"].lower()
            found.append(Token(text=match["word"], word=word, is_name=word not in _KEYWORDS))
        elif match["number"] is not None:
            found.append(Token(text=match["number"], word="", is_name=False))
        elif match["sign"] is not None:
            found.append(Token(text=match["sign"], word=match["sign"], is_name=False))
    return found


def _statements(sql: str) -> Iterator[list[Token]]:
    current: list[Token] = []
    for token in [*_tokens(sql), Token(text=";", word=";", is_name=False)]:
        if token.word != ";":
            current.append(token)
        elif current:
            yield current
            current = []


def _statement(tokens: list[Token]) -> Iterator[SqlAct]:
    words = [token.word for token in tokens]
    reading = _STATEMENTS.get(words[0])
    if reading is not None:
        yield from reading(tokens, words)
    else:
        yield from _setting(tokens, words)


def _with(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    main = _main_of_with(words)
    reads = _origins(tokens, UNKNOWN)
    for act in _statement(tokens[main:]) if main else ():
        yield _with_reads(act, reads)


def _drop(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    if words[1:2] == ["table"]:
        rest, checked = _skip_exists(tokens[2:])
        for part in _split(rest):
            yield SqlAct(act=Act.DROP_TABLE, table=_table(part)[0], is_checked=checked)


def _rename(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    for part in _split(tokens[2:]) if words[1:2] == ["table"] else ():
        place = _find(part, "to")
        yield SqlAct(act=Act.RENAME_TABLE, table=_table(part)[0], to=_table(part[place + 1 :])[0])


def _delete(tokens: list[Token], _: list[str]) -> Iterator[SqlAct]:
    place = _find(tokens, "from")
    yield SqlAct(act=Act.DELETE, table=_table(tokens[place + 1 :])[0], where=_where(tokens))


def _truncate(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    rest = tokens[2:] if words[1:2] == ["table"] else tokens[1:]
    yield SqlAct(act=Act.DELETE, table=_table(rest)[0], name="truncate")


def _with_reads(act: SqlAct, reads: frozenset[Origin]) -> SqlAct:
    if act.act is not Act.WRITE:
        return act
    return SqlAct(act=act.act, table=act.table, columns=act.columns, reads=act.reads | reads, where=act.where)


def _main_of_with(words: Sequence[str]) -> int:
    """Return where the statement after its WITH clauses begins, 0 where none is found."""
    depth = 0
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("insert", "update", "delete", "replace"):
            return place
    return 0


def _setting(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    joined = " ".join(token.text for token in tokens).lower()
    if re.search(r"foreign_key(?:s|_checks) = (?:0|off|false)|session_replication_role = '?replica", joined):
        yield SqlAct(act=Act.KEYS_OFF)
    elif words[0] == "lock":
        rest = tokens[2:] if words[1:2] in (["table"], ["tables"]) else tokens[1:]
        yield SqlAct(act=Act.LOCK, table=_table(rest)[0], name="LOCK TABLE")
    elif (
        words[0] in ("cluster", "reindex", "optimize") or words[:2] == ["vacuum", "full"]
    ) and "concurrently" not in words:
        name = next((token.text for token in reversed(tokens) if token.is_name), UNKNOWN)
        yield SqlAct(act=Act.REBUILD, table=name, name=tokens[0].text.upper())


def _create(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    kinds = [word for word in words[:4] if word in ("table", "index")]
    if kinds[:1] == ["table"]:
        temporary = "temporary" in words[:3] or "temp" in words[:3]
        rest, checked = _skip_exists(tokens[words.index("table") + 1 :])
        table, rest = _table(rest)
        if not temporary:
            yield SqlAct(act=Act.CREATE_TABLE, table=table, is_checked=checked)
        if any(token.word == "select" for token in rest):
            start = _find(rest, "select")
            yield SqlAct(
                act=Act.WRITE,
                table=table,
                reads=_select_reads(rest[start:]),
                where=_where(rest),
                traits=frozenset({"insert select"}),
            )
        elif rest[:1] and rest[0].word == "(":
            yield from _create_columns(table, rest)
    elif kinds[:1] == ["index"]:
        after = tokens[words.index("index") + 1 :]
        online = any(token.word == "concurrently" for token in after[:1])
        after = after[1:] if online else after
        after, checked = _skip_exists(after)
        place = _find(after, "on")
        table, rest = _table(after[place + 1 :])
        kind = next((word for word in words[:3] if word in ("unique", "fulltext", "spatial")), "index")
        yield SqlAct(
            act=Act.ADD_INDEX,
            table=table,
            name=after[0].text if after and place else "",
            columns=frozenset(token.text for token in rest if token.is_name),
            traits=frozenset({kind, *(("concurrently",) if online else ())}),
            is_checked=checked,
        )


def _create_columns(table: str, rest: list[Token]) -> Iterator[SqlAct]:
    for part in _split(_inside(rest)):
        if (
            part
            and part[0].is_name
            and part[0].word
            not in ("primary", "unique", "constraint", "foreign", "index", "check", "fulltext")
        ):
            yield SqlAct(act=Act.ADD_COLUMN, table=table, name=part[0].text)


def _alter(tokens: list[Token], words: list[str]) -> Iterator[SqlAct]:
    if words[1:2] != ["table"]:
        return
    tokens, _ = _skip_exists(tokens[2:])
    if tokens[:1] and tokens[0].word == "only":
        tokens = tokens[1:]
    table, rest = _table(tokens)
    parts = _split(rest)
    plain = " ".join(token.text for token in rest).upper()
    traits = frozenset(
        word
        for word, pattern in (
            ("online", r"LOCK = NONE|ALGORITHM = INSTANT"),
            ("copying", r"ALGORITHM = COPY"),
        )
        if re.search(pattern, plain)
    )
    for part in parts:
        yield from _alter_part(table, part, traits)


def _alter_part(table: str, part: list[Token], traits: frozenset[str]) -> Iterator[SqlAct]:
    words = [token.word for token in part]
    first = words[0] if words else ""
    if first == "add":
        yield from _alter_add(table, part[1:], traits)
    elif first == "drop":
        yield from _alter_drop(table, part[1:])
    elif first in ("modify", "change"):
        rest = part[2:] if words[1:2] == ["column"] else part[1:]
        if len(rest) < 2:
            return
        if first == "change" and rest[0].text != rest[1].text:
            yield SqlAct(act=Act.RENAME_COLUMN, table=table, name=rest[0].text, to=rest[1].text)
        yield SqlAct(act=Act.CHANGE_COLUMN, table=table, name=rest[0].text, traits=traits)
    elif first == "alter":
        rest = part[2:] if words[1:2] == ["column"] else part[1:]
        tail = [token.word for token in rest[1:]]
        if tail[:2] == ["set", "not"]:
            yield SqlAct(act=Act.CHANGE_COLUMN, table=table, name=rest[0].text, traits=traits | {"not null"})
        elif tail[:1] == ["type"] or tail[:2] == ["set", "data"]:
            yield SqlAct(act=Act.CHANGE_COLUMN, table=table, name=rest[0].text, traits=traits)
    elif words[:2] == ["rename", "column"]:
        yield SqlAct(act=Act.RENAME_COLUMN, table=table, name=part[2].text, to=part[-1].text)
    elif words[:2] == ["rename", "to"]:
        yield SqlAct(act=Act.RENAME_TABLE, table=table, to=part[2].text)
    elif first == "convert":
        yield SqlAct(act=Act.REBUILD, table=table, name="CONVERT TO CHARACTER SET", traits=traits)


def _alter_add(table: str, part: list[Token], traits: frozenset[str]) -> Iterator[SqlAct]:
    words = [token.word for token in part]
    if words[:1] == ["constraint"]:
        part, words = part[2:], words[2:]
    first = words[0] if words else ""
    if first == "foreign":
        place = next((number for number, word in enumerate(words) if word == "references"), len(words))
        yield SqlAct(
            act=Act.ADD_KEY,
            table=table,
            columns=frozenset(token.text for token in _inside(part) if token.is_name),
            to=_table(part[place + 1 :])[0] if place < len(words) else UNKNOWN,
            traits=traits | ({"not valid"} if "valid" in words else frozenset()),
        )
    elif first in ("index", "key", "unique", "fulltext", "spatial", "primary"):
        kind = "index" if first == "key" else first
        yield SqlAct(
            act=Act.ADD_INDEX,
            table=table,
            columns=frozenset(token.text for token in _inside(part) if token.is_name),
            traits=traits | {kind},
        )
    elif first != "check":
        rest = part[1:] if first == "column" else part
        rest, checked = _skip_exists(rest)
        columns = _split(_inside(rest)) if rest[:1] and rest[0].word == "(" else [rest]
        for column in columns:
            if column:
                yield SqlAct(
                    act=Act.ADD_COLUMN,
                    table=table,
                    name=column[0].text,
                    traits=traits | _column_traits([token.word for token in column]),
                    is_checked=checked,
                )


def _column_traits(words: list[str]) -> frozenset[str]:
    found = {"sql"}
    joined = " ".join(words)
    if "not null" not in joined:
        found.add("nullable")
    if "default" in words or "serial" in words or "bigserial" in words or "generated" in words:
        found.add("default")
    if "stored" in words:
        found.add("storedAs")
    return frozenset(found)


def _alter_drop(table: str, part: list[Token]) -> Iterator[SqlAct]:
    words = [token.word for token in part]
    if words[:2] == ["foreign", "key"] or words[:1] == ["constraint"]:
        yield SqlAct(act=Act.DROP_KEY, table=table, name=part[-1].text)
    elif words[:1] in (["index"], ["key"], ["check"], ["partition"]):
        return
    elif words[:2] == ["primary", "key"]:
        yield SqlAct(act=Act.REBUILD, table=table, name="DROP PRIMARY KEY")
    else:
        rest, checked = _skip_exists(part[1:] if words[:1] == ["column"] else part)
        if rest:
            yield SqlAct(act=Act.DROP_COLUMN, table=table, name=rest[0].text, is_checked=checked)


def _insert(tokens: list[Token], _: list[str]) -> Iterator[SqlAct]:
    place = _find(tokens, "into")
    table, rest = _table(tokens[place + 1 :])
    columns: frozenset[str] = frozenset()
    if rest[:1] and rest[0].word == "(":
        columns = frozenset(token.text for token in _inside(rest) if token.is_name)
    start = next((number for number, token in enumerate(rest) if token.word == "select"), None)
    reads = _select_reads(rest[start:]) if start is not None else _origins(rest, UNKNOWN)
    traits = frozenset({"insert select"}) if start is not None else frozenset()
    where = _where(rest) if start is not None else frozenset()
    yield SqlAct(act=Act.WRITE, table=table, columns=columns, reads=reads, where=where, traits=traits)


def _update(tokens: list[Token], _: list[str]) -> Iterator[SqlAct]:
    table, rest = _table(tokens[1:])
    start = _find(rest, "set")
    before = rest[:start]
    tables = _tables(before) | _tables(rest[start:])
    clauses = _until_where(rest[start + 1 :])
    columns, reads = set(), set()
    for part in _split(clauses):
        place = next((number for number, token in enumerate(part) if token.word == "="), None)
        if place:
            columns.add(part[place - 1].text)
            value = part[place + 1 :]
            inner = _tables(value) or tables | {table}
            reads |= {one for name in inner for one in _origins(value, name)}
    yield SqlAct(
        act=Act.WRITE,
        table=table,
        columns=frozenset(columns),
        reads=frozenset(reads),
        where=_where(tokens),
        traits=frozenset({"update"}),
    )


def _select_reads(tokens: list[Token]) -> frozenset[Origin]:
    """Return what a SELECT gives: its list's columns, of each of its tables."""
    end = next((number for number, token in enumerate(tokens) if token.word == "from"), len(tokens))
    tables = _tables(tokens) or {UNKNOWN}
    return frozenset(one for table in tables for one in _origins(tokens[1:end], table))


def _tables(tokens: Sequence[Token]) -> set[str]:
    """Return the tables named after FROM and JOIN."""
    found = set()
    for place, token in enumerate(tokens):
        if token.word in ("from", "join") and place + 1 < len(tokens) and tokens[place + 1].is_name:
            found.add(_table(list(tokens[place + 1 : place + 4]))[0])
    return found


def _origins(tokens: Sequence[Token], table: str) -> frozenset[Origin]:
    """Return the columns named in an expression, without those that only choose rows or name a table."""
    found: set[Origin] = set()
    skipping: int | None = None
    depth = 0
    for place, token in enumerate(tokens):
        depth += token.word == "("
        if token.word == ")":
            depth -= 1
            if skipping is not None and depth < skipping:
                skipping = None
        if token.word in ("where", "from", "join", "on", "order", "group", "when", "having"):
            skipping = depth if skipping is None else skipping
        elif token.word in ("select", "then", "union", "set") and skipping == depth:
            skipping = None
        after = tokens[place + 1].word if place + 1 < len(tokens) else ""
        before = tokens[place - 1].word if place else ""
        is_column = token.is_name and after not in ("(", ".") and before not in ("as", "::")
        if skipping is None and (is_column or (token.word == "*" and before in ("select", ",", ".", ""))):
            found.add(Origin(table=table, column=EVERY_COLUMN if token.word == "*" else token.text))
    return frozenset(found)


def _where(tokens: Sequence[Token]) -> frozenset[str] | None:
    """Return the columns in the WHERE of the statement itself, not of one within it; None where it has none."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == "where":
            after = tokens[place + 1 :]
            if any(one.word in ("select", "exists") for one in after):
                return frozenset({UNKNOWN})
            return frozenset(
                one.text
                for one, follower in zip(after, [*after[1:], None], strict=True)
                if one.is_name and (follower is None or follower.word not in (".", "("))
            )
    return None


def _until_where(tokens: list[Token]) -> list[Token]:
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word in ("where", "from", "order", "returning"):
            return tokens[:place]
    return tokens


def _skip_exists(tokens: list[Token]) -> tuple[list[Token], bool]:
    words = [token.word for token in tokens[:3]]
    if words == ["if", "not", "exists"]:
        return tokens[3:], True
    if words[:2] == ["if", "exists"]:
        return tokens[2:], True
    return tokens, False


def _table(tokens: list[Token]) -> tuple[str, list[Token]]:
    """Return a table's name without its schema, and what comes after it."""
    if tokens and tokens[0].word in ("ignore", "only", "low_priority"):
        tokens = tokens[1:]
    if not tokens or not tokens[0].is_name:
        return UNKNOWN, tokens
    place = 0
    while place + 2 < len(tokens) and tokens[place + 1].word == "." and tokens[place + 2].is_name:
        place += 2
    return tokens[place].text, tokens[place + 1 :]


def _find(tokens: Sequence[Token], word: str) -> int:
    return next((number for number, token in enumerate(tokens) if token.word == word), 0)


def _inside(tokens: Sequence[Token]) -> list[Token]:
    """Return what stands in the first pair of brackets."""
    depth, found = 0, []
    for token in tokens:
        if token.word == ")":
            depth -= 1
            if depth == 0:
                break
        if depth > 0:
            found.append(token)
        depth += token.word == "("
    return found


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the parts between commas that stand in no brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


_STATEMENTS: Final[dict[str, Callable[[list[Token], list[str]], Iterator[SqlAct]]]] = {
    "with": _with,
    "alter": _alter,
    "create": _create,
    "drop": _drop,
    "rename": _rename,
    "insert": _insert,
    "replace": _insert,
    "update": _update,
    "delete": _delete,
    "truncate": _truncate,
}
