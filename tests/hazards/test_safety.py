"""The safety backup (S2, S4–S7): copies that succeed and hold nothing, names that deceive, passwords in `ps`."""

from __future__ import annotations

import gzip
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_verbs import sqlite_copy
from tests.hazards.test_backups import judged, word
from tests.hazards.typed import change, command_lines, eventually, number, ssh_words, typed
from tests.hazards.watched import Watched
from tests.site.production import Production


def copy(source: Path, target: Path) -> dict[str, Any]:
    """Make a safety copy as Backout does on the host."""
    return sqlite_copy({"source": str(source), "target": str(target)})


def test_s2_a_dump_onto_a_full_disk_ends_with_success(production_template: Production) -> None:
    """`sqlite3 db .dump` ends with 0 although the disk took nothing of it."""
    site = production_template
    assert typed(site, f"sqlite3 {site.database_path} .dump > /dev/full").returncode == 0


def test_s2_a_killed_dumper_behind_a_pipe_leaves_a_sound_archive(
    production_template: Production, tmp_path: Path
) -> None:
    """`dumper | gzip` ends with 0 when the dumper was killed; `gzip -t` is content; Backout refuses what is left."""
    site, half = production_template, tmp_path / "half.sql.gz"
    line = f"(sqlite3 {site.database_path} .dump | head -c 90000; kill -9 $BASHPID) | gzip > {half}"
    assert typed(site, line).returncode == 0
    assert typed(site, f"gzip -t {half}").returncode == 0
    assert word(site, half) == "REFUSED"


def test_s2_a_copy_without_room_is_refused_and_leaves_nothing(
    production_template: Production, tmp_path: Path
) -> None:
    """Where a file may not grow to the database's size, the copy says no, and no file has its name."""
    line = (
        f"ulimit -f 40; cd {shlex.quote(str(Path(__file__).parents[2]))} && python3 -m adapters.host_reader sqlite_copy"
        f' <<< \'{{"source": "{production_template.database_path}", "target": "{tmp_path}/safe.sqlite"}}\''
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, '"ok": false' in done.stdout) == (1, True)
    assert not (tmp_path / "safe.sqlite").exists()


def test_s4_s6_the_copy_is_whole_where_cp_copies_nothing(stopped: Production, tmp_path: Path) -> None:
    """With the application's rows still in the -wal, `cp` takes none of them and says 0; Backout's copy has them all."""
    live = stopped.database_path
    change(live, "pragma journal_mode=wal; pragma wal_checkpoint(truncate);")
    with closing(sqlite3.connect(live, isolation_level=None)) as application:
        application.execute("pragma wal_autocheckpoint=0")
        application.execute("delete from comments")
        before = number(live, "select count(*) from comments")
        application.execute(
            "insert into comments (photo_id, body) select id, 'since' from photos order by id limit 500"
        )
        assert typed(stopped, f"cp {live} {tmp_path}/cp.sqlite").returncode == 0
        assert number(tmp_path / "cp.sqlite", "select count(*) from comments where body = 'since'") == 0
        assert before == 0
        copy(live, tmp_path / "ours.sqlite")
    assert number(tmp_path / "ours.sqlite", "select count(*) from comments where body = 'since'") == 500


def test_s6_a_dump_of_a_wrong_path_is_a_whole_dump_of_nothing(
    production_template: Production, tmp_path: Path
) -> None:
    """`.dump` of a mistyped path ends with 0, writes a dump with its end marker, and makes the file; Backout refuses all of it."""
    wrong, dump = tmp_path / "databse.sqlite", tmp_path / "pre-restore.sql"
    done = typed(production_template, f"sqlite3 {wrong} .dump > {dump}")
    assert done.returncode == 0
    assert dump.read_text(encoding="utf-8").endswith("COMMIT;\n")
    assert wrong.exists()
    assert word(production_template, dump) == "REFUSED"
    with pytest.raises(Refusal, match=r"not there|does not exist|no file|missing"):
        copy(tmp_path / "nowhere.sqlite", tmp_path / "copy.sqlite")
    assert not (tmp_path / "nowhere.sqlite").exists()


def test_s6_a_failed_dumper_leaves_20_bytes_with_success(
    production_template: Production, tmp_path: Path
) -> None:
    """A dumper that fails before its first byte leaves an empty archive with status 0; Backout refuses it as empty."""
    archive = tmp_path / "pre-restore.sql.gz"
    done = typed(production_template, f"sqlite3 /nonexistent/db .dump 2>/dev/null | gzip > {archive}")
    assert done.returncode == 0
    assert gzip.decompress(archive.read_bytes()) in (
        b"",
        b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCOMMIT;\n",
    )
    assert word(production_template, archive) == "REFUSED"


def test_s5_the_runbooks_two_copies_have_one_name(stopped: Production, tmp_path: Path) -> None:
    """Typed in `database/`, the restore takes the safety copy of the broken state and ends with 0."""
    site = stopped
    typed(site, f"ln -s {site.backups_path} ~/backups")
    typed(site, f"sqlite3 ~/backups/database.sqlite.backup < {site.good_backup}")
    typed(site, "cp database/database.sqlite database/database.sqlite.backup")
    folder = site.app_path / "database"
    assert typed(site, "cp database.sqlite.backup database.sqlite", at=folder).returncode == 0
    assert (
        number(site.database_path, "select count(*) from pragma_table_info('photos') where name = 'caption'")
        == 0
    )
    assert word(site, folder / "database.sqlite.backup") == "REFUSED"
    assert word(site, site.backups_path / "database.sqlite.backup") == "VERIFIED"


def test_s5_backout_names_its_safety_copy_and_knows_it_by_hash(watched: Watched) -> None:
    """The safety copy lies in Backout's own folder, its SHA-256 stands in the timeline, and it is no backup to restore."""
    (made,) = watched.of("safety.made")
    path = Path(made["data"]["path"])
    told = judged(watched.site, path)
    assert path.parent == watched.site.home_path / ".backout/sites/album/safety"
    assert told["manifest"]["sha256"] == made["data"]["sha256"]
    assert told["verdict"]["word"] == "REFUSED"


def test_s7_a_password_in_the_command_line_shows_in_ps(production: Production) -> None:
    """`MYSQL_PWD=… client` over ssh stands in the list of processes for everyone; read from standard input it does not."""
    line = "MYSQL_PWD='plainly seen' sleep 20; true"
    literal = subprocess.Popen([*ssh_words(production), line], stdin=subprocess.DEVNULL)
    seen = eventually(
        lambda: [one for one in command_lines(production) if "sleep 20; true" in one and "sh -c" in one]
    )
    literal.kill()
    literal.wait()
    assert any("plainly seen" in one for one in seen)
    quiet = "IFS= read -r MYSQL_PWD; export MYSQL_PWD; sleep 21; true"
    ours = subprocess.Popen([*ssh_words(production), quiet], stdin=subprocess.PIPE)
    assert ours.stdin is not None
    ours.stdin.write(b"never seen\n")
    ours.stdin.flush()
    eventually(lambda: [one for one in command_lines(production) if one.startswith("sleep 21")])
    shown = command_lines(production)
    ours.kill()
    ours.communicate()
    assert not any("never seen" in one for one in shown)


def test_s7_no_secret_of_a_whole_incident_was_in_ps(watched: Watched) -> None:
    """Through a whole incident the bypass secrets stood in the flag, and never in a command line or in anything said."""
    assert watched.bypass_secrets
    assert any("php" in line for line in watched.shown_by_ps)
    for secret in watched.bypass_secrets:
        assert [line for line in watched.shown_by_ps if secret in line] == []
        assert [place for place, said in watched.said.items() if secret in said] == []
