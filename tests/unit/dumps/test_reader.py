"""The program that runs on the host: find, inspect, scripts, the packed file, its answers and its progress."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import marshal
import os
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.__main__ import VERBS, main, verb_function
from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.files import find
from adapters.host_reader.inspect import exit_status, inspect, inspect_file
from adapters.host_reader.scripts import scripts
from adapters.host_reader_pack import pack_reader
from bot.dumps.render import render_inspection
from tests.zoo.make import BAD, EARLIER, make_database, sqlite_program

DUMP = b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(x);\nINSERT INTO t VALUES('secret value');\n"
DUMP += b"CREATE TABLE migrations(id, migration, batch);\nINSERT INTO migrations VALUES(1,'2024_01_01_000000_a',1);\nCOMMIT;\n"


def asked(verb: str, request: object) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    old_mask = os.umask(0)
    os.umask(old_mask)
    try:
        status = main([verb], io.StringIO(json.dumps(request)), out)
    finally:
        os.umask(old_mask)
    return status, json.loads(out.getvalue())


def test_find_tells_files_by_content(tmp_path: Path) -> None:
    """Backups are found whatever their names, plain or packed; other files and Laravel's schema dumps are not."""
    for folder in ("vendor", "database/schema", "public", "storage/framework"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.sql").write_bytes(DUMP)
    (tmp_path / "noname").write_bytes(DUMP)
    (tmp_path / "packed.bin").write_bytes(gzip.compress(DUMP))
    (tmp_path / "empty.sql").write_bytes(b"")
    (tmp_path / "readme.sql").write_bytes(b"not a dump\n")

    answer = find({"roots": [str(tmp_path)], "web_root": str(tmp_path / "public")})

    found = {Path(entry["path"]).relative_to(tmp_path).as_posix(): entry for entry in answer["files"]}
    assert set(found) == {"noname", "packed.bin", "public/x.sql", "empty.sql"}
    assert (found["packed.bin"]["format"], found["packed.bin"]["compression"]) == ("sqlite_dump", "gzip")
    assert [name for name, entry in found.items() if entry["under_web_root"]] == ["public/x.sql"]
    assert answer["complete"] is True


def test_find_leaves_out_the_live_database(tmp_path: Path) -> None:
    """The live database and what SQLite keeps beside it are no backups, by whatever name they are met."""
    live = tmp_path / "database.sqlite"
    make_database(live, EARLIER)
    (tmp_path / "link.sqlite").symlink_to(live)
    os.link(live, tmp_path / "second-name.sqlite")

    answer = find({"roots": [str(tmp_path)], "live": str(live)})

    assert answer["files"] == []


def test_find_says_where_it_stopped(tmp_path: Path) -> None:
    """A walk that ends at a limit says that it is not complete, and why."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    for number in range(5):
        (tmp_path / f"{number}.sql").write_bytes(DUMP)

    few = find({"roots": [str(tmp_path)], "limit": 2})
    shallow = find({"roots": [str(tmp_path)], "max_depth": 1})
    missing = find({"roots": [str(tmp_path / "none")]})

    assert (len(few["files"]), few["complete"], few["skipped"][-1]["reason"]) == (
        2,
        False,
        "enough files were found",
    )
    assert (shallow["complete"], "deeper than 1" in shallow["skipped"][0]["reason"]) == (False, True)
    assert missing["skipped"] == [
        {"path": str(tmp_path / "none"), "reason": "it is not there or not allowed to be read"}
    ]


def test_inspect_answers_without_any_row(tmp_path: Path) -> None:
    """An inspection holds counts, names and the file's hash, and no value of any row."""
    path = tmp_path / "d.sql"
    path.write_bytes(DUMP)

    status, answer = asked("inspect", {"path": str(path), "before": BAD})

    assert (status, answer["ok"], answer["verdict"]["word"]) == (0, True, "VERIFIED")
    assert answer["manifest"]["tables"]["t"] == {"columns": ["x"], "rows": 1, "bytes": 37}
    assert answer["manifest"]["sha256"] == hashlib.sha256(DUMP).hexdigest()
    assert "secret value" not in json.dumps(answer)


def test_inspect_compares_hashes(tmp_path: Path) -> None:
    """A file that differs from the hash beside it, or from the one known before, is refused."""
    path = tmp_path / "d.sql"
    path.write_bytes(DUMP)
    right, wrong = hashlib.sha256(DUMP).hexdigest(), "0" * 64

    (tmp_path / "d.sql.sha256").write_text(f"{right}  d.sql\n")
    assert inspect({"path": str(path), "sha256_known": right})["verdict"]["word"] == "VERIFIED"
    assert inspect({"path": str(path), "sha256_known": wrong})["hazards"][0]["code"] == "changed_since"
    (tmp_path / "d.sql.sha256").write_text(f"{wrong}  d.sql\n")
    assert inspect({"path": str(path)})["verdict"]["word"] == "REFUSED"


def test_inspect_leaves_a_sqlite_file_as_it_was(tmp_path: Path) -> None:
    """Looking at a SQLite file in WAL mode changes no byte and leaves nothing beside it."""
    path = tmp_path / "b.sqlite"
    make_database(path, EARLIER)
    sqlite_program(path, "pragma journal_mode=wal")
    before = (path.read_bytes(), sorted(tmp_path.iterdir()))

    answer = inspect_file(str(path), BAD)

    assert answer["verdict"]["word"] == "VERIFIED"
    assert [found["code"] for found in answer["hazards"]] == ["wal_mode"]
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


def test_inspect_without_zstd_could_not_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host has no zstd program the verdict says so and what would help."""
    path = tmp_path / "d.sql.zst"
    path.write_bytes(subprocess.run(["zstd", "-qc"], input=DUMP, check=True, capture_output=True).stdout)
    monkeypatch.setenv("PATH", str(tmp_path))

    verdict = inspect_file(str(path))["verdict"]

    assert (verdict["word"], exit_status(verdict)) == ("COULD NOT VERIFY", 2)
    assert "install zstd" in verdict["reasons"][0]


def test_scripts_tell_the_folder_and_no_line(tmp_path: Path) -> None:
    """A deploy script's backup folder and pattern come back with variables filled in; the password on its line does not."""
    script = tmp_path / "deploy.sh"
    script.write_text(
        '#!/bin/sh\nBACKUPS="$HOME/backups"\n# php artisan migrate\nNAME=album-$(date +%F)\n'
        'mysqldump -u album -pTopSecret1 album \\\n  > "$BACKUPS/$NAME.sql"\nphp artisan migrate --force\n'
    )

    answer = scripts({"paths": [str(script), "missing.sh"], "app_path": str(tmp_path)})

    home = str(Path.home())
    assert answer["scripts"][0] == {
        "path": str(script),
        "backs_up_before_migrate": True,
        "migrate_lines": [7],
        "backup_lines": [5],
        "targets": [{"folder": f"{home}/backups", "pattern": "album-*.sql"}],
    }
    assert answer["scripts"][1]["error"] == "No such file or directory"
    assert "TopSecret1" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("line", "folder", "pattern"),
    [
        ("pg_dump -Fc album -f /backups/a.dump", "/backups", "a.dump"),
        ("mysqldump album | gzip > ~/backups/a-`date +%s`.sql.gz", "HOME/backups", "a-*.sql.gz"),
        ("sqlite3 database/database.sqlite \".backup '/backups/x.sqlite'\"", "/backups", "x.sqlite"),
        ("cp database/database.sqlite /backups/x-$STAMP.sqlite", "/backups", "x-*.sqlite"),
        ("mysqldump --result-file=/b/x.sql album 2>/dev/null", "/b", "x.sql"),
    ],
)
def test_scripts_know_the_usual_ways_to_back_up(tmp_path: Path, line: str, folder: str, pattern: str) -> None:
    """The target of each usual backup command is found."""
    script = tmp_path / "deploy.sh"
    script.write_text(f"{line}\nphp artisan migrate --force\n")

    facts = scripts({"paths": [str(script)], "app_path": ""})["scripts"][0]

    assert facts["backs_up_before_migrate"] is True
    assert facts["targets"] == [{"folder": folder.replace("HOME", str(Path.home())), "pattern": pattern}]


def test_a_script_that_backs_up_too_late_is_told(tmp_path: Path) -> None:
    """A backup behind the migration is no backup before it."""
    script = tmp_path / "deploy.sh"
    script.write_text("php artisan migrate --force\nmysqldump album > /b/x.sql\n")

    assert scripts({"paths": [str(script)]})["scripts"][0]["backs_up_before_migrate"] is False


@pytest.mark.parametrize(
    ("verb", "request_", "kind"),
    [
        ("nothing", {}, "bad_request"),
        ("inspect", {}, "bad_request"),
        ("inspect", [], "bad_request"),
        ("inspect", {"path": "/none/such"}, "not_found"),
        ("inspect", {"path": "/"}, "unreadable"),
        ("find", {"roots": []}, "bad_request"),
        ("find", {"roots": ["/none"], "limit": "x"}, "internal"),
    ],
)
def test_every_no_is_one_json_answer(verb: str, request_: object, kind: str) -> None:
    """Whatever goes wrong, the answer is one JSON object with a kind and a message, and the exit status is 1."""
    status, answer = asked(verb, request_)

    assert (status, answer["ok"], answer["error"]["kind"]) == (1, False, kind)
    assert answer["error"]["message"]


def test_the_packed_reader_runs_alone(tmp_path: Path) -> None:
    """The packed file is the same for the same sources and runs in an empty folder without this tree."""
    sha256 = pack_reader(tmp_path / "reader.pyz")
    assert pack_reader(tmp_path / "again.pyz") == sha256
    (tmp_path / "d.sql").write_bytes(DUMP)

    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "reader.pyz"), "inspect"],
        input=json.dumps({"path": str(tmp_path / "d.sql")}),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"]["word"] == "VERIFIED"


def test_each_verb_of_dumps_is_there() -> None:
    """The verbs of this part are in the table beside those of SQLite's rows."""
    assert {"find", "inspect", "scripts", "sqlite_facts", "sqlite_cutover", "sqlite_swap_prepare"} <= set(
        VERBS
    )


def test_progress_is_written_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress file holds the last word of a piece of work, and no file is needed."""
    progress("reading", 1, 2, "bytes")
    monkeypatch.setenv("BACKOUT_PROGRESS", str(tmp_path / "progress"))
    progress("reading", 1, 9, "bytes")
    progress("reading", 9, 9, "bytes")

    assert json.loads((tmp_path / "progress").read_text()) == {
        "what": "reading",
        "done": 9,
        "total": 9,
        "unit": "bytes",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["progress"]


def test_a_file_that_grows_is_not_judged(tmp_path: Path) -> None:
    """A file that is still being written is refused as changed, not judged by what was there."""
    path = tmp_path / "d.sql"
    path.write_bytes(DUMP + b"-- filler\n" * 300_000)
    begun, over = threading.Event(), threading.Event()

    def write_on() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.wait(0.0005):
                file.write(b"-- more\n")
                begun.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    begun.wait()
    try:
        with pytest.raises(Refusal, match="may still be written"):
            inspect({"path": str(path)})
    finally:
        over.set()
        writer.join()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """A pipe is refused at once instead of being waited for."""
    os.mkfifo(tmp_path / "pipe.sql")

    with pytest.raises(Refusal, match="is no file"):
        inspect({"path": str(tmp_path / "pipe.sql")})


def test_an_inspection_reads_calmly(tmp_path: Path) -> None:
    """The text shows the verdict first, aligned facts, and hostile names without their line ends."""
    make_database(tmp_path / "b.sqlite", EARLIER)

    text = render_inspection(inspect_file(str(tmp_path / "b.sqlite"), BAD))

    assert text.startswith(f"VERIFIED  {tmp_path / 'b.sqlite'}\n  read to its last byte: 5 tables")
    assert "  format      SQLite database file\n" in text
    assert "name\\nof (two) lines" in text
    assert f"    {EARLIER[-1]}\n" in text


def test_what_must_be_decrypted_or_unpacked_is_listed_and_said(tmp_path: Path) -> None:
    """An encrypted dump and pg_dump's folder are found by name or content, and the verdict says what would help."""
    (tmp_path / "album.sql.gz.enc").write_bytes(b"Salted__" + bytes(range(200)))
    (tmp_path / "notes.enc").write_bytes(b"Salted__" + bytes(range(200)))
    (tmp_path / "toc.dat").write_bytes(b"PGDMP\x01\x0e\x00\x04\x08\x05" + bytes(200))

    answer = find({"roots": [str(tmp_path)]})
    verdicts = {Path(file["path"]).name: inspect_file(file["path"])["verdict"] for file in answer["files"]}

    assert {name: verdict["word"] for name, verdict in verdicts.items()} == {
        "album.sql.gz.enc": "COULD NOT VERIFY",
        "toc.dat": "COULD NOT VERIFY",
    }
    assert "decrypt it first" in verdicts["album.sql.gz.enc"]["reasons"][0]


def test_a_verb_reads_its_own_modules_only() -> None:
    """A verb that is asked while the site is down does not wait for the parts of the others to be compiled."""
    code = (
        "import sys; from adapters.host_reader.__main__ import verb_function;"
        "assert verb_function('sqlite_sample').__name__ == 'sqlite_sample';"
        "print(sorted(m for m in sys.modules if m.startswith('adapters.host_reader.sqlite_prove')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_each_verb_has_its_function() -> None:
    """Every verb in the table has a function of its name."""
    for verb, place in VERBS.items():
        assert verb_function(verb).__name__ == place.rpartition(":")[2]


# -- what was compiled is kept beside the packed file


def ask_packed(reader: Path, verb: str, request: object) -> dict[str, Any]:
    """Return the answer of the packed reader, as a process of its own."""
    done = subprocess.run(
        [sys.executable, str(reader), verb],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def kept_beside(reader: Path) -> list[Path]:
    """Return what lies beside the packed reader."""
    return sorted(path for path in reader.parent.iterdir() if path != reader)


def test_what_one_call_compiled_the_next_one_uses(tmp_path: Path) -> None:
    """The second call runs what the first one kept: whoever changes it, changes what is run."""
    reader, dump = tmp_path / "reader.pyz", tmp_path / "dumps" / "x.sql"
    dump.parent.mkdir()
    dump.write_bytes(DUMP)
    pack_reader(reader)
    request = {"roots": [str(dump.parent)]}
    first = ask_packed(reader, "find", request)
    kept = [path for path in kept_beside(reader) if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
    assert ask_packed(reader, "find", request) == first
    content = marshal.loads(kept[0].read_bytes()[4:])
    content["adapters.host_reader.files"] = marshal.dumps(
        compile("def find(_):\n return {'mine': 1}", "x", "exec")
    )
    changed = marshal.dumps(content)
    kept[0].write_bytes(zlib.crc32(changed).to_bytes(4, "big") + changed)
    assert ask_packed(reader, "find", request) == {"ok": True, "mine": 1}
    kept[0].chmod(0o666)
    assert ask_packed(reader, "find", request) == first, "what anybody may write was run"


@pytest.mark.parametrize("cut", [0, 3, 4, 1000])
def test_damaged_code_is_compiled_anew(tmp_path: Path, cut: int) -> None:
    """A kept file that was cut, or has a changed byte, is left aside and replaced."""
    reader = tmp_path / "reader.pyz"
    pack_reader(reader)
    first = ask_packed(reader, "scripts", {})
    [kept] = kept_beside(reader)
    whole = kept.read_bytes()
    for damaged in (whole[:cut], whole[:-cut] + bytes(cut), whole[:500] + b"?" + whole[501:]):
        kept.write_bytes(damaged)
        assert ask_packed(reader, "scripts", {}) == first
        assert kept.read_bytes() == whole
        assert kept_beside(reader) == [kept]


def test_calls_that_know_other_verbs_add_to_it(tmp_path: Path) -> None:
    """What one verb's call kept stays when another verb's call keeps its own."""
    reader = tmp_path / "reader.pyz"
    pack_reader(reader)
    ask_packed(reader, "scripts", {})
    [kept] = kept_beside(reader)
    few = marshal.loads(kept.read_bytes()[4:])
    ask_packed(reader, "sqlite_facts", {})
    more = marshal.loads(kept.read_bytes()[4:])
    assert few.items() < more.items()
    ask_packed(reader, "sqlite_cutover", {})
    assert marshal.loads(kept.read_bytes()[4:]) == more, "a cut-over has other things to do"


def test_a_full_disk_keeps_nothing_and_answers(tmp_path: Path) -> None:
    """Where nothing can be written beside the reader, it answers as ever."""
    reader = tmp_path / "reader.pyz"
    pack_reader(reader)
    first = ask_packed(reader, "scripts", {})
    [kept] = kept_beside(reader)
    kept.unlink()
    kept.mkdir()
    assert ask_packed(reader, "scripts", {}) == first
    assert kept_beside(reader) == [kept]


KILLED_BEFORE_THE_RENAME = """import os, runpy, signal, sys
sys.argv = sys.argv[1:]
sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_calls_killed_while_they_keep_do_not_pile_up(tmp_path: Path) -> None:
    """However many calls are killed before what they wrote has its name, one file is left, and the next call uses it up."""
    reader = tmp_path / "reader.pyz"
    pack_reader(reader)
    for _ in range(3):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_BEFORE_THE_RENAME, str(reader), "scripts"],
            input=b"{}",
            capture_output=True,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        assert len(kept_beside(reader)) == 1
    ask_packed(reader, "scripts", {})
    [kept] = kept_beside(reader)
    assert kept.suffix == ".code"
    content = kept.read_bytes()
    assert content[:4] == zlib.crc32(content[4:]).to_bytes(4, "big"), "what the killed calls wrote is in it"


def test_two_calls_do_not_write_one_file(tmp_path: Path) -> None:
    """A call that comes while another one is writing answers, and leaves the keeping to that one."""
    reader = tmp_path / "reader.pyz"
    pack_reader(reader)
    first = ask_packed(reader, "scripts", {})
    [kept] = kept_beside(reader)
    kept.unlink()
    part = kept.with_name(f"{kept.name}.part")
    with part.open("wb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        writing.write(b"half of it")
        writing.flush()
        assert ask_packed(reader, "scripts", {}) == first
        assert kept_beside(reader) == [part]
        assert part.read_bytes() == b"half of it"


def test_a_list_of_migrations_with_a_prefix_is_found_by_its_name(tmp_path: Path) -> None:
    """A site's prefix names it; by the usual name alone such a backup could not be told from when it is."""
    path = tmp_path / "dump.sql"
    path.write_bytes(DUMP.replace(b"migrations", b"app_migrations"))
    found = inspect({"path": str(path), "before": "2025_01_01_bad", "migrations_table": "app_migrations"})
    assert found["verdict"]["word"] == "VERIFIED"
    assert [row["name"] for row in found["manifest"]["migrations"]] == ["2024_01_01_000000_a"]
    assert inspect({"path": str(path), "before": "2025_01_01_bad"})["verdict"]["word"] == "REFUSED"
