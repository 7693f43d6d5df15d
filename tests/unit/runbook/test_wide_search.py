"""Where else backups are looked for, and which of the folders found are offered."""

from __future__ import annotations

from typing import Any

from bot.runbook.wide_search import places_found, script_folders, wide_roots


def target(folder: str | None, pattern: str = "*.sql") -> dict[str, Any]:
    return {"targets": [{"folder": folder, "pattern": pattern}]}


def line(path: str, word: str, older_by: int = 0) -> dict[str, Any]:
    return {"path": path, "word": word, "older_by": older_by}


def test_where_deploy_scripts_back_up_to_is_searched_first() -> None:
    """What a script names comes before what is usual; what is only known when it runs ends the path."""
    scripts = [target("/data/dumps"), target("/keep/*/daily"), target("storage/dumps"), target(None), {}]
    named = script_folders(scripts, "/srv/app")
    assert named == ("/data/dumps", "/keep", "/srv/app/storage/dumps")
    roots = wide_roots("/srv/app", named)
    assert roots[:3] == named
    assert roots[-1] == "~"
    assert "/var/backups" in roots


def test_no_search_begins_at_the_root_of_the_host() -> None:
    """A script that names only a variable, and an application right below the root, add no `/`."""
    assert script_folders([target("*/daily"), target("/")], "/app") == ()
    assert "/" not in wide_roots("/app", ())
    assert "" not in wide_roots("/app", ())


def test_the_folder_with_the_best_backup_stands_first() -> None:
    """VERIFIED before what a load may prove; folders of refused files alone are no offer."""
    places = places_found(
        [
            line("/b/one.sql", "COULD NOT VERIFY"),
            line("/c/of-another-site.sql", "REFUSED"),
            line("/a/old.sql", "VERIFIED", older_by=2),
            line("/a/cut.sql", "REFUSED"),
        ],
        too_wide=(),
    )
    assert [(p.path, p.usable, dict(p.verdicts)) for p in places] == [
        ("/a", True, {"VERIFIED": 1, "REFUSED": 1}),
        ("/b", True, {"COULD NOT VERIFY": 1}),
        ("/c", False, {"REFUSED": 1}),
    ]


def test_a_file_right_in_a_home_is_offered_alone() -> None:
    """Nobody adds a whole home by one press for the sake of one file in it."""
    places = places_found(
        [line("/home/deploy/last.sql", "VERIFIED"), line("/home/deploy/x/y.sql", "VERIFIED")],
        too_wide=("/home/deploy",),
    )
    assert [p.path for p in places] == ["/home/deploy/last.sql", "/home/deploy/x"]
