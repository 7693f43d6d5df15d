"""Repair puts back what was taken, overwrites nothing newer, and is judged by a proof that it did not write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_verbs import sqlite_fingerprint, sqlite_prove, sqlite_repair
from tests.unit.rows.shapes import Case, build_case, rows, run, value


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return build_case(tmp_path)


def change_before_incident(case: Case, *statements: str) -> None:
    """Make the same change in all three databases."""
    for path in (case.baseline, case.live, case.scratch):
        run(path, "PRAGMA foreign_keys=OFF;" + "".join(statements))


def test_everything_is_back_and_proven(case: Case) -> None:
    """Lost notes, emptied remarks, rows since, edits since and notes in the new shape are all there."""
    answer = sqlite_repair(case.request())
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 4") == "edited since"
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 90001") == "note since"
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 5") == "note 5\n'; --"
    assert value(case.scratch, "SELECT place FROM pictures WHERE id = 5") == "edited place"
    assert value(case.scratch, "SELECT body FROM remarks WHERE id = 90002") == "since"
    assert rows(case.scratch, "SELECT * FROM sessions") == [("now", "y")]
    assert (answer["filled"], answer["mapped"]) == ({"pictures.note": 38}, {"pictures.note": 2})
    assert answer["left_deleted"] == {"pictures": 1}
    assert answer["parent_gone"]["remarks"]["keys"] == [6, 66]
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["reasons"]) == (True, [])
    assert proof["totals"]["rows_parent_gone"] == 2
    assert proof["totals"]["values_restored"] == 38
    assert "note 5" not in json.dumps([answer, proof])


def test_an_unrepaired_scratch_is_not_proven(case: Case) -> None:
    """The proof finds what the rollback took and what the backup holds."""
    proof = sqlite_prove(case.request())
    assert not proof["proven"]
    assert proof["totals"]["rows_lost"] + proof["totals"]["rows_parent_gone"] >= 118
    assert proof["totals"]["values_lost"] >= 38


def test_a_table_without_a_decision_is_asked_about(case: Case) -> None:
    """Missing rows without a decision refuse with table and count, and nothing is changed."""
    before = sqlite_fingerprint({"path": str(case.scratch)})
    with pytest.raises(Refusal) as refused:
        sqlite_repair(case.request(decisions={"pictures": "leave", "picture_tag": "leave"}))
    assert refused.value.kind == "decision_needed"
    assert '"remarks" (120 rows)' in refused.value.message
    assert sqlite_fingerprint({"path": str(case.scratch)})["fingerprint"] == before["fingerprint"]


def test_left_rows_stay_deleted(case: Case) -> None:
    """What people deleted is not brought back, and the proof counts it as decided."""
    request = case.request(decisions={"remarks": "leave", "pictures": "leave", "picture_tag": "leave"})
    assert sqlite_repair(request)["left_deleted"] == {"remarks": 120, "pictures": 1, "picture_tag": 1}
    proof = sqlite_prove(request)
    assert (proof["proven"], proof["totals"]["rows_left_deleted"]) == (True, 122)


def test_restored_parents_bring_their_children(case: Case) -> None:
    """Where the deleted picture is restored too, its remarks have their parent again."""
    request = case.request(decisions={"remarks": "restore", "pictures": "restore", "picture_tag": "restore"})
    answer = sqlite_repair(request)
    assert answer["parent_gone"] == {}
    assert answer["restored_rows"] == {"pictures": 1, "remarks": 120, "picture_tag": 1}
    assert sqlite_prove(request)["proven"]


def test_a_key_used_again_is_never_written_over(case: Case) -> None:
    """A row whose key is another thing now gets no value of the old one, and is listed."""
    for path in (case.live, case.scratch):
        run(path, "UPDATE pictures SET created_at = '2025-12-01', place = 'other' WHERE id = 8")
    answer = sqlite_repair(case.request())
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 8") is None
    assert answer["asked"]["pictures.note"]["keys"] == [8]
    assert answer["key_reused"]["pictures"]["keys"] == [8]
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["totals"]["rows_key_reused"]) == (True, 1)
    assert "1 rows of the backup stay out" in proof["notes"][0]


def test_a_unique_value_taken_since_keeps_the_old_row_out(case: Case) -> None:
    """A deleted user whose address another account has now is not forced in, and is listed."""
    for path in (case.live, case.scratch):
        run(
            path,
            "PRAGMA foreign_keys=OFF; DELETE FROM users WHERE id = 3;"
            "INSERT INTO users VALUES (77, 'u3@example.org', '2025-12-02');",
        )
    request = case.request(decisions={**case.request()["decisions"], "users": "restore"})
    # Pictures of the user that is gone point nowhere in live already, so this is no worse than before.
    answer = sqlite_repair(request)
    assert (answer["key_taken"]["users"]["keys"], answer["restored_rows"]["users"]) == ([3], 0)
    assert sqlite_prove(request)["totals"]["rows_key_taken"] == 1


def test_values_the_rollback_changed_come_back_from_live(case: Case) -> None:
    """What the rollback cleared or changed in columns that stayed is as in live again."""
    run(
        case.scratch,
        "UPDATE pictures SET place = NULL WHERE id = 10; UPDATE users SET email = 'x' WHERE id = 2;",
    )
    answer = sqlite_repair(case.request())
    assert answer["put_back_values"] == {"pictures.place": 1, "users.email": 1}
    assert value(case.scratch, "SELECT place FROM pictures WHERE id = 10") == "place 3"
    assert sqlite_prove(case.request())["proven"]


def test_a_column_the_rollback_converted_back_is_left(case: Case) -> None:
    """Prices that the migration turned into cents and the rollback back are not turned into cents again."""
    change_before_incident(
        case, "ALTER TABLE users ADD COLUMN price REAL; UPDATE users SET price = id * 1.5;"
    )
    run(case.live, "UPDATE users SET price = price * 100;")
    answer = sqlite_repair(case.request())
    assert answer["converted"] == ["users.price"]
    assert value(case.scratch, "SELECT price FROM users WHERE id = 2") == 3.0
    assert sqlite_prove(case.request())["proven"]


def test_a_default_of_the_column_added_again_is_no_value(tmp_path: Path) -> None:
    """Where the rollback adds the lost column with a default, the backup's values replace it."""
    case = build_case(tmp_path)
    run(
        case.scratch,
        "ALTER TABLE pictures DROP COLUMN note; ALTER TABLE pictures ADD COLUMN note TEXT DEFAULT '';",
    )
    assert sqlite_repair(case.request())["filled"] == {"pictures.note": 38}
    assert sqlite_prove(case.request())["proven"]


def test_a_number_whose_default_is_written_as_text_is_filled_and_proven(case: Case) -> None:
    """Laravel writes `default '0'` for numbers; rows since keep it, old rows get the backup's value."""
    run(
        case.baseline,
        "ALTER TABLE pictures ADD COLUMN rank INTEGER NOT NULL DEFAULT '0'; UPDATE pictures SET rank = id;",
    )
    run(case.scratch, "ALTER TABLE pictures ADD COLUMN rank INTEGER NOT NULL DEFAULT '0';")
    assert sqlite_repair(case.request())["filled"]["pictures.rank"] == 59
    assert value(case.scratch, "SELECT rank FROM pictures WHERE id = 90001") == 0
    assert sqlite_prove(case.request())["proven"]


def test_a_mapping_of_another_migration_is_not_used(case: Case) -> None:
    """A rule whose source table is not there has nothing to say, and does not stop the repair."""
    rules = [*case.request()["mappings"], {**case.request()["mappings"][0], "from_table": "elsewhere"}]
    assert sqlite_repair(case.request(mappings=rules))["mappings_used"] == 1
    assert sqlite_prove(case.request(mappings=rules))["proven"]


def test_what_no_mapping_covers_is_counted(case: Case) -> None:
    """Notes written in the new shape and not mapped are said, per column."""
    request = case.request(mappings=[])
    answer = sqlite_repair(request)
    assert answer["unmapped"] == {
        "entries.note": 2,
        "entries.shown_on": 61,
        "entries.created_at": 61,
        "pictures.entry_id": 60,
    }
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 4") == "note 4\n'; --"


def test_what_cannot_be_brought_back_is_listed_by_key(case: Case, tmp_path: Path) -> None:
    """Each value without a place, and each row since without a value in a lost column, is listed by its key and nothing else."""
    answer = sqlite_repair(case.request(mappings=[], lists_folder=str(tmp_path)))
    noted = answer["unmapped_lists"]["entries.note"]
    keys = [json.loads(line) for line in Path(noted["file"]).read_text(encoding="utf-8").splitlines()]
    assert (noted["count"], keys) == (2, noted["keys"])
    assert [(key,) for key in keys] == rows(
        case.live, "SELECT id FROM entries WHERE note IS NOT NULL ORDER BY id"
    )
    since = rows(case.scratch, "SELECT id FROM pictures WHERE note IS NULL AND id > 90000 ORDER BY id")
    assert [(key,) for key in answer["unknown"]["pictures.note"]["keys"]] == since != []
    everything = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("repair-*.jsonl"))
    assert "note" not in everything


def test_two_new_values_for_one_old_place_are_asked_about(case: Case) -> None:
    """Where a mapping would bring two different values to one row, none is chosen by chance."""
    rule = {
        "from_table": "tips",
        "target_table": "pictures",
        "join": {"id": "picture_id"},
        "columns": {"t": "note"},
    }
    run(
        case.live,
        "CREATE TABLE tips (id INTEGER PRIMARY KEY, picture_id INTEGER, t TEXT);"
        "INSERT INTO tips (picture_id, t) VALUES (3, 'one'), (3, 'two'), (6, 'only');",
    )
    answer = sqlite_repair(case.request(mappings=[rule]))
    assert answer["mapped"] == {"pictures.note": 1}
    assert answer["asked"]["pictures.note"]["keys"] == [3]
    assert answer["unmapped"]["tips.t"] == 2


def test_rows_since_are_put_back_into_a_table_whose_lost_column_must_be_set(tmp_path: Path) -> None:
    """Old rows that the rollback took get their NOT NULL value from the backup on the way in."""
    case = build_case(tmp_path)
    change_before_incident(
        case, "CREATE TABLE c (id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO c VALUES (1, 'a');"
    )
    run(case.live, "ALTER TABLE c DROP COLUMN v;")
    run(case.scratch, "DELETE FROM c;")
    assert sqlite_repair(case.request())["put_back_rows"]["c"] == 1
    assert rows(case.scratch, "SELECT * FROM c") == [(1, "a")]


def test_a_column_that_must_be_set_is_filled_over_the_empty_values_it_was_given(tmp_path: Path) -> None:
    """MySQL gives '', 0.00 or a day of zeros where a rollback adds a NOT NULL column without a default: that is no value."""
    case = build_case(tmp_path)
    columns = "t TEXT NOT NULL, price TEXT NOT NULL, day TEXT NOT NULL, n INTEGER NOT NULL"
    change_before_incident(
        case,
        f"CREATE TABLE c (id INTEGER PRIMARY KEY, {columns});",
        "INSERT INTO c VALUES (1, 'a', '9.50', '2025-11-01', 7), (2, '', '0.00', '2025-11-02', 0);",
    )
    run(case.live, *(f"ALTER TABLE c DROP COLUMN {name};" for name in ("t", "price", "day", "n")))
    run(case.live, "INSERT INTO c VALUES (3);")
    run(case.scratch, "UPDATE c SET t = '', price = '0.00', day = '0000-00-00', n = 0;")
    run(case.scratch, "INSERT INTO c VALUES (3, '', '0.00', '0000-00-00', 0);")
    sqlite_repair(case.request())
    assert rows(case.scratch, "SELECT * FROM c") == [
        (1, "a", "9.50", "2025-11-01", 7),
        (2, "", "0.00", "2025-11-02", 0),
        (3, "", "0.00", "0000-00-00", 0),
    ]
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["reasons"]) == (True, [])


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id INTEGER"])
def test_no_value_is_none_again_where_the_rollback_gave_the_default(tmp_path: Path, key: str) -> None:
    """NULL says something of its own: what nobody was to see must not be public by a column's default."""
    case = build_case(tmp_path)
    change_before_incident(
        case,
        f"CREATE TABLE c ({key}, who TEXT DEFAULT 'public');",
        "INSERT INTO c VALUES (1, NULL), (2, 'friends'), (3, 'public');",
    )
    run(case.live, "ALTER TABLE c DROP COLUMN who; INSERT INTO c VALUES (4);")
    run(case.scratch, "UPDATE c SET who = 'public'; INSERT INTO c VALUES (4, 'public');")
    sqlite_repair(case.request())
    assert rows(case.scratch, "SELECT * FROM c") == [(1, None), (2, "friends"), (3, "public"), (4, "public")]
    assert sqlite_prove(case.request())["proven"]
    run(case.scratch, "UPDATE c SET who = 'public' WHERE id = 1;")
    assert not sqlite_prove(case.request())["proven"]


@pytest.mark.parametrize("mapped", [False, True])
def test_no_value_is_none_again_though_the_new_table_has_the_same_default(
    tmp_path: Path, mapped: bool
) -> None:
    """Where the rollback moved nothing back, the default in the new shape says nothing of the old rows."""
    case = build_case(tmp_path)
    change_before_incident(
        case,
        "CREATE TABLE c (id INTEGER PRIMARY KEY, who TEXT DEFAULT 'public');",
        "INSERT INTO c VALUES (1, NULL), (2, 'friends'), (3, NULL);",
    )
    run(
        case.live,
        "ALTER TABLE c DROP COLUMN who; CREATE TABLE d (c_id INTEGER PRIMARY KEY, who TEXT DEFAULT 'public');",
        "INSERT INTO d (c_id, who) VALUES (2, 'public'), (3, 'family');",
    )
    run(case.scratch, "UPDATE c SET who = 'public';")
    rule = {"from_table": "d", "target_table": "c", "join": {"id": "c_id"}, "columns": {"who": "who"}}
    request = case.request(mappings=[rule]) if mapped else case.request()
    sqlite_repair(request)
    newer = [(2, "public"), (3, "family")] if mapped else [(2, "friends"), (3, None)]
    assert rows(case.scratch, "SELECT * FROM c") == [(1, None), *newer]


def test_a_column_without_any_value_needs_no_key(tmp_path: Path) -> None:
    """Equal rows of a table without a key stand in no one's way where the lost column held nothing."""
    case = build_case(tmp_path)
    change_before_incident(
        case, "CREATE TABLE c (id INTEGER, note TEXT);", "INSERT INTO c (id) VALUES (1), (1);"
    )
    run(case.live, "ALTER TABLE c DROP COLUMN note;")
    sqlite_repair(case.request())
    assert sqlite_prove(case.request())["proven"]


def test_a_default_that_came_back_with_the_new_shape_stays(tmp_path: Path) -> None:
    """Where the new shape holds the very value, the rollback may have copied what a person has set since."""
    case = build_case(tmp_path)
    change_before_incident(
        case,
        "CREATE TABLE c (id INTEGER PRIMARY KEY, who TEXT DEFAULT 'public');",
        "INSERT INTO c VALUES (1, NULL), (2, 'friends');",
    )
    run(
        case.live, "ALTER TABLE c RENAME COLUMN who TO seen_by; UPDATE c SET seen_by = 'public' WHERE id = 1;"
    )
    run(case.scratch, "UPDATE c SET who = 'public' WHERE id = 1;")
    sqlite_repair(case.request())
    assert rows(case.scratch, "SELECT * FROM c") == [(1, "public"), (2, "friends")]


STAMPED = "CREATE TABLE c (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, created_at TEXT);"
MOMENT = "2025-11-27 03:00:00"


def stamped_case(tmp_path: Path) -> Case:
    """Make an incident in which a column was lost whose default is the time, and the rollback wrote the moment into it."""
    case = build_case(tmp_path)
    change_before_incident(
        case,
        STAMPED,
        "INSERT INTO c VALUES (1, '2025-11-01 10:00:00', '2025-11-01'), (2, NULL, '2025-11-02'),"
        " (3, '2099-01-01 00:00:00', '2025-11-02');",
    )
    run(case.live, "ALTER TABLE c DROP COLUMN at; INSERT INTO c VALUES (4, '2025-11-26 09:00:00');")
    run(case.scratch, f"INSERT INTO c VALUES (4, NULL, '2025-11-26 09:00:00'); UPDATE c SET at = '{MOMENT}';")
    return case


def test_the_moment_of_the_rollback_is_no_value_of_its_own(tmp_path: Path) -> None:
    """Where the lost column's default is the time, all rows have the rollback's: the backup's times are put back."""
    case = stamped_case(tmp_path)
    sqlite_repair(case.request())
    assert rows(case.scratch, "SELECT id, at FROM c") == [
        (1, "2025-11-01 10:00:00"),
        (2, None),
        (3, "2099-01-01 00:00:00"),
        (4, MOMENT),
    ]
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["reasons"]) == (True, [])
    run(case.scratch, "UPDATE c SET at = '2025-11-20 00:00:00' WHERE id = 1;")
    assert not sqlite_prove(case.request())["proven"]


def test_a_time_that_stands_in_the_new_shape_is_not_taken_for_the_moment(tmp_path: Path) -> None:
    """A person may have set it there since, and the rollback have copied it back: it stays, and counts as newer."""
    case = stamped_case(tmp_path)
    run(case.live, f"CREATE TABLE shown (c_id INTEGER, at TEXT); INSERT INTO shown VALUES (1, '{MOMENT}');")
    sqlite_repair(case.request())
    assert value(case.scratch, "SELECT at FROM c WHERE id = 1") == MOMENT


def test_a_time_that_is_not_later_than_the_rows_is_not_taken_for_the_moment(tmp_path: Path) -> None:
    """A rollback is later than all that was written: another time is left, and the repair is not proven."""
    case = stamped_case(tmp_path)
    for path in (case.live, case.scratch):
        run(path, f"UPDATE c SET created_at = '{MOMENT}' WHERE id = 4;")
    sqlite_repair(case.request())
    assert value(case.scratch, "SELECT at FROM c WHERE id = 1") == MOMENT
    assert not sqlite_prove(case.request())["proven"]


def test_triggers_do_not_run_and_are_kept(case: Case) -> None:
    """A trigger that would stamp or copy rows does not run during the repair, and is there afterwards."""
    change_before_incident(
        case,
        "CREATE TABLE audit (what TEXT);"
        "CREATE TRIGGER stamp AFTER INSERT ON remarks BEGIN INSERT INTO audit VALUES (new.body); END;",
    )
    sqlite_repair(case.request())
    assert value(case.scratch, "SELECT count(*) FROM audit") == 0
    assert value(case.scratch, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == 1
    assert sqlite_prove(case.request())["proven"]


def test_counters_stand_above_every_id(case: Case) -> None:
    """Also for the table that only the broken state has, when the corrected migration makes it again (R2)."""
    sqlite_repair(case.request())
    counters = dict(rows(case.scratch, "SELECT name, seq FROM sqlite_sequence"))
    assert (counters["pictures"], counters["remarks"], counters["entries"]) == (90001, 90002, 90000)
    run(
        case.scratch,
        "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO entries DEFAULT VALUES;",
    )
    assert value(case.scratch, "SELECT id FROM entries") == 90001


def test_equal_rows_without_key_are_brought_back_as_often(case: Case) -> None:
    """Of a pivot row that was there three times and is there once, two come back."""
    run(case.baseline, "INSERT INTO picture_tag VALUES (50, 9), (50, 9), (50, 9);")
    for path in (case.live, case.scratch):
        run(path, "INSERT INTO picture_tag VALUES (50, 9);")
    sqlite_repair(case.request())
    assert value(case.scratch, "SELECT count(*) FROM picture_tag WHERE tag_id = 9") == 3
    assert sqlite_prove(case.request())["proven"]


def test_lost_values_of_equal_rows_are_ambiguous(case: Case) -> None:
    """Where equal rows without a key had different lost values, repair refuses and changes nothing."""
    for path, columns in ((case.baseline, "a, lost"), (case.live, "a"), (case.scratch, "a, lost")):
        run(path, f"CREATE TABLE plain ({columns}); INSERT INTO plain (a) VALUES (1), (1), (2);")
    run(case.baseline, "UPDATE plain SET lost = rowid;")
    with pytest.raises(Refusal) as refused:
        sqlite_repair(case.request())
    assert refused.value.kind == "ambiguous"


def test_lost_values_of_rows_without_key_are_matched_by_the_rest(case: Case) -> None:
    """Where the other columns tell the rows apart, a table without a key is filled."""
    for path, columns in ((case.baseline, "a, lost"), (case.live, "a"), (case.scratch, "a, lost")):
        run(path, f"CREATE TABLE plain ({columns}); INSERT INTO plain (a) VALUES (1), (NULL), (2);")
    run(case.baseline, "UPDATE plain SET lost = rowid;")
    assert sqlite_repair(case.request())["filled"]["plain.lost"] == 3
    assert rows(case.scratch, "SELECT a, lost FROM plain") == [(1, 1), (None, 2), (2, 3)]
    assert sqlite_prove(case.request())["proven"]


def test_what_the_rollback_did_not_make_again_is_not_proven(case: Case) -> None:
    """An empty rollback leaves the column away: repair says so, and the proof refuses."""
    run(case.scratch, "ALTER TABLE pictures DROP COLUMN note;")
    request = case.request(mappings=[])
    assert sqlite_repair(request)["not_in_scratch"] == {"pictures": ["note"]}
    proof = sqlite_prove(request)
    assert not proof["proven"]
    assert "pictures: scratch has no column note" in proof["reasons"]


def test_the_same_request_again_gives_the_same_answer(case: Case) -> None:
    """A second run tells the first one's answer and changes nothing; another request is refused."""
    first = sqlite_repair(case.request())
    again = sqlite_repair(case.request())
    assert again == {**first, "attached": True}
    with pytest.raises(Refusal) as refused:
        sqlite_repair(case.request(decisions={}))
    assert refused.value.kind == "refused"


def test_a_scratch_changed_after_the_repair_is_noticed(case: Case) -> None:
    """Repair does not run on a scratch that was written to since."""
    sqlite_repair(case.request())
    run(case.scratch, "UPDATE users SET email = 'x' WHERE id = 1")
    with pytest.raises(Refusal) as refused:
        sqlite_repair(case.request())
    assert refused.value.kind == "changed"


@pytest.mark.parametrize("source", ["baseline", "live_copy"])
def test_a_source_is_never_the_target(case: Case, source: str) -> None:
    """Naming one file twice is refused before anything is written."""
    with pytest.raises(Refusal) as refused:
        sqlite_repair(case.request(**{source: str(case.scratch)}))
    assert refused.value.kind == "bad_request"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE pictures SET note = 'damaged' WHERE id = 10",
        "UPDATE pictures SET note = NULL WHERE id = 10",
        "UPDATE pictures SET note = NULL WHERE id = 4",
        "UPDATE pictures SET note = 'note 4\n''; --' WHERE id = 4",
        "UPDATE pictures SET note = (SELECT note FROM pictures WHERE id = 11) WHERE id = 10",
        "UPDATE pictures SET note = 'invented' WHERE id = 9",
        "UPDATE pictures SET place = 'place 5' WHERE id = 5",
        "UPDATE pictures SET place = NULL WHERE id = 11",
        "UPDATE users SET created_at = 'x' WHERE id = 1",
        "UPDATE remarks SET body = 'other' WHERE id = 20",
        "UPDATE remarks SET body = CAST(7 AS TEXT) WHERE id = 90002",
        "UPDATE pictures SET note = 'another row''s' WHERE id = 60",
        "DELETE FROM remarks WHERE id = 21",
        "DELETE FROM remarks WHERE id = 90002",
        "DELETE FROM pictures WHERE id = 60",
        "DELETE FROM picture_tag WHERE picture_id = 12",
        "INSERT INTO picture_tag VALUES (1, 77)",
        "INSERT INTO remarks VALUES (500, 1, NULL, 'a stranger', NULL)",
        "INSERT INTO pictures (id, user_id) VALUES (7, 1)",
        "DELETE FROM sessions",
        "DELETE FROM migrations WHERE id = 1",
        "UPDATE migrations SET migration = 'c' WHERE id = 1",
        "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'pictures'",
        "ALTER TABLE pictures DROP COLUMN updated_at",
        "DROP TABLE picture_tag",
    ],
)
def test_any_damage_after_the_repair_is_found(case: Case, damage: str) -> None:
    """One value, one row, one counter or one column that is not right, and the proof says not proven."""
    sqlite_repair(case.request())
    run(case.scratch, "PRAGMA foreign_keys=OFF;" + damage)
    proof = sqlite_prove(case.request())
    assert not proof["proven"], damage


def test_a_kill_at_any_moment_leaves_old_or_new(tmp_path: Path) -> None:
    """kill -9 during repair leaves scratch as it was or done; the next run gives what an unbroken one gives."""
    (tmp_path / "whole").mkdir()
    whole = build_case(tmp_path / "whole", 600, 3000)
    expected = sqlite_repair(whole.request())
    (tmp_path / "broken").mkdir()
    case = build_case(tmp_path / "broken", 600, 3000)
    program = (
        "import json, sys; from adapters.host_reader.sqlite_verbs import sqlite_repair;"
        "print('go', flush=True); sqlite_repair(json.loads(sys.argv[1]))"
    )
    for wait_s in (0.01, 0.03, 0.06):
        worker = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(case.request())], stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(wait_s)
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
    answer = sqlite_repair(case.request())
    assert {**answer, "attached": False} == expected
    assert sqlite_prove(case.request())["proven"]
