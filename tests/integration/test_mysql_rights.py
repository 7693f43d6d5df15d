"""MariaDB, a user who may make no database: the whole recovery in the databases that a hosting panel lends (HAZARDS R9, R10)."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.host_reader.__main__ import answer as reader_answer
from adapters.host_reader.answers import Refusal
from bot.settings import SiteSettings
from tests.integration.image_servers import BEFORE, MAPPING, MIGRATION, ROLLBACK, TRIGGERS, TYPES
from tests.integration.mysql_dying_reader import kill_reader
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer

_NUMBERS = itertools.count(1)
LONG = "t" * 60
ROWS = """
INSERT INTO users VALUES (1, 'one@example.org', '1970-01-01', x'00ff0a5c', '2025-11-01'), (2, 'two', NULL, NULL, NULL);
INSERT INTO pictures VALUES (4, 1, 'home', 'a note', 4.5, '2025-11-01', NULL), (5, 2, NULL, 'NULL', 5, '2025-11-01', NULL),
    (7, 1, 'gone', 'lost', 7.5, '2025-11-01', NULL);
INSERT INTO remarks VALUES (1, 4, NULL, 'first', '2025-11-02'), (2, 5, NULL, 'second', NULL), (3, 4, 1, 'reply', NULL);
INSERT INTO picture_tag VALUES (4, 1), (5, 2), (5, 2);
INSERT INTO sessions VALUES ('old', 'x');
INSERT INTO migrations VALUES (1, 'a_first', 1), (2, 'b_second', 1);
"""
# Names of their own, as Laravel gives them: two of one database may not be alike.
NAMED = f"""
CREATE TABLE {LONG} (id int AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned, KEY (user_id),
    CONSTRAINT long_user_foreign FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL);
INSERT INTO {LONG} (user_id) VALUES (1), (NULL);
ALTER TABLE remarks ADD CONSTRAINT remarks_picture_id_foreign FOREIGN KEY (picture_id) REFERENCES pictures (id) ON DELETE CASCADE;
CREATE VIEW told AS SELECT id, body FROM remarks;
CREATE FUNCTION plus(a int) RETURNS int DETERMINISTIC RETURN a + 1;
"""
BAD = "2025_11_25_120000_group_pictures"
QUIET = {"still": "DROP TRIGGER seen;", "again": TRIGGERS["mysql"]}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One application's database and those its panel lends; the user has all rights on these and no other right."""

    server: MariadbServer
    login: Login
    lent: tuple[str, ...]
    workspace: Path

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """Return the answer of a verb, as the row reader's command gives it. *Raises* Refusal for its error."""
        request = {
            "database": self.login.database,
            "access": self.login.access(),
            "workspace": str(self.workspace),
            "scratch_databases": list(self.lent),
        }
        told = reader_answer(f"mysql_{verb}", json.dumps({**request, **more}))
        if not told["ok"]:
            raise Refusal(told["error"]["kind"], told["error"]["message"])
        return told

    def fingerprint(self, place: str | None = None) -> str:
        """Return the fingerprint of a place, live by default."""
        return str(self.ask("fingerprint", database=place or self.login.database)["fingerprint"])

    def copy(self, source: str, purpose: str = "repair") -> dict[str, Any]:
        """Return the answer of a copy to a new scratch."""
        name = f"backout_{purpose}_20260101000000_{next(_NUMBERS):08x}"
        return self.ask("copy", source=source, target=name)

    def file(self, name: str) -> str:
        """Return a safety backup of live as it is now."""
        target = str(self.workspace / name)
        self.ask("copy", source=self.login.database, target=target)
        return target

    def load(self, backup: str, purpose: str = "baseline") -> dict[str, Any]:
        """Return the answer of a load of a backup into a new scratch."""
        name = f"backout_{purpose}_20260101000000_{next(_NUMBERS):08x}"
        return self.ask("load", backup=backup, target=name, like=self.login.database, expect=None)

    def cut_over(self, source: str, wanted: str | None = None, expected: str | None = None) -> dict[str, Any]:
        """Return the answer of a cut-over from a place to live."""
        return self.ask(
            "cutover",
            source=source,
            target=self.login.database,
            expect_source_fingerprint=wanted or self.fingerprint(source),
            expect_target_fingerprint=expected or self.fingerprint(),
        )

    def account(self, scratch: str, baseline: str, safety: str) -> dict[str, Any]:
        """Return the fields of a repair's and a proof's request, with the decisions a person would take."""
        return {
            "scratch": scratch,
            "baseline": baseline,
            "live_copy": safety,
            "decisions": {"remarks": "restore", "pictures": "leave", "picture_tag": "restore"},
            "mappings": [MAPPING],
            "runtime_tables": ["sessions"],
        }

    def keys(self, database: str) -> list[tuple[str, ...]]:
        """Return the names of the foreign keys of a database and the tables they stand on."""
        return self.login.rows(
            "SELECT constraint_name, table_name FROM information_schema.referential_constraints"
            f" WHERE constraint_schema = '{database}' ORDER BY 1, 2"
        )


@contextmanager
def opened_panel(server: MariadbServer, folder: Path, lent: int) -> Iterator[Panel]:
    """Give a small album before its bad migration, and so many empty databases that the panel lends."""
    name = f"panel{next(_NUMBERS)}_{folder.name[-12:]}"
    others = tuple(f"{name}_lent{number}" for number in range(1, lent + 1))
    rights = [f"ALL ON `{each}`.*".replace("_", "\\_") for each in (name, *others)]
    login = server.make(name, grants=tuple(rights))
    for other in others:
        server.superuser.run(f"CREATE DATABASE {other} CHARACTER SET latin1")
    try:
        login.run(BEFORE.format(**TYPES["mysql"]) + ROWS + NAMED + TRIGGERS["mysql"])
        yield Panel(server=server, login=login, lent=others, workspace=folder)
    finally:
        for other in others:
            server.superuser.run(f"DROP DATABASE {other}")
        server.drop(login)


@pytest.fixture(
    params=(1, pytest.param(2, marks=pytest.mark.long)), ids=("one lent database", "two lent databases")
)
def panel(request: pytest.FixtureRequest, mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Panel]:
    """Return an album whose user may make no database, with one or two that the panel lends."""
    with opened_panel(mariadb_server, tmp_path, request.param) as made:
        yield made


def broken(panel: Panel) -> tuple[str, str]:
    """Run the bad migration, and some use after it; return the backup from before it and the safety backup."""
    backup = panel.file("backup.sql")
    panel.login.run(
        "ALTER TABLE pictures ADD COLUMN spare int; ALTER TABLE pictures DROP COLUMN spare;"
        + MIGRATION.format(**TYPES["mysql"], **QUIET, bad=BAD)
    )
    return backup, panel.file("safety.sql")


def repaired(panel: Panel) -> tuple[str, str, str]:
    """Rehearse the repair in a lent database; return its place, the baseline's and the safety backup."""
    backup, safety = broken(panel)
    baseline = panel.load(backup)["target"]
    made = panel.copy(safety)
    panel.login.run(ROLLBACK.format(**TYPES["mysql"], bad=BAD), database=made["database"])
    scratch = made["target"]
    panel.ask("repair", **panel.account(scratch, baseline, safety))
    proof = panel.ask("prove", **panel.account(scratch, baseline, safety))
    assert (proof["proven"], proof["reasons"]) == (True, [])
    return scratch, baseline, safety


def test_a_repair_goes_live_and_back(panel: Panel) -> None:
    """Copy, load, repair, proof, cut-over, undo and cut-over again, with all rights on live and the lent databases alone."""
    scratch, baseline, safety = repaired(panel)
    databases, before, wanted = panel.server.databases(), panel.fingerprint(), panel.fingerprint(scratch)
    made = panel.cut_over(scratch)
    assert (made["already"], panel.fingerprint()) == (False, wanted)
    live = panel.login.database
    assert panel.keys(live) == [
        ("long_user_foreign", LONG),
        ("pictures_ibfk_1", "pictures"),
        ("remarks_ibfk_1", "remarks"),
        ("remarks_ibfk_2", "remarks"),
        ("remarks_picture_id_foreign", "remarks"),
    ]
    assert panel.login.rows("SELECT note FROM pictures WHERE id IN (4, 90001) ORDER BY id") == [
        ("edited since",),
        ("note since",),
    ]
    assert panel.login.number("SELECT COUNT(*) FROM told") == 4
    assert panel.login.number("SELECT plus(1)") == 2
    assert panel.cut_over(scratch, wanted, before)["already"]
    assert panel.ask("exists", database=scratch)["exists"] is False
    undone = panel.cut_over(safety, before)
    assert (undone["already"], panel.fingerprint()) == (False, before)
    assert panel.login.number("SELECT COUNT(*) FROM entries") == 4
    assert panel.keys(live)[0] == ("long_user_foreign", LONG)
    assert panel.server.databases() == databases
    again = panel.load(str(panel.workspace / "backup.sql"), "swap")["target"]
    assert panel.cut_over(again)["already"] is False
    assert panel.ask("exists", database=baseline)["exists"] is True
    panel.login.run("INSERT INTO pictures (user_id) VALUES (1)")
    assert panel.login.number("SELECT MAX(id) FROM pictures") > 90001


@pytest.fixture
def single(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Panel]:
    """Return an album with one lent database."""
    with opened_panel(mariadb_server, tmp_path, 1) as made:
        yield made


def test_a_database_that_holds_something_else_is_never_used(single: Panel) -> None:
    """A table, a view or a routine of somebody else in a lent database is named and refused, and left as it was."""
    (lent,) = single.lent
    backup = single.file("backup.sql")
    for made, name in (
        ("CREATE TABLE theirs (a int)", "theirs"),
        ("CREATE VIEW look AS SELECT 1", "look"),
        ("CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1", "one"),
    ):
        single.login.run(made, database=lent)
        with pytest.raises(Refusal, match=f"holds '{name}', which Backout did not make") as refused:
            single.load(backup)
        assert refused.value.kind == "refused"
        single.login.run(f"DROP {made.split()[1]} {name}".replace("()", ""), database=lent)
    single.load(backup)


@pytest.mark.long
def test_what_is_put_there_later_is_not_removed(single: Panel) -> None:
    """A table that somebody makes beside a scratch keeps that database from being emptied."""
    (lent,) = single.lent
    single.load(single.file("backup.sql"), "swap")
    single.login.run("CREATE TABLE theirs (a int); INSERT INTO theirs VALUES (1)", database=lent)
    with pytest.raises(Refusal, match="holds 'theirs', which Backout did not make"):
        single.copy(single.login.database)
    assert single.login.rows("SELECT a FROM theirs", database=lent) == [("1",)]


@pytest.mark.long
def test_the_place_of_a_copy_that_had_to_go_is_no_other_copys(single: Panel) -> None:
    """With one lent database a second copy takes it; the first one's place is not there, and nothing is read for it."""
    first = single.copy(single.login.database)
    single.login.run("INSERT INTO users (email) VALUES ('later')")
    second = single.copy(single.login.database)
    assert first["database"] == second["database"] == single.lent[0]
    assert single.ask("exists", database=first["target"])["exists"] is False
    with pytest.raises(Refusal, match="was needed for another copy"):
        single.fingerprint(first["target"])
    assert single.fingerprint(second["target"]) == single.fingerprint()
    with pytest.raises(Refusal, match="was needed for another copy"):
        single.cut_over(first["target"], wanted=first["fingerprint"])


def test_live_is_no_lent_database(single: Panel) -> None:
    """The live database named in scratch_databases, one without rights, and one that is not there are refused."""
    for name, why in (
        (single.login.database, "is the live database"),
        ("somebody_elses", "lacks the right SELECT"),
    ):
        with pytest.raises(Refusal, match=why):
            single.ask(
                "copy",
                source=single.login.database,
                target=f"backout_repair_20260101000000_{next(_NUMBERS):08x}",
                scratch_databases=[name],
            )


def test_the_way_is_told_with_what_would_be_better(single: Panel) -> None:
    """The answer says why a lent database was taken, and the GRANT; the rights verb counts it as a way."""
    told = single.copy(single.login.database)["way"]
    assert "may make no database" in told
    assert f"lies in the database {single.lent[0]}" in told
    assert "GRANT ALL PRIVILEGES ON `backout\\_%`.*" in told
    assert single.ask("rights")["create"] is True
    assert single.ask("rights", scratch_databases=[])["create"] is False


@pytest.mark.long
def test_a_rehearsal_beside_the_tables_put_aside(single: Panel) -> None:
    """After the cut-over the only lent database holds live's old tables and takes another copy; the undo still works."""
    scratch, _, safety = repaired(single)
    before = single.fingerprint()
    single.cut_over(scratch)
    rehearsal = single.copy(single.login.database, "deploy")
    single.login.run("CREATE TABLE made_by_a_rehearsal (a int)", database=rehearsal["database"])
    single.fingerprint(rehearsal["target"])
    position = single.server.log_position()
    assert single.cut_over(safety, before)["already"] is False
    assert single.fingerprint() == before
    assert "INSERT INTO" not in single.server.log_since(position)


@pytest.mark.long
def test_the_undo_works_from_the_file_alone(single: Panel) -> None:
    """Where the tables put aside are gone, the safety backup is loaded into the lent database and cut over to."""
    scratch, _, safety = repaired(single)
    before = single.fingerprint()
    aside = single.cut_over(scratch)["aside"]
    single.ask("drop", database=aside)
    assert single.login.rows("SHOW TABLES", database=single.lent[0]) == []
    assert single.cut_over(safety, before)["fingerprint"] == before == single.fingerprint()


@contextmanager
def holding(login: Login) -> Iterator[None]:
    """Keep a session open that has read a table in a transaction and does nothing more."""
    session = subprocess.Popen(
        [*login.client(), "--unbuffered"],
        env=login.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    told, answers = session.stdin, session.stdout
    assert told is not None
    assert answers is not None
    told.write(b"START TRANSACTION; SELECT 'x' FROM users WHERE id = 0;\nSELECT 'ready';\n")
    told.flush()
    while answers.readline().strip() != b"ready":
        pass
    try:
        yield
    finally:
        session.kill()
        session.wait()
        told.close()
        answers.close()


@pytest.mark.long
def test_a_refused_cut_over_leaves_both_as_they_were(single: Panel) -> None:
    """A session that holds a table: live and scratch keep their content and the names of their foreign keys."""
    scratch, _, _ = repaired(single)
    live, wanted = single.fingerprint(), single.fingerprint(scratch)
    keys = single.keys(single.login.database), single.keys(single.lent[0])
    with holding(single.login), pytest.raises(Refusal, match=r"keeps tables of .* locked"):
        single.cut_over(scratch, wanted, live)
    assert (single.fingerprint(), single.fingerprint(scratch)) == (live, wanted)
    assert (single.keys(single.login.database), single.keys(single.lent[0])) == keys
    assert single.cut_over(scratch, wanted, live)["already"] is False


@pytest.mark.parametrize("names", [["backout_mine"], ["a", "a"], ["a@b"], [""], ["/file"]])
def test_the_settings_take_no_name_that_could_be_a_place(names: list[str]) -> None:
    """A place of Backout's own, a path, an empty name and one named twice are refused by name of the key."""
    ssh = {"address": "h", "user": "u", "known_hosts": "k"}
    site: dict[str, Any] = {"ssh": ssh, "app_path": "/a", "url": "http://a", "backups": ("/b",)}
    assert SiteSettings(**site, scratch_databases=("second", "Dritte-1")).scratch_databases == (
        "second",
        "Dritte-1",
    )
    with pytest.raises(ValidationError, match="scratch_databases"):
        SiteSettings(**site, scratch_databases=tuple(names))


@pytest.mark.parametrize(
    ("word", "number"),
    [
        pytest.param("ALTER TABLE", 2, marks=pytest.mark.long),
        pytest.param("RENAME TABLE", 1, marks=pytest.mark.long),
        ("ALTER TABLE", 4),
        pytest.param("ALTER TABLE", 6, marks=pytest.mark.long),
    ],
)
def test_a_killed_cut_over_is_finished_or_taken_back(single: Panel, word: str, number: int) -> None:
    """Killed while foreign keys get their names or before the tables move, the same request ends it well; undo too."""
    scratch, _, safety = repaired(single)
    before, wanted = single.fingerprint(), single.fingerprint(scratch)
    request = {
        "database": single.login.database,
        "access": single.login.access(),
        "workspace": str(single.workspace),
        "scratch_databases": list(single.lent),
        "source": scratch,
        "target": single.login.database,
        "expect_source_fingerprint": wanted,
        "expect_target_fingerprint": before,
    }
    kill_reader(single.server, single.workspace, (word,) * number, "mysql_cutover", request)
    assert single.cut_over(scratch, wanted, before)["fingerprint"] == wanted == single.fingerprint()
    assert single.cut_over(safety, before)["fingerprint"] == before == single.fingerprint()
