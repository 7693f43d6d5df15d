"""What clients and servers of PostgreSQL 13 to 18 print, in English and in other languages, and what is made of it.

No server is needed. Outputs of 15, 17 and 18 are recorded from the programs; others are as their documentation, and
people's published outputs, show them. Words in other languages are those of PostgreSQL 15's own catalogues.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.making import _options
from adapters.host_reader.postgresql.programs import find_psql, knows_restrict, major_of
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import refusal_of
from adapters.host_reader.postgresql.tools import failed

# What psql says of itself, its major version, and whether it knows \restrict (the releases of August 2025).
PSQLS = [
    ("psql (PostgreSQL) 12.22", 12, False),
    ("psql (PostgreSQL) 13.16 (Debian 13.16-0+deb11u1)", 13, False),
    ("psql (PostgreSQL) 13.22 (Debian 13.22-0+deb11u1)", 13, True),
    ("psql (PostgreSQL) 14.18 (Ubuntu 14.18-0ubuntu0.22.04.1)", 14, False),
    ("psql (PostgreSQL) 14.19 (Ubuntu 14.19-0ubuntu0.22.04.1)", 14, True),
    ("psql (PostgreSQL) 15.13", 15, False),
    ("psql (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", 15, True),
    ("psql (PostgreSQL) 16.9", 16, False),
    ("psql (PostgreSQL) 16.10", 16, True),
    ("psql (PostgreSQL) 17.5", 17, False),
    ("psql (PostgreSQL) 17.10 (Homebrew)", 17, True),
    ("psql (PostgreSQL) 18.6", 18, True),
    ("psql (PostgreSQL) 18rc1", 18, True),
    ("psql: symbol lookup error", 0, False),
]


def program(folder: Path, name: str, text: str) -> str:
    """Write a program and return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("said", "major", "restricts"), PSQLS, ids=[each[0] for each in PSQLS])
def test_a_client_is_told_by_what_it_says(tmp_path: Path, said: str, major: int, restricts: bool) -> None:
    """Its major version decides over one transaction (from 15 on), its minor one over restricted mode."""
    psql = program(tmp_path / "bin", "psql", f"#!/bin/sh\necho '{said}'\n")
    assert (major_of(psql), knows_restrict(psql)) == (major, restricts)


# A psql that answers to each question with a mark, and to the one for the server's version.
_PSQL = """#!{python}
import sys
if "--version" in sys.argv:
    print("psql (PostgreSQL) 99.1")
    sys.exit()
refused = {refused!r}
database = sys.argv[-1]
for name, words in refused.items():
    if f"dbname='{{name}}'" in database:
        print(words, file=sys.stderr)
        sys.exit(2)
for line in sys.stdin:
    if line.startswith("COPY (SELECT current_setting"):
        print({version!r}, flush=True)
    elif line.startswith("\\\\echo "):
        print(line.split()[1], flush=True)
"""


def opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, refused: dict[str, str] | None = None
) -> PostgresqlServer:
    """Return the server that a psql of the test's own answers for."""
    text = _PSQL.format(python=sys.executable, version=version, refused=refused or {})
    monkeypatch.setenv("PATH", str(Path(program(tmp_path / "bin", "psql", text)).parent))
    assert find_psql() == str(tmp_path / "bin" / "psql")
    told = "BACKOUT1:" + json.dumps(
        {"credentials": {"driver": "pgsql", "host": "127.0.0.1", "username": "u", "database": "shop"}}
    )
    return PostgresqlServer({"access": {"argv": ["/bin/echo", told]}, "workspace": str(tmp_path)})


def test_a_client_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that cannot be started, as it is being replaced, is named, with what to look at."""
    psql = "#!/bin/sh\nrm -- \"$0\"\necho 'psql (PostgreSQL) 99.1'\n"
    monkeypatch.setenv("PATH", f"{Path(program(tmp_path / 'bin', 'psql', psql)).parent}:/bin")
    told = "BACKOUT1:" + json.dumps(
        {"credentials": {"driver": "pgsql", "host": "127.0.0.1", "username": "u", "database": "shop"}}
    )
    with pytest.raises(
        Refusal,
        match=r"psql cannot be started: No such file.* It asked nothing of the server; put this host's",
    ):
        PostgresqlServer({"access": {"argv": ["/bin/echo", told]}, "workspace": str(tmp_path)})


@pytest.mark.parametrize(
    ("told", "major", "version"),
    [
        ("130022\t13.22 (Debian 13.22-0+deb11u1)", 13, "13.22"),
        ("140019\t14.19 (Ubuntu 14.19-0ubuntu0.22.04.1)", 14, "14.19"),
        ("160010\t16.10", 16, "16.10"),
        ("180000\t18beta1", 18, "18beta1"),
    ],
)
def test_a_server_is_told_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, major: int, version: str
) -> None:
    """Its number decides, and its own text without the packager's is shown. *Source*: server_version_num, 13 to 18."""
    with opened(tmp_path, monkeypatch, told) as server:
        assert (server.major, server.version) == (major, version)


def test_an_older_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL 12 lacks what is needed, and is refused by name before anything else is asked."""
    with pytest.raises(Refusal, match=r"PostgreSQL 12\.22; 13 is the oldest"):
        opened(tmp_path, monkeypatch, "120022\t12.22 (Debian 12.22-1)")


# A row of pg_database, and the options of CREATE DATABASE made of it. *Source*: pg_database in each version's manual.
_C = {"encoding_name": "UTF8", "datcollate": "de_DE.UTF-8", "datctype": "de_DE.UTF-8"}
_PLAIN = {"ENCODING": "'UTF8'", "LC_COLLATE": "'de_DE.UTF-8'", "LC_CTYPE": "'de_DE.UTF-8'"}
DATABASES = [
    (13, {**_C, "datlastsysoid": 13000}, _PLAIN),
    (14, {**_C, "datlastsysoid": 14000}, _PLAIN),
    (15, {**_C, "datlocprovider": "c", "daticulocale": None, "datcollversion": "2.31"}, _PLAIN),
    (
        16,
        {**_C, "datlocprovider": "i", "daticulocale": "de-DE", "daticurules": "& a < b"},
        {
            **_PLAIN,
            "LOCALE_PROVIDER": "icu",
            "ICU_LOCALE": "'de-DE'",
            "ICU_RULES": "'& a < b'",
        },
    ),
    (
        17,
        {**_C, "datlocprovider": "b", "datlocale": "C.UTF-8", "daticurules": None},
        {**_PLAIN, "LOCALE_PROVIDER": "builtin", "BUILTIN_LOCALE": "'C.UTF-8'"},
    ),
    (
        18,
        {**_C, "datlocprovider": "i", "datlocale": "de-DE", "daticurules": None},
        {**_PLAIN, "LOCALE_PROVIDER": "icu", "ICU_LOCALE": "'de-DE'"},
    ),
]


@pytest.mark.parametrize(
    ("version", "row", "options"), DATABASES, ids=[str(version) for version, _, _ in DATABASES]
)
def test_scratch_has_lives_locale_in_each_version(
    version: int, row: dict[str, object], options: dict[str, str]
) -> None:
    """No version is given an option that it does not know, and none sorts in another order than live."""
    del version
    assert _options(row) == options


# How PostgreSQL 15 says ERROR and FATAL; a server speaks the language of its lc_messages, whoever asks.
LANGUAGES = {
    "en": ("ERROR", "FATAL"),
    "de": ("FEHLER", "FATAL"),
    "fr": ("ERREUR", "FATAL"),
    "it": ("ERRORE", "FATALE"),
    "ru": ("ОШИБКА", "ВАЖНО"),
    "sv": ("FEL", "FATALT"),
    "zh_CN": ("错误", "致命错误"),
    "ko": ("오류", "치명적오류"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_errors_are_told_by_their_state_in_any_language(language: str) -> None:
    """The SQLSTATE and the line are read whatever the server calls an error, in each verbosity that is asked for."""
    error, fatal = LANGUAGES[language]
    for said, state, kind in (
        (f"psql:<stdin>:12: {error}:  23503\n", "23503", "foreign_keys"),
        (f"psql:<stdin>:12: {error}:  55P03: …\nDETAIL:  TABLE: secret\n", "55P03", "busy"),
        (f"psql:<stdin>:12: {fatal}:  57P01: …\n", "57P01", "busy"),
    ):
        told = refusal_of(said, 3, "shop", lines=True)
        assert (told.state, told.kind, "at line 12" in told.message) == (state, kind, True)
    assert refusal_of(f"{error}:  42501\n", 3, "shop").state == "42501"


@pytest.mark.parametrize(("notice", "warning"), [("NOTICE", "WARNING"), ("HINWEIS", "WARNUNG")])
def test_a_warning_before_the_error_is_not_taken_for_it(notice: str, warning: str) -> None:
    """The error is what was said last; notices before it have states of their own."""
    said = (
        f"psql:<stdin>:2: {notice}:  42P07: relation exists\n"
        f"psql:<stdin>:3: {warning}:  01000: something\n"
        f"psql:<stdin>:9: {'ERROR' if notice == 'NOTICE' else 'FEHLER'}:  23505: duplicate\n"
        "DETAIL:  00000: no state of its own\n"
    )
    told = refusal_of(said, 3, "shop", lines=True)
    assert (told.state, "at line 9" in told.message) == ("23505", True)
    assert refusal_of(f"psql:<stdin>:2: {warning}:  01000: something\n", -9, "shop").state == ""


# Before there is a session psql tells the server's words only. *Source*: psql 13 (`could not connect to server`), 14 to
# 18 (`connection to server at … failed`).
_AT = 'psql: error: connection to server at "127.0.0.1", port 5432 failed: '
_GERMAN = _AT + "FATAL:  Datenbank »shop« akzeptiert gegenwärtig keine Verbindungen"
_PASSWORD = 'psql: error: could not connect to server: FATAL:  password authentication failed for user "u"'
CLOSED = [
    ('psql: error: FATAL:  database "shop" is not currently accepting connections', "busy", False),
    (_PASSWORD, "refused", False),
    (_AT + 'FATAL:  too many connections for database "shop"', "busy", False),
    (_GERMAN, "unreadable", True),
    (_AT + 'ВАЖНО:  база "shop" не принимает подключения в данный момент', "unreadable", True),
    (_AT + "Connection refused\n\tIs the server running on that host?", "unreadable", False),
]


@pytest.mark.parametrize(("said", "kind", "is_unread"), CLOSED)
def test_why_there_is_no_session_is_told(said: str, kind: str, is_unread: bool) -> None:
    """In English the reason is known; in another language it is said that the server refuses, and that it was not read."""
    told = refusal_of(said + "\n", 2, "shop")
    assert (told.kind, told.is_unread, "shop" in told.message) == (kind, is_unread, True)
    assert ("another language" in told.message) == is_unread


def test_a_live_database_that_a_killed_cut_over_left_closed_is_found_in_any_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says so in German is asked in another database, from which the closed one is opened again."""
    with opened(tmp_path, monkeypatch, "150018\t15.18", {"shop": _GERMAN}) as server:
        assert server.home == "postgres"
    with pytest.raises(Refusal, match="the password is not accepted"):
        opened(tmp_path, monkeypatch, "150018\t15.18", {"shop": _PASSWORD})


@pytest.mark.parametrize(
    ("program", "said", "kind"),
    [
        # Source: pg_dump of 13 to 18; from 14 on `detail:` is a line of its own, before it stood behind the message.
        ("pg_dump", "pg_dump: error: server version: 16.4; pg_dump version: 15.8\npg_dump: error: aborting because of server version mismatch", "refused"),
        ("pg_dump", "pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 16.4; pg_dump version: 15.8", "refused"),
        ("pg_dump", "pg_dump: error: query failed: ERROR:  permission denied for table secret", "refused"),
        ("pg_dump", "pg_dump: error: query failed: FEHLER:  keine Berechtigung für Tabelle secret", "refused"),
        ("pg_restore", "pg_restore: error: unsupported version (1.16) in file header", "refused"),
        ("pg_dump", "pg_dump: error: could not write to output file: No space left on device", "no_space"),
        ("psql", "psql:<stdin>:9: FEHLER:  53100: konnte Datei nicht erweitern", "no_space"),
    ],
)  # fmt: skip
def test_a_programs_failure_is_told_without_its_words(
    tmp_path: Path, program: str, said: str, kind: str
) -> None:
    """Each version's words give a kind and a place to read them; none of them is told."""
    path = tmp_path / "said"
    path.write_text(said, encoding="utf-8")
    with path.open("rb") as errors:
        told = failed(program, 1, errors, path, "shop")
    assert (told.kind, str(path) in told.message, "secret" in told.message) == (kind, True, False)
