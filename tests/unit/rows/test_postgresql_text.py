"""PostgreSQL's texts without a server: COPY lines, names and literals, dumps that are filtered, files for the clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql import copy_text
from adapters.host_reader.postgresql.login import Login
from adapters.host_reader.postgresql.making import set_database
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.plain_filter import PlainFilter
from adapters.host_reader.postgresql.programs import all_beside_server, knows_restrict
from adapters.host_reader.postgresql.session import refusal_of
from adapters.host_reader.server.access import Credentials

DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict 2wK

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';

CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$ SELECT 'GRANT ALL; \\! x'; GRANT $_$;
CREATE FUNCTION public.g() RETURNS integer BEGIN ATOMIC SELECT 1; END;
CREATE TABLE public.t (id integer, body text DEFAULT 'x; ALTER TABLE t OWNER TO y;');

ALTER TABLE public.t OWNER TO nobody;

COPY public.t (id, body) FROM stdin;
1\tGRANT ALL;
2\t\\\\! touch x
3\tSET transaction_timeout = 0;
\\.


COPY public.t (id, body) FROM stdin;
\\.

GRANT SELECT ON TABLE public.t TO nobody;
-- ALTER TABLE public.t OWNER TO nobody;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
INSERT INTO public.t VALUES (4, 'GRANT; ''');

--
-- PostgreSQL database dump complete
--

\\unrestrict 2wK

"""


def filtered(dump: bytes, size: int, major: int = 15) -> tuple[bytes, PlainFilter]:
    """Return what is left of a dump that comes in blocks of that size."""
    passing = PlainFilter(major)
    pieces = [piece for at in range(0, len(dump), size) for piece in passing.feed(dump[at : at + size])]
    return b"".join([*pieces, *passing.finish()]), passing


@given(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
    )
)
def test_any_text_survives_copy(values: list[str | None]) -> None:
    """Whatever a row holds, its COPY line is one line and reads back the same."""
    line = copy_text.line_of(values)
    assert line.count(b"\n") == 1
    if values:
        assert list(copy_text.rows([line[:-1]], ["text"] * len(values))) == [tuple(values)]


@given(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1), st.binary(), st.text(st.characters(blacklist_characters="\0"))
    )
)
def test_numbers_bytes_and_broken_text_survive_copy(row: tuple[int, bytes, str]) -> None:
    """Integers, bytes and text that is no UTF-8 (kept by surrogates) read back the same."""
    number, data, text = row
    row = (number, data, text.encode("utf-8", "ignore").decode() + b"\xff".decode("utf-8", "surrogateescape"))
    line = copy_text.line_of(row)[:-1]
    assert list(copy_text.rows([line], ["integer", "binary", "text"])) == [row]


@given(st.integers(1, 700))
def test_a_dump_is_filtered_alike_in_any_blocks(size: int) -> None:
    """Only whole statements go, never rows or quoted text, however the bytes arrive; line numbers stay those of the dump."""
    left, passing = filtered(DUMP, size)
    assert (left, passing.left_out) == (filtered(DUMP, len(DUMP))[0], filtered(DUMP, len(DUMP))[1].left_out)
    assert b"3\tSET transaction_timeout = 0;\n\\.\n" in left
    assert b"$_$ SELECT 'GRANT ALL; \\! x'; GRANT $_$" in left
    assert b"BEGIN ATOMIC SELECT 1;" in left
    for gone in (b"OWNER TO nobody", b"TO nobody;", b"REVOKE", b"restrict", b"\nSET transaction_timeout"):
        assert gone not in left
    line = next(at for at, text in enumerate(DUMP.split(b"\n")) if text.startswith(b"INSERT"))
    assert left.split(b"\n")[line].startswith(b"INSERT")


def test_a_server_that_knows_a_setting_keeps_it() -> None:
    """From 17 on transaction_timeout stays in."""
    assert b"SET transaction_timeout = 0;\nSET client" in filtered(DUMP, 100, major=17)[0]


@pytest.mark.parametrize(
    ("dump", "kind"),
    [
        (DUMP[: DUMP.index(b"2\t") + 3], "damaged"),
        (b"CREATE TABLE t (a text DEFAULT 'x", "damaged"),
        (b"SELECT 1;\n\\! id\n", "refused"),
        (b"SELECT 1;\n\\connect other\n", "refused"),
        (b"COPY t FROM '/etc/passwd';\n", "refused"),
        (b"copy t to program 'id';\n", "refused"),
    ],
)
def test_what_must_not_be_loaded_is_refused(dump: bytes, kind: str) -> None:
    """A dump that ends in the middle, commands psql or reads files is refused."""
    with pytest.raises(Refusal) as told:
        filtered(dump, 7)
    assert told.value.kind == kind


def test_names_and_texts_are_quoted_in_one_place() -> None:
    """Quotes are doubled, backslashes read as themselves whatever the server's setting is."""
    assert quoted('we"ird') == '"we""ird"'
    assert literal("it's") == "'it''s'"
    assert literal("a\\'b") == "E'a\\\\''b'"
    assert (
        set_database("d", "search_path=app, public") == 'ALTER DATABASE "d" SET "search_path" = app, public'
    )
    assert (
        set_database("d", "work_mem=7'MB", "r")
        == 'ALTER ROLE "r" IN DATABASE "d" SET "work_mem" = \'7\'\'MB\''
    )


def login_of(folder: Path, **more: Any) -> Login:
    fields = dict.fromkeys(Credentials.__dataclass_fields__)
    told = {
        **fields,
        "driver": "pgsql",
        "host": "db",
        "port": 5432,
        "username": "app",
        "database": "shop",
        **more,
    }
    return Login(Credentials(**told), {"workspace": str(folder)})


def test_the_password_stands_in_one_private_file(tmp_path: Path) -> None:
    """Colons and backslashes are escaped, the file is 0600 in a 0700 folder, and gone after close."""
    login = login_of(tmp_path, password="p:a\\s s ", sslmode="require")
    environment = login.environment()
    file = Path(environment["PGPASSFILE"])
    assert file.read_text(encoding="utf-8") == "*:*:*:*:p\\:a\\\\s s \n"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "sslmode=require" in Path(environment["PGSERVICEFILE"]).read_text(encoding="utf-8")
    assert not [value for value in environment.values() if "s s" in value]
    assert login.target("it's \\") == "service=backout dbname='it\\'s \\\\'"
    login.close()
    assert not file.parent.exists()


@pytest.mark.parametrize(
    "field", [{"host": "x\ny"}, {"password": "a\nb"}, {"username": " a"}, {"sslmode": "prefer\npassword=x"}]
)
def test_a_setting_that_its_file_cannot_hold_is_refused(tmp_path: Path, field: dict[str, str]) -> None:
    """A line break could add a setting of its own, an outer blank would be cut: refused, and no file is left."""
    with pytest.raises(Refusal):
        login_of(tmp_path, **field)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def program(folder: Path, name: str, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_the_dumper_is_of_the_servers_version_or_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among many versions the server's own comes first, an older one never; restricted mode is known by minor version."""
    for version in ("13.3", "16.9", "17.6 (Debian 17.6-1)"):
        program(tmp_path / version[:4], "pg_dump", version)
        program(tmp_path / version[:4], "psql", version)
    monkeypatch.setenv("PATH", ":".join(str(path) for path in tmp_path.iterdir()) + ":/usr/bin:/bin")
    assert all_beside_server("pg_dump", 16)[0] == str(tmp_path / "16.9" / "pg_dump")
    assert all_beside_server("pg_dump", 17) == [str(tmp_path / "17.6" / "pg_dump")]
    assert all_beside_server("pg_dump", 18) == []
    assert [knows_restrict(str(tmp_path / each / "psql")) for each in ("13.3", "16.9", "17.6")] == [
        False,
        False,
        True,
    ]


def test_what_the_server_says_is_never_told() -> None:
    """SQLSTATE and line are told; the words around them, which may be row content, are not."""
    said = "psql:<stdin>:12: ERROR:  23505: duplicate key value\nDETAIL:  Key (mail)=(secret@x) already exists.\n"
    told = refusal_of(said, 3, "shop", lines=True)
    assert (told.state, "line 12" in told.message, "secret" in told.message) == ("23505", True, False)
    lost = refusal_of(
        "psql: error: connection to server failed: FATAL:  password authentication failed", 2, "shop"
    )
    assert (lost.kind, lost.state) == ("refused", "")
    assert refusal_of("", -9, "shop").kind == "unreadable"
