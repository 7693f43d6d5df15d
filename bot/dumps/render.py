"""An inspection as calm, aligned text for a terminal."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Tuple

# Wider names are shown whole and only push their own line.
_WIDEST_NAME = 40
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_FORMATS = {
    "sqlite_file": "SQLite database file",
    "sqlite_dump": "SQLite dump (SQL text)",
    "mysql_dump": "MySQL dump (SQL text)",
    "mariadb_dump": "MariaDB dump (SQL text)",
    "pg_plain": "PostgreSQL dump (SQL text)",
    "pg_custom": "PostgreSQL dump (custom format)",
    "pg_tar": "PostgreSQL dump (tar)",
}
# The newest migrations are the ones in question.
_MIGRATIONS_SHOWN = 5


def render_inspection(result: Mapping[str, Any]) -> str:
    """Return the answer of `inspect` as text: the verdict first, then why, then what the backup holds."""
    manifest, verdict = result["manifest"], result["verdict"]
    blocks: List[List[str]] = [
        [f"{verdict['word']}  {_safe(str(manifest.get('path', '')))}"]
        + [f"  {_safe(text)}" for text in verdict["reasons"]],
        _aligned(list(_facts(manifest))),
        _tables(manifest),
        _migrations(manifest),
        _notes(result),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _facts(manifest: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    kind = _FORMATS.get(str(manifest.get("format")), "not recognised")
    compression = manifest.get("compression")
    yield "format", f"{kind}, {compression}" if compression else kind
    yield "size", _size(int(manifest.get("size_bytes") or 0))
    for label, key in (
        ("written by", "tool_version"),
        ("server", "server_version"),
        ("database", "database"),
    ):
        if manifest.get(key):
            yield label, str(manifest[key])
    yield "completed", str(manifest["completed"]) if manifest.get("completed") else "not said in the file"
    if manifest.get("started"):
        yield "started", str(manifest["started"])
    yield "file time", str(manifest.get("mtime") or "unknown")
    yield "end marker", str(manifest.get("end_marker"))
    if manifest.get("sha256"):
        yield "SHA-256", str(manifest["sha256"])


def _aligned(facts: List[Tuple[str, str]]) -> List[str]:
    width = max(len(label) for label, _ in facts)
    return [f"  {label:<{width}}  {_safe(text)}" for label, text in facts]


def _tables(manifest: Mapping[str, Any]) -> List[str]:
    tables = manifest.get("tables") or {}
    if not tables:
        return []
    names = {name: _safe(name) for name in tables}
    width = min(max([len("table")] + [len(text) for text in names.values()]), _WIDEST_NAME)
    lines = [f"  {'table':<{width}}  {'rows':>12}"]
    lines += [f"  {names[name]:<{width}}  {_count(tables[name].get('rows')):>12}" for name in sorted(tables)]
    return lines


def _migrations(manifest: Mapping[str, Any]) -> List[str]:
    rows = manifest.get("migrations")
    if not rows:
        return []
    shown = rows[-_MIGRATIONS_SHOWN:]
    left_out = f" (the last {len(shown)} of {len(rows)})" if len(shown) < len(rows) else ""
    return [f"  migrations{left_out}"] + [f"    {_safe(str(row['name']))}" for row in shown]


def _notes(result: Mapping[str, Any]) -> List[str]:
    notes = result["verdict"].get("notes") or []
    return [f"  note: {_safe(str(text))}" for text in notes]


def _count(rows: Optional[int]) -> str:
    return "not counted" if rows is None else f"{rows:,}"


def _size(size_bytes: int) -> str:
    value, place = float(size_bytes), 0
    while value >= 1000 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    return f"{size_bytes:,} bytes" if place == 0 else f"{value:.1f} {_UNITS[place]}"


def _safe(text: str) -> str:
    """Return the text with line ends and other control signs made visible: a name in a dump never moves a cursor."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
