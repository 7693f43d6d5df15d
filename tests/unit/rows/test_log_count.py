"""Logs are counted on the host, record by record; nothing that a person wrote is in the answer (HAZARDS V3, V6, M5)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.host_reader.answers import Refusal
from adapters.host_reader.log_count import log_count
from bot.laravel.facts import LogFile
from bot.laravel.log_records import (
    LogCounts,
    LogLook,
    LogPlace,
    added_counts,
    count_log,
    log_ends,
    places_json,
    places_of,
    unread,
)
from bot.model.errors import FailedError

# Recorded on Laravel 8.83.26 and 12.67, shortened in the middle of the trace.
RECORD_8 = rb"""[2026-11-22 16:51:53] production.ERROR: SQLSTATE[42S02]: Base table or view not found: 1146 Table 'x.y' (SQL: select 'a secret'
from y) {"exception":"[object] (Illuminate\\Database\\QueryException(code: 42S02): SQLSTATE[42S02] a secret at /usr/share/php/Illuminate/Database/Connection.php:712)
[stacktrace]
#0 /usr/share/php/Illuminate/Database/Connection.php(672): Illuminate\\Database\\Connection->runQueryCallback()
#1 /srv/album/app/Http/Controllers/HomeController.php(31): Illuminate\\Database\\Query\\Builder->get()
#57 {main}

[previous exception] [object] (PDOException(code: 42S02): a secret at /usr/share/php/Illuminate/Database/Connection.php:368)
[stacktrace]
#59 {main}
"}"""
RECORD_8 += b" \n"
RECORD_12 = rb"""[2026-11-22T16:52:10.123456+01:00] production.CRITICAL: Class "App\Gone" not found {"userId":5,"exception":"[object] (Error(code: 0): Class \"App\\Gone\" not found at /srv/album/routes/web.php:9)
[stacktrace]
#0 {main}
"}"""
RECORD_12 += b" \n"
PLAIN = b"[2026-11-22 16:53:00] production.INFO: a secret line  \n"
LOG = RECORD_8 + PLAIN + RECORD_12
LEVELS = {"ERROR": 1, "INFO": 1, "CRITICAL": 1}
AT_31 = (
    r"Illuminate\Database\QueryException (42S02: table not found)"
    " at /srv/album/app/Http/Controllers/HomeController.php:31"
)
AT_9 = "Error at /srv/album/routes/web.php:9"


def looked(places: Sequence[LogPlace], *, is_end: bool = False, **more: Any) -> LogLook:
    """Return one look, through JSON as over the wire."""
    work = count_log(places, is_end=is_end)
    return work.read(json.loads(json.dumps(log_count(json.loads(json.dumps({**work.request, **more}))))))


def log_at(folder: Path, content: bytes, name: str = "laravel.log") -> tuple[Path, LogPlace]:
    path = folder / name
    path.write_bytes(content)
    return path, LogPlace(path=str(path))


def test_records_are_counted_and_hold_no_data(tmp_path: Path) -> None:
    """V6: an exception is one record, whatever its lines; class and the application's own place are kept, no message."""
    path, place = log_at(tmp_path, LOG)
    answer = log_count(count_log([place]).request)
    look = looked([place])
    assert (look.counts.levels, look.counts.alarms) == (LEVELS, 2)
    assert look.counts.fingerprints == {AT_31: 1, AT_9: 1}
    assert look.counts.classes == {r"Illuminate\Database\QueryException": 1, "Error": 1}
    assert (look.first, look.last) == ("2026-11-22 16:51:53", "2026-11-22 16:52:10")
    assert "secret" not in json.dumps(answer)
    assert look.places[0].offset == path.stat().st_size
    assert look.blind_reason == ""


def test_words_of_a_message_never_pass_for_a_place(tmp_path: Path) -> None:
    """What a person wrote into a message that looks like a path, a level or a class stays on the host."""
    hostile = RECORD_8.replace(
        b"a secret", b'a secret at /home/anna/her secret.php:3) x.ERROR: "production.ALERT: '
    )
    _, place = log_at(tmp_path, hostile)
    answer = json.dumps(log_count(count_log([place]).request))
    assert "secret" not in answer
    assert "anna" not in answer
    assert looked([place]).counts.levels == {"ERROR": 1}


@given(cuts=st.lists(st.integers(min_value=1, max_value=len(LOG) - 1), max_size=6))
def test_a_log_that_grows_between_looks_counts_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    """However a log is cut into looks, each record is counted once, and the place is at the end."""
    path, place = log_at(tmp_path_factory.mktemp("log"), b"")
    places: Sequence[LogPlace] = [place]
    levels: dict[str, int] = {}
    for end in [*sorted(cuts), len(LOG)]:
        path.write_bytes(LOG[:end])
        look = looked(places)
        places = look.places
        levels = {k: levels.get(k, 0) + look.counts.levels.get(k, 0) for k in {*levels, *look.counts.levels}}
    assert levels == LEVELS
    assert places[0].offset == len(LOG)


@pytest.mark.parametrize("limit", [1_000, 1_500, 5_000])
def test_a_look_is_bounded_and_goes_on(tmp_path: Path, limit: int) -> None:
    """V3: a look reads so many bytes at most, says that more is there, and the next ones count the rest once."""
    _, place = log_at(tmp_path, LOG * 4)
    places, alarms = [place], 0
    for _ in range(40):
        look = looked(places, limit_bytes=limit)
        places, alarms = list(look.places), alarms + look.counts.alarms
        assert look.read_bytes <= limit
        if not look.more:
            break
    assert alarms == 8


def test_an_unfinished_record_waits(tmp_path: Path) -> None:
    """A record whose end is not there yet is not counted and not passed over; at the end for good it is counted."""
    path, place = log_at(tmp_path, PLAIN + RECORD_8[:400])
    look = looked([place])
    assert look.counts.levels == {"INFO": 1}
    assert look.places[0].offset == len(PLAIN)
    assert looked(look.places, is_end=True).counts.levels == {"ERROR": 1}
    path.write_bytes(PLAIN + RECORD_8)
    assert looked(look.places).counts.fingerprints == {AT_31: 1}


def test_reading_from_the_middle_of_a_record_skips_to_the_next(tmp_path: Path) -> None:
    """The tail of a record is no record."""
    path, place = log_at(tmp_path, LOG)
    assert looked([LogPlace(path=str(path), offset=300)]).counts.levels == {"INFO": 1, "CRITICAL": 1}
    tail = count_log([place], tail_bytes=len(RECORD_12) + 10)
    assert tail.read(log_count(tail.request)).counts.levels == {"CRITICAL": 1}


def test_what_was_there_before_is_not_counted(tmp_path: Path) -> None:
    """M5: from a place at the end, only what comes after it is counted."""
    path, place = log_at(tmp_path, LOG)
    ends = log_ends([place])
    places = ends.read(log_count(ends.request))
    assert looked(places).counts.levels == {}
    path.write_bytes(LOG + RECORD_12)
    assert looked(places).counts.fingerprints == {AT_9: 1}


def test_a_rotated_log_is_followed_to_its_end(tmp_path: Path) -> None:
    """V3: what was written to the old file before it was renamed is counted, and the new one from its beginning."""
    path, place = log_at(tmp_path, PLAIN)
    places = looked([place]).places
    with path.open("ab") as file:
        file.write(RECORD_8)
    path.rename(tmp_path / "laravel.log.1")
    path.write_bytes(RECORD_12)
    look = looked(places)
    assert look.counts.levels == {"ERROR": 1, "CRITICAL": 1}
    assert (look.states[str(path)], look.places[0].inode) == ("rotated", path.stat().st_ino)
    assert looked(look.places).counts.levels == {}


def test_an_emptied_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Emptied in place, it is seen even when it has already grown beyond the old place."""
    path, place = log_at(tmp_path, PLAIN)
    places = looked([place]).places
    for content, levels in ((b"", {}), (RECORD_12 + PLAIN, {"CRITICAL": 1, "INFO": 1})):
        with path.open("r+b") as file:
            file.truncate()
            file.write(content)
        look = looked(places)
        assert (look.counts.levels, look.states[str(path)]) == (levels, "emptied")


def test_midnight_is_followed(tmp_path: Path) -> None:
    """A daily log: the rest of the old day and the files of the days after it are counted, each once; others are not."""
    path, place = log_at(tmp_path, PLAIN, "laravel-2026-11-22.log")
    log_at(tmp_path, RECORD_8, "laravel-2026-11-21.log")
    log_at(tmp_path, RECORD_8, "queue-2026-11-23.log")
    places = looked([place]).places
    with path.open("ab") as file:
        file.write(RECORD_8[:-3])  # cut short at midnight: it grows no more
    log_at(tmp_path, RECORD_12, "laravel-2026-11-23.log")
    look = looked(places)
    assert look.counts.levels == {"ERROR": 1, "CRITICAL": 1}
    assert [Path(p.path).name for p in look.places] == ["laravel-2026-11-22.log", "laravel-2026-11-23.log"]
    again = looked(places_of(json.loads(json.dumps(places_json(look.places)))))
    assert (again.counts.levels, again.places) == ({}, look.places)


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """A site without an error has no file; the first record in it is counted from its beginning."""
    path = tmp_path / "laravel.log"
    look = looked([LogPlace(path=str(path))])
    assert (look.states[str(path)], look.blind_reason) == ("missing", "")
    path.write_bytes(RECORD_8)
    assert looked(look.places).counts.alarms == 1


def test_what_cannot_be_counted_is_said(tmp_path: Path) -> None:
    """A pipe under the log's name is not waited for, and text in another form is not taken for silence."""
    os.mkfifo(tmp_path / "pipe.log")
    pipe = looked([LogPlace(path=str(tmp_path / "pipe.log"))])
    _, place = log_at(tmp_path, b'{"level_name":"ERROR"}\n')
    other = looked([place])
    assert "cannot be read" in pipe.blind_reason
    assert "not in Laravel's own form" in other.blind_reason


def test_a_record_without_end_is_counted_once(tmp_path: Path) -> None:
    """A record longer than is kept for the next look counts as it is; its later lines belong to none."""
    path, place = log_at(tmp_path, RECORD_8[:-3] + b"#9 x\n" * 4_000_000)
    look = looked([place])
    assert look.counts.levels == {"ERROR": 1}
    with path.open("ab") as file:
        file.write(b"#9 x\n" * 10 + PLAIN)
    assert looked(look.places).counts.levels == {"INFO": 1}


def test_what_was_known_before_is_subtracted() -> None:
    """Only what is beyond the known counts is left."""
    before = LogCounts(levels={"ERROR": 1}, classes={"Error": 1}, fingerprints={AT_9: 1})
    now = LogCounts(levels={"ERROR": 2, "INFO": 1}, classes={"Error": 2}, fingerprints={AT_9: 1, AT_31: 1})
    added = added_counts(now, before)
    assert (added.levels, added.classes) == ({"ERROR": 1, "INFO": 1}, {"Error": 1})
    assert added.fingerprints == {AT_31: 1}


def test_a_wrong_request_and_a_damaged_answer_are_refused() -> None:
    """No log named is refused, and an answer that is not whole is not read as silence."""
    with pytest.raises(Refusal):
        log_count({"logs": []})
    for damaged in (
        {},
        {"levels": [], "classes": {}, "fingerprints": {}},
        {"levels": {}, "logs": [{"path": "/l"}]},
    ):
        with pytest.raises(FailedError):
            count_log([LogPlace(path="/l")]).read(damaged)


def test_the_places_of_an_application_are_its_files() -> None:
    """Every log file of the application is counted, not the first alone."""
    files = [LogFile(channel=c, driver="single", configured_path=f"/{c}", path=f"/{c}") for c in "ab"]
    assert [place.path for place in unread(files)] == ["/a", "/b"]


def json_record(level: str, at: str, exception: str = "") -> bytes:
    """Return one line of Monolog's JsonFormatter, recorded with Monolog 2, a message in it that looks like a record's end."""
    said = r'"message":"a secret \",\"level_name\":\"EMERGENCY\",\"channel\":\"x\",\"datetime\":\"2026-01-01T00:00:00"'
    context = f'{{"exception":{exception},"userId":3}}' if exception else "{}"
    return (
        f'{{{said},"context":{context},"level":400,"level_name":"{level}","channel":"local",'
        f'"datetime":"{at}.230807+00:00","extra":{{}}}}\n'
    ).encode()


THROWN = (
    r'{"class":"App\\Gone","message":"a secret","code":0,"file":"/srv/album/vendor/x/Y.php:6",'
    r'"trace":["/srv/album/vendor/x/Z.php:7","/srv/album/app/Home.php:31"]}'
)


@given(cut=st.integers(min_value=0, max_value=1500))
def test_json_records_are_counted_wherever_a_look_ends(tmp_path_factory: Any, cut: int) -> None:
    """Monolog's JsonFormatter: levels, class and the application's own place are counted, no message, and each record once."""
    whole = (
        json_record("ERROR", "2026-11-22T16:51:53", THROWN)
        + json_record("INFO", "2026-11-22T16:52:00")
        + json_record("CRITICAL", "2026-11-22T16:53:10")
    )
    path, place = log_at(tmp_path_factory.mktemp("log"), whole[:cut])
    first = looked([place])
    path.write_bytes(whole)
    second = looked(first.places)
    levels = {
        name: first.counts.levels.get(name, 0) + second.counts.levels.get(name, 0)
        for name in {*first.counts.levels, *second.counts.levels}
    }
    kinds = {**first.counts.fingerprints, **second.counts.fingerprints}
    assert levels == LEVELS
    assert kinds == {r"App\Gone at /srv/album/app/Home.php:31": 1, "CRITICAL": 1}
    assert "secret" not in json.dumps([first.counts.__dict__, second.counts.__dict__], default=str)


@pytest.mark.parametrize(
    "log",
    [LOG, json_record("ERROR", "2026-11-22T16:51:53") * 2 + json_record("ERROR", "2026-11-22T16:53:00")],
)
def test_only_what_is_older_is_counted(tmp_path: Path, log: bytes) -> None:
    """With `until` nothing of that time or later counts."""
    _, place = log_at(tmp_path, log)
    assert looked([place], is_end=True, until="2026-11-22 16:51:53").counts.levels == {}
    early = looked([place], is_end=True, until="2026-11-22 16:52:00")
    assert set(early.counts.levels) == {"ERROR"}
    assert early.last == "2026-11-22 16:51:53"
    assert sum(looked([place], is_end=True, until="2027-01-01 00:00:00").counts.levels.values()) == 3


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "SQLSTATE[42S22]: Column not found: 1054 Unknown column 'a secret' in 'field list'",
            " (42S22: column not found)",
        ),
        (
            "SQLSTATE[42703]: Undefined column: 7 ERROR:  column a secret does not exist",
            " (42703: column not found)",
        ),
        ("SQLSTATE[HY000]: General error: 1 no such column: a secret", " (HY000: column not found)"),
        ("SQLSTATE[HY000] [2002] Connection refused a secret", " (HY000: general error)"),
        ("SQLSTATE[0A000]: a secret", " (0A000)"),
        ("a secret: SQLSTATE[42S22]", ""),
        ("SQLSTATE[a secret]: no such table", ""),
    ],
)
@pytest.mark.parametrize("is_json", [False, True])
def test_an_error_of_the_database_is_told_by_its_state(
    tmp_path: Path, message: str, told: str, is_json: bool
) -> None:
    """Whether a column, a table or a key is meant stands in words of Backout's own beside the class; no word of the message."""
    if is_json:
        error = {"class": "PDOException", "message": message, "code": 0, "file": "/srv/a/app/Pay.php:7"}
        fields = {"message": message, "context": {"exception": error}, "level": 400, "level_name": "ERROR"}
        fields |= {"channel": "production", "datetime": "2026-11-22T16:53:00+00:00", "extra": {}}
        record = json.dumps(fields, separators=(",", ":")) + "\n"
    else:
        record = (
            f'[2026-11-22 16:53:00] production.ERROR: {message} {{"exception":"[object] (PDOException(code: 0): {message}'
            ' at /srv/a/app/Pay.php:7)\n[stacktrace]\n#0 {main}\n"} \n'
        )
    path = tmp_path / "laravel.log"
    path.write_text(record)
    look = looked([LogPlace(path=str(path), inode=0, offset=0, mark="")], is_end=True)
    assert look.counts.fingerprints == {f"PDOException{told} at /srv/a/app/Pay.php:7": 1}


def test_what_a_context_holds_is_no_level(tmp_path: Path) -> None:
    """A record whose context looks like the end of another one has its own level; lines of something else are told as such."""
    inner = ',"level_name":"ERROR","channel":"x","datetime":"2026-11-22T16:50:00+00:00"'
    plain = '{"message":"m","context":{%s},"level":200,"level_name":"INFO","channel":"p","datetime":"2026-11-22T16:53:00+00:00","extra":{}}\n'
    path = tmp_path / "laravel.log"
    path.write_text(plain % "" + plain % f'"a":1{inner}' + plain % "" + "no record\n")
    look = looked([LogPlace(path=str(path), inode=0, offset=0, mark="")], is_end=True)
    assert look.counts.levels == {"INFO": 3}
    assert look.counts.fingerprints == {}
    path.write_text(plain % "" + plain % f'"a":1{inner}')
    assert looked([LogPlace(path=str(path), inode=0, offset=0, mark="")]).counts.levels == {"INFO": 2}
