"""Parsers of artisan's and git's text, on recorded and on damaged output."""

from __future__ import annotations

import pytest

from bot.laravel import git, migrate_output, status_text
from bot.laravel.migrate_output import MigrationLine, Said
from bot.laravel.status_text import StatusLine
from bot.model.errors import FailedError

PLACE = "2025_11_20_090000_add_location_to_albums_table"
SPLIT = "2025_11_25_120000_convert_albums_to_multi_album_pages"

STATUS_8 = f"""+------+-------------------------------------------------------+-------+
| Ran? | Migration                                             | Batch |
+------+-------------------------------------------------------+-------+
| Yes  | {PLACE}        | 3     |
| No   | {SPLIT} |       |
+------+-------------------------------------------------------+-------+
"""
STATUS_12 = f"""
  Migration name .............................................. Batch / Status \x20
  {PLACE} ..................... [3] Ran \x20
  {SPLIT} .............. Pending \x20
  {SPLIT}_with_a_name_that_is_longer_than_the_line [12] Ran \x20

"""


def test_the_status_of_laravel_8_is_read() -> None:
    """The table of 8.83.26 gives name, state and batch."""
    assert status_text.parse_migrate_status(STATUS_8) == (
        StatusLine(migration=PLACE, has_run=True, batch=3),
        StatusLine(migration=SPLIT, has_run=False, batch=None),
    )


def test_the_status_of_laravel_12_is_read() -> None:
    """The list of 12.67 gives the same, a name without dots included."""
    found = status_text.parse_migrate_status(STATUS_12)
    assert [(line.has_run, line.batch) for line in found] == [(True, 3), (False, None), (True, 12)]
    assert found[2].migration.endswith("longer_than_the_line")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Migration table not found.\n", 1),
        ("   ERROR  Migration table not found.  \n", 1),
        ("SQLSTATE[HY000] [2002] Connection refused\n", 1),
        ("", 0),
        (STATUS_8[:-80], 0),
        (STATUS_8.replace("| 3     |", "| x     |"), 0),
        (STATUS_8.replace("| 3     |", "|       |"), 0),
        (STATUS_12.replace("Pending", "Pend"), 0),
        ("PHP Fatal error: x\n", 255),
    ],
)
def test_a_damaged_status_is_refused(text: str, status: int) -> None:
    """A missing table, a silent database, and output cut or changed are told, not read as an empty list."""
    with pytest.raises(FailedError):
        status_text.parse_migrate_status(text, exit_status=status)


def test_no_migrations_is_an_empty_list() -> None:
    """Laravel 8 says so in words."""
    assert status_text.parse_migrate_status("No migrations found\n") == ()


def test_what_laravel_8_says_of_migrating_is_read() -> None:
    """Recorded on 8.83.26: run, rolled back, not found, failed, cancelled, nothing to do."""
    text = f"Migrating: {PLACE}\nMigrated:  {PLACE} (21,975.32ms)\nMigrating: {SPLIT}\n\nIn Connection.php line 712:\n\n  SQLSTATE[HY000]: General error: 1 no such table: nope (SQL: select * from n  \n  ope)\n"
    found = migrate_output.parse_migrate_output(text)
    assert found.migrations == (
        MigrationLine(migration=PLACE, said=Said.MIGRATED, duration_ms=21975.32),
        MigrationLine(migration=SPLIT, said=Said.STARTED, duration_ms=None),
    )
    assert found.failed
    back = migrate_output.parse_migrate_output(
        f"Rolling back: {PLACE}\nRolled back:  {PLACE} (28.16ms)\nMigration not found: {SPLIT}\n"
    )
    assert [line.said for line in back.migrations] == [Said.ROLLED_BACK, Said.NOT_FOUND]
    assert migrate_output.parse_migrate_output("Nothing to migrate.\n").nothing_to_do
    stars = "*" * 38
    asked = f"{stars}\n*     Application In Production!     *\n{stars}\n\n Do you really wish to run this command? (yes/no) [no]:\n > Command Canceled!\n"
    assert migrate_output.parse_migrate_output(asked).cancelled


def test_what_laravel_12_says_of_migrating_is_read() -> None:
    """Recorded on 12.67: durations in three units, a rollback, a file not found."""
    text = f"\n   INFO  Running migrations.  \n\n  {PLACE} ..... 13.23ms DONE\n  {SPLIT} ..... 1m 5s DONE\n  {SPLIT}_x ..... 38s FAIL\n"
    found = migrate_output.parse_migrate_output(text).migrations
    assert [(line.said, line.duration_ms) for line in found] == [
        (Said.MIGRATED, 13.23),
        (Said.MIGRATED, 65_000.0),
        (Said.FAILED, 38_000.0),
    ]
    back = f"\n   INFO  Rolling back migrations.  \n\n  {PLACE} ..... 2.1ms DONE\n  {SPLIT} ... Migration not found  \n\n"
    assert [line.said for line in migrate_output.parse_migrate_output(back).migrations] == [
        Said.ROLLED_BACK,
        Said.NOT_FOUND,
    ]
    assert migrate_output.parse_migrate_output("\n   INFO  Nothing to rollback.  \n\n").nothing_to_do
    assert migrate_output.parse_migrate_output("   WARN  Command cancelled.  \n").cancelled


@pytest.mark.parametrize(
    "text",
    [
        "Segmentation fault (core dumped)\n",
        f"  {PLACE} ..... many DONE\n",
        "Could not open input file: artisan\n",
    ],
)
def test_unknown_migrate_output_is_refused(text: str) -> None:
    """A line that no version prints is not passed over."""
    with pytest.raises(FailedError):
        migrate_output.parse_migrate_output(text)


def test_pretended_sql_is_read() -> None:
    """Both layouts give the statements by migration, in order."""
    old = f'Rolling back: {PLACE}\nAddLocation: alter table "albums" add column "x" varchar\nAddLocation: update albums set x = 1\n'
    assert migrate_output.parse_pretend_output(old) == {
        "AddLocation": ('alter table "albums" add column "x" varchar', "update albums set x = 1")
    }
    new = f"\n   INFO  Running migrations.  \n\n  {PLACE} ....\n  ⇂ alter table albums  \n  ⇂ update albums set x =\n    1  \n"
    assert migrate_output.parse_pretend_output(new) == {
        PLACE: ("alter table albums", "update albums set x =\n1")
    }
    with pytest.raises(FailedError):
        migrate_output.parse_pretend_output("  ⇂ alter table albums\n")


A, B = "a" * 40, "b" * 40


def test_git_text_that_is_damaged_is_refused() -> None:
    """No parser reads a cut or foreign text as an answer."""
    for parse in (git.parse_work_tree, git.parse_commit, git.parse_relation):
        for text in ("", "fatal: not a git repository\n", A[:39]):
            with pytest.raises(FailedError):
                parse(text)
    with pytest.raises(FailedError):
        git.parse_work_tree(f"# branch.oid {A}\0# branch.head main\x001 .M N\0")
    with pytest.raises(FailedError):
        git.parse_commits(f"\x1e{A}\x1fA\x1f2026-11-22T10:00:00+00:00")
    with pytest.raises(FailedError):
        git.parse_commits(f"\x1e{A}\x1fA\x1fyesterday\x1fs\0")
    for text in ("M\0", "M\0a", "fatal: x\0y\0"):
        with pytest.raises(FailedError):
            git.parse_changed_files(text)
    assert git.parse_changed_files("") == ()
    assert git.parse_commits("") == ()


def test_a_renamed_and_an_unmerged_file_are_told() -> None:
    """Every kind of entry of git status (porcelain version 2) is understood, a path with blanks included."""
    text = (
        f"# branch.oid {A}\0# branch.head (detached)\0"
        f"1 .M N... 100644 100644 100644 {A} {A} a b\0"
        f"2 R. N... 100644 100644 100644 {A} {A} R100 new name\0old name\0"
        f"u UU N... 100644 100644 100644 100644 {A} {A} {A} both\0? un known\0"
    )
    found = git.parse_work_tree(text)
    assert found.branch is None
    assert found.changed == (("M", "a b"), ("R", "new name"), ("UU", "both"), ("??", "un known"))
    assert found.modified == ("a b", "new name", "both")


def test_relations_are_told_apart() -> None:
    """The four ways in which a remote branch can stand to what is deployed."""
    said = [git.parse_relation(text) for text in ("0\t0\n", "0\t2\n", "3\t0\n", "1\t1\n")]
    assert said == [git.Relation.SAME, git.Relation.AHEAD, git.Relation.BEHIND, git.Relation.DIVERGED]
    assert [git.relation_refusal(one) is None for one in said] == [False, True, False, False]


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=touch x", "a..b", "a b", "a\nb", "$(x)", "a'b", "x.lock", "a:b", "+a", "a//b"],
)
def test_hostile_names_never_reach_git(name: str) -> None:
    """A branch, remote or commit that could be read as an option, a range or a refspec is refused."""
    with pytest.raises(ValueError, match="is no"):
        git.fetch_command("/srv", name, "main")
    with pytest.raises(ValueError, match="is no"):
        git.fetch_command("/srv", "origin", name)
    with pytest.raises(ValueError, match="is no"):
        git.checkout_command("/srv", name)


def test_a_path_outside_the_application_is_not_shown() -> None:
    """A file is named relative to the application and below it."""
    for path in ("/etc/passwd", "../x", "a/../../x"):
        with pytest.raises(ValueError, match="inside the application"):
            git.show_file_command("/srv", A, path)
    assert git.show_file_command("/srv", A, "a 'b' $(c)\n").argv[-1] == f"{A}:./a 'b' $(c)\n"
    with pytest.raises(ValueError, match="absolute"):
        git.add_worktree_command("/srv", "-x", A)


def test_git_never_asks_and_waits_not_for_ever() -> None:
    """Every call is non-interactive, with a time limit, on a repository of another user too."""
    command = git.fetch_command("/srv", "origin", "feature/x")
    assert command.env["GIT_TERMINAL_PROMPT"] == "0"
    assert "safe.directory=*" in command.argv
    assert command.argv[-1] == "+refs/heads/feature/x:refs/remotes/origin/feature/x"


def test_a_changed_deployment_is_not_checked_out_over() -> None:
    """Another commit than the planned one, or tracked files changed on the host, are told."""
    tree = git.WorkTree(commit=A, branch="main", changed=(("??", "x"),))
    assert git.checkout_refusal(tree, A) is None
    assert "meanwhile" in str(git.checkout_refusal(tree, B))
    dirty = git.WorkTree(commit=A, branch="main", changed=(("M", "x"),))
    assert "no commit: x" in str(git.checkout_refusal(dirty, A))
