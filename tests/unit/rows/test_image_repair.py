"""Repair on a server: worked out on images, applied by key in chunks, resumed after a kill, proven on a new image."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.scratch_work import change_scratch
from adapters.host_reader.images.verbs import compare, prove, repair, swap_prepare
from adapters.host_reader.sqlite_verbs import sqlite_repair
from tests.fakes.server_fake import Killed
from tests.unit.rows.image_cases import fake_case, opened
from tests.unit.rows.shapes import build_case, rows, run, value

TABLES = ("migrations", "users", "pictures", "remarks", "picture_tag", "sessions")


def content(path: Path) -> dict[str, list[object]]:
    """Return all rows of all tables, sorted."""
    return {name: sorted(map(repr, rows(path, f"SELECT * FROM {name}"))) for name in TABLES}


def test_the_server_ends_as_a_file_would(tmp_path: Path) -> None:
    """The repaired database holds what the proven repair makes of the same case as a file, and the proof agrees."""
    server, request = fake_case(tmp_path / "server")
    (tmp_path / "file").mkdir()
    case = build_case(tmp_path / "file")
    expected = sqlite_repair(case.request())
    answer = repair(request, opened(server))
    assert content(server.path("backout_scratch")) == content(case.scratch)
    for name in ("filled", "mapped", "left_deleted", "restored_rows", "put_back_rows", "put_back_values"):
        assert answer[name] == expected[name]
    assert answer["fingerprint"] == server.fingerprint("backout_scratch").hash
    assert answer["chunks"] == len(server.commits) > 0
    proof = prove(request, opened(server))
    assert (proof["proven"], proof["reasons"]) == (True, [])


def test_numbers_stand_above_every_id(tmp_path: Path) -> None:
    """The next row of the repaired table gets an id that neither the backup nor live ever gave."""
    server, request = fake_case(tmp_path)
    run(server.path("shop"), "INSERT INTO remarks VALUES (95000, 1, NULL, 'x', NULL)", "DELETE FROM remarks")
    repair(request, opened(server))
    run(server.path("backout_scratch"), "INSERT INTO remarks (picture_id, body) VALUES (1, 'next')")
    assert value(server.path("backout_scratch"), "SELECT max(id) FROM remarks") == 95001


def test_the_same_request_again_tells_the_same_answer(tmp_path: Path) -> None:
    """A second try after a lost link changes nothing."""
    server, request = fake_case(tmp_path)
    first = repair(request, opened(server))
    made = list(server.commits)
    second = repair(request, opened(server))
    assert (first.pop("attached"), second.pop("attached")) == (False, True)
    assert (first, made) == (second, server.commits)


def test_scratch_changed_after_the_repair_is_refused(tmp_path: Path) -> None:
    """The answer of before is not told of a scratch that is another now."""
    server, request = fake_case(tmp_path)
    repair(request, opened(server))
    run(server.path("backout_scratch"), "UPDATE users SET email = 'x' WHERE id = 5")
    with pytest.raises(Refusal, match="changed since") as refused:
        repair(request, opened(server))
    assert refused.value.kind == "changed"


def test_another_request_on_a_repaired_scratch_is_refused(tmp_path: Path) -> None:
    """Scratch is worked on once."""
    server, request = fake_case(tmp_path)
    repair(request, opened(server))
    with pytest.raises(Refusal, match="another request"):
        repair({**request, "mappings": []}, opened(server))


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_killed_at_every_chunk_it_goes_on(tmp_path: Path, moment: str) -> None:
    """Ended before or after each commit, the same request leads to the same content, by kills all the way."""
    whole, request = fake_case(tmp_path / "whole")
    expected = repair({**request, "chunk_rows": 25}, opened(whole))
    server, request = fake_case(tmp_path / "killed")
    request["chunk_rows"] = 25
    limit = {"after": 0}

    def kill(done: int) -> None:
        if done >= limit["after"]:
            raise Killed

    setattr(server, moment, kill)
    kills = 0
    for more in range(1, 60):
        limit["after"] = len(server.commits) + (more % 2 if moment == "before_commit" else 1)
        with suppress(Killed):
            answer = repair(request, opened(server))
            break
        kills += 1
    assert kills >= len(whole.commits) - 1 > 5
    assert answer["fingerprint"] == expected["fingerprint"]


def test_a_foreign_write_between_two_tries_is_refused(tmp_path: Path) -> None:
    """A scratch that is neither before nor after nor on the way is left as it is."""
    server, request = fake_case(tmp_path)
    request["chunk_rows"] = 25

    def kill(done: int) -> None:
        if done == 2:
            raise Killed

    server.after_commit = kill
    with pytest.raises(Killed):
        repair(request, opened(server))
    run(server.path("backout_scratch"), "UPDATE users SET email = 'somebody else' WHERE id = 1")
    before = content(server.path("backout_scratch"))
    with pytest.raises(Refusal, match=r'neither it was nor it shall be \("users"\)') as refused:
        repair(request, opened(server))
    assert refused.value.kind == "changed"
    assert content(server.path("backout_scratch")) == before


def test_a_question_that_needs_a_decision_changes_nothing(tmp_path: Path) -> None:
    """What the repair of files refuses is refused here, before anything goes to the server."""
    server, request = fake_case(tmp_path)
    with pytest.raises(Refusal) as refused:
        repair({**request, "decisions": {}}, opened(server))
    assert (refused.value.kind, server.commits) == ("decision_needed", [])


@pytest.mark.parametrize("name", ["shop", "backout_base"])
def test_scratch_must_be_a_scratch(tmp_path: Path, name: str) -> None:
    """Neither production nor a source is ever changed."""
    server, request = fake_case(tmp_path)
    with pytest.raises(Refusal) as refused:
        repair({**request, "scratch": name}, opened(server))
    assert (refused.value.kind, server.commits) == ("bad_request", [])


def test_a_lost_column_is_filled_on_the_server(tmp_path: Path) -> None:
    """Where nearly all values are the backup's they do not travel; rows edited since get theirs by key."""
    server, request = fake_case(tmp_path, pictures=2000)
    repair(request, opened(server))
    fills = [each for each in server.commits if each[0] == "fill"]
    updates = [each for each in server.commits if each[:2] == ("update", "pictures")]
    assert fills
    assert sum(each[2] for each in updates) < 20
    assert value(server.path("backout_scratch"), "SELECT note FROM pictures WHERE id = 4") == "edited since"
    assert prove(request, opened(server))["proven"]


def test_without_the_fast_way_the_content_is_the_same(tmp_path: Path) -> None:
    """An engine that cannot fill by itself gets the values as updates."""
    fast, request = fake_case(tmp_path / "fast", pictures=2000)
    slow, slow_request = fake_case(tmp_path / "slow", pictures=2000)
    slow.fills = False
    assert repair(request, opened(fast))["fingerprint"] == repair(slow_request, opened(slow))["fingerprint"]
    assert not [each for each in slow.commits if each[0] == "fill"]


def test_a_unique_value_that_changes_hands_is_applied(tmp_path: Path) -> None:
    """Two rows that exchange unique values do so on the server without a clash on the way."""
    server, request = fake_case(tmp_path)

    def exchange(on_images: dict[str, Any]) -> dict[str, Any]:
        run(
            Path(on_images["scratch"]),
            "UPDATE users SET email = 'free' WHERE id = 1; UPDATE users SET email = 'u1@example.org' WHERE id = 2;"
            "UPDATE users SET email = 'u2@example.org' WHERE id = 1;",
        )
        return {}

    change_scratch(request, server, "exchange", exchange)
    got = rows(server.path("backout_scratch"), "SELECT id, email FROM users WHERE id < 3 ORDER BY id")
    assert got == [(1, "u2@example.org"), (2, "u1@example.org")]


def test_rows_without_a_key_are_made_equal(tmp_path: Path) -> None:
    """A runtime table without a key gets live's rows, duplicates and NULLs included, and loses the others."""
    server, request = fake_case(tmp_path)
    for name in ("shop", "backout_base", "backout_scratch"):
        run(server.path(name), "CREATE TABLE resets (email TEXT NOT NULL, token TEXT)")
    run(server.path("shop"), "INSERT INTO resets VALUES ('a', NULL), ('a', NULL), ('b', 'x')")
    run(server.path("backout_scratch"), "INSERT INTO resets VALUES ('a', NULL), ('c', 'y'), ('b', 'z')")
    repair({**request, "runtime_tables": ["sessions", "resets"]}, opened(server))
    got = rows(server.path("backout_scratch"), "SELECT email, token FROM resets ORDER BY 1, 2")
    assert got == [("a", None), ("a", None), ("b", "x")]


def test_compare_is_the_loss_table_of_the_files(tmp_path: Path) -> None:
    """The loss table of two databases is that of the same files, and lost views and triggers are named."""
    server, request = fake_case(tmp_path)
    run(
        server.path("backout_base"),
        "CREATE VIEW seen AS SELECT 1; CREATE TRIGGER kept AFTER DELETE ON users BEGIN SELECT 1; END;",
    )
    asked = {"before": "backout_base", "after": "shop", "workspace": request["workspace"]}
    answer = compare(asked, opened(server))
    assert answer["loss"] == "loss"
    assert answer["tables"]["pictures"]["columns"]["note"]["values_lost"] == 39
    assert (answer["views_missing"], answer["triggers_missing"]) == (["seen"], ["kept"])


def test_a_backup_is_made_ready_for_a_swap(tmp_path: Path) -> None:
    """The loaded backup gets live's runtime rows and counters; what a swap would lose is told."""
    server, request = fake_case(tmp_path)
    shutil.copy(server.path("backout_base"), server.path("backout_swap"))
    answer = swap_prepare(
        {
            "scratch": "backout_swap",
            "live_copy": "shop",
            "runtime_tables": ["sessions"],
            "workspace": request["workspace"],
        },
        opened(server),
    )
    assert rows(server.path("backout_swap"), "SELECT * FROM sessions") == [("now", "y")]
    assert answer["rows_would_be_lost"]["pictures"]["new"] == 1
    assert (
        value(server.path("backout_swap"), "SELECT seq FROM sqlite_sequence WHERE name = 'remarks'") == 90002
    )
    assert answer["fingerprint"] == server.fingerprint("backout_swap").hash


def test_rows_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    """Without a key and with NULLs in each column single rows cannot be taken out: nothing is changed."""
    server, request = fake_case(tmp_path)
    for name in ("shop", "backout_base", "backout_scratch"):
        run(server.path(name), "CREATE TABLE resets (email TEXT, token TEXT)")
    run(server.path("backout_scratch"), "INSERT INTO resets VALUES ('a', NULL), (NULL, 'b')")
    before = server.fingerprint("backout_scratch")
    with pytest.raises(Refusal) as refused:
        repair({**request, "runtime_tables": ["sessions", "resets"]}, opened(server))
    assert refused.value.kind == "ambiguous"
    assert server.fingerprint("backout_scratch") == before


def test_an_address_in_other_letters_is_taken(tmp_path: Path) -> None:
    """MariaDB takes `U3@…` and `u3@…` for one address: the deleted user stays out, listed, and the proof knows why."""
    server, request = fake_case(tmp_path)
    for name in ("shop", "backout_scratch"):
        run(
            server.path(name),
            "PRAGMA foreign_keys=OFF; DELETE FROM users WHERE id = 3;"
            "INSERT INTO users VALUES (77, 'U3@example.org', '2025-12-02'); UPDATE pictures SET user_id = 77"
            " WHERE user_id = 3;",
        )
    asked = {**request, "decisions": {**request["decisions"], "users": "restore"}}
    answer = repair(asked, opened(server))
    assert answer["key_taken"]["users"]["keys"] == [3]
    proof = prove(asked, opened(server))
    assert (proof["proven"], proof["totals"]["rows_key_taken"]) == (True, 1)


def test_large_values_travel_in_small_chunks(tmp_path: Path) -> None:
    """Rows of many megabytes do not wait for each other in memory."""
    server, request = fake_case(tmp_path)

    def grow(on_images: dict[str, Any]) -> dict[str, Any]:
        run(Path(on_images["scratch"]), "UPDATE remarks SET body = hex(zeroblob(2000000))")
        run(
            Path(on_images["scratch"]),
            "INSERT INTO remarks (picture_id, body) VALUES (1, hex(zeroblob(5000000)))",
        )
        run(
            Path(on_images["scratch"]),
            "INSERT INTO remarks (picture_id, body) VALUES (1, hex(zeroblob(5000000)))",
        )
        return {}

    change_scratch(request, server, "grow", grow)
    inserted = [each for each in server.commits if each[:2] == ("insert", "remarks")]
    assert len(inserted) == 2


def test_the_work_on_a_dropped_scratch_is_removed(tmp_path: Path) -> None:
    """What was kept about a scratch database goes when it is no more."""
    server, request = fake_case(tmp_path)
    shutil.copy(server.path("backout_scratch"), server.path("backout_second"))
    with pytest.raises(Refusal):
        repair({**request, "decisions": {}}, opened(server))
    server.drop("backout_scratch")
    repair({**request, "scratch": "backout_second"}, opened(server))
    assert len(list((tmp_path / "workspace" / "work").glob("*/journal.json"))) == 1
    assert not list((tmp_path / "workspace" / "work").glob("*/wanted.sqlite*"))
