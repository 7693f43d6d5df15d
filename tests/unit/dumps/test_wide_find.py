"""The search beyond the settings, on real files: what it leaves out, where it ends, and which scripts it reads."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.host_reader.files import find
from adapters.host_reader.scripts import scripts


def database(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table things (id integer)")
    return path


def test_copies_of_backout_itself_are_never_found(tmp_path: Path) -> None:
    """Safety backups hold the broken state, and scratch is no backup: neither is offered as one."""
    database(tmp_path / ".backout" / "sites" / "shop" / "safety" / "broken.sqlite")
    there = database(tmp_path / "old" / "night.sqlite")
    answer = find({"roots": [str(tmp_path)]})
    assert [file["path"] for file in answer["files"]] == [str(there)]


def test_a_name_that_is_no_text_is_told_and_spoils_nothing(tmp_path: Path) -> None:
    """A file whose name is no valid UTF-8 is skipped with the reason; all of the answer can be stored."""
    good = database(tmp_path / "night.sqlite")
    odd = os.fsencode(tmp_path) + b"/\xe9t\xe9.sql"
    with open(odd, "wb") as file:  # noqa: PTH123 - the name is no text
        file.write(good.read_bytes())
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")  # noqa: PTH102 - as above
    database(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff/in.sqlite")))
    answer = find({"roots": [str(tmp_path)]})
    json.dumps(answer, ensure_ascii=False).encode()
    assert [file["path"] for file in answer["files"]] == [str(good)]
    told = {one["path"]: one["reason"] for one in answer["skipped"]}
    assert sorted(told) == [f"{tmp_path}/\\xe9t\\xe9.sql", f"{tmp_path}/\\xff/in.sqlite"]
    assert all("give it another name" in reason for reason in told.values())
    (tmp_path / "b.sh").write_text("mysqldump shop > /data/b.sql\n", encoding="utf-8")
    with open(os.fsencode(tmp_path) + b"/\xff.sh", "wb") as file:  # noqa: PTH123 - as above
        file.write((tmp_path / "b.sh").read_bytes())
    (script,) = scripts({"paths": [], "folders": [str(tmp_path)]})["scripts"]
    assert script["path"] == str(tmp_path / "b.sh")


def test_a_usual_place_that_is_not_there_is_nothing_to_tell(tmp_path: Path) -> None:
    """A guess that is wrong fills no list; a folder of the settings that is missing is told."""
    missing = str(tmp_path / "none")
    assert find({"roots": [missing], "is_guess": True})["skipped"] == []
    assert [one["path"] for one in find({"roots": [missing]})["skipped"]] == [missing]


def test_the_search_has_an_end(tmp_path: Path) -> None:
    """Over the limit of files or time the search stops and says that it did."""
    for number in range(4):
        database(tmp_path / f"{number}.sqlite")
    cut = find({"roots": [str(tmp_path)], "limit": 2})
    assert (len(cut["files"]), cut["complete"]) == (2, False)
    late = find({"roots": [str(tmp_path)], "time_limit_s": 0})
    assert (late["files"], late["complete"]) == ([], False)


def test_scripts_beside_the_application_tell_where_they_back_up_to(tmp_path: Path) -> None:
    """Any shell script there is read for its backup path; one that backs up nothing is not told, and no line leaves."""
    secret = "mysqldump -psecret shop > /data/dumps/shop-$(date +%F).sql\nphp artisan migrate --force\n"
    (tmp_path / "update-photo-album.sh").write_text(secret, encoding="utf-8")
    (tmp_path / "clean.sh").write_text("rm -rf cache\n", encoding="utf-8")
    answer = scripts(
        {"paths": [], "folders": [str(tmp_path), str(tmp_path / "none")], "app_path": "/srv/app"}
    )
    (script,) = answer["scripts"]
    assert script["targets"] == [{"folder": "/data/dumps", "pattern": "shop-*.sql"}]
    assert "secret" not in str(answer)


def test_an_option_is_no_path(tmp_path: Path) -> None:
    """What stands behind a `-f` that means something else is not told: it may be the password."""
    line = "mysqldump -f -phun/ter2 shop --result-file=/data/dumps/shop.sql\n"
    (tmp_path / "b.sh").write_text(line, encoding="utf-8")
    (script,) = scripts({"paths": [], "folders": [str(tmp_path)]})["scripts"]
    assert script["targets"] == [{"folder": "/data/dumps", "pattern": "shop.sql"}]
    assert "ter2" not in str(script)


def test_a_script_that_is_named_is_told_once(tmp_path: Path) -> None:
    """The deploy script of the settings is not told again for lying beside the application."""
    script = tmp_path / "deploy.sh"
    script.write_text("pg_dump shop > /data/x.sql\n", encoding="utf-8")
    answer = scripts({"paths": [str(script)], "folders": [str(tmp_path)], "app_path": "/srv/app"})
    assert len(answer["scripts"]) == 1
