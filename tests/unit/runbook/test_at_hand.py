"""The contact sheet has every field of the procedure's template; the command sheet has the site's values and does no harm."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.model.event import Kind
from bot.model.incident import Incident
from bot.model.person import Contact, Hosting
from bot.runbook.contact_sheet import MISSING, contact_table, site_facts
from bot.runbook.quick_reference import SheetSite, quick_reference, sheet_text
from tests.playbooks.story import FROZEN_STORY, JUST_OPENED, backup, moment

SITE = SheetSite(
    name="shop",
    address="host.example",
    ssh_user="deploy",
    port=22,
    app_path="/srv/shop",
    backups=("/var/backups/shop",),
    branch="main",
    remote="origin",
    retry_after_s=300,
    database="shop",
    user="shop_app",
)
HARMFUL = ("migrate:rollback", "| mysql -u shop_app -p shop\n", ".restore ", "migrate:fresh", "rm -")


def state(engine: str, path: str = "/var/backups/shop/night.sql.gz", **more: Any) -> Incident:
    assessed = {
        "engine": engine,
        "bad_migration": "2026_01_31_drop_prices",
        "loss": {
            "verdict": "loss",
            "tables": [{"table": "it's", "missing": 1, "status": "both", "columns": []}],
        },
        **more,
    }
    listed = moment(Kind.BACKUPS_LISTED, backups=[{**backup("x"), "path": path, "recommended": True}])
    return FROZEN_STORY.and_then(moment(Kind.ASSESSED, **assessed), listed).state()


def sheet(engine: str, site: SheetSite = SITE, **more: Any) -> str:
    sections = quick_reference(site, state(engine, **more))
    return sheet_text(sections, site.name, "inc-shop-1", datetime(2026, 1, 31, 3, tzinfo=UTC))


def live_lines(text: str) -> str:
    """Return what a shell would run of it."""
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize(
    ("engine", "lines"),
    [
        (
            "mysql",
            [
                "ssh -p 22 deploy@host.example",
                "cd /srv/shop",
                "php artisan migrate:status",
                "php artisan down --retry=300",
                "php artisan up",
                "gzip -dc /var/backups/shop/night.sql.gz | mysql -u shop_app -p backout_by_hand",
                "# php artisan migrate:rollback --step=1 --force --path=database/migrations/2026_01_31_drop_prices.php",
                "git fetch origin",
                "git log --oneline HEAD..origin/main",
                "php artisan migrate --force",
                "tail -f storage/logs/laravel.log",
            ],
        ),
        ("pgsql", ["createdb -U shop_app backout_by_hand", "git checkout --detach origin/main"]),
        (
            "sqlite",
            ['(cd /var/backups/shop && sqlite3 shop ".backup pre-restore-$(date +%Y%m%d-%H%M%S).sqlite")'],
        ),
    ],
)
def test_the_sheet_has_the_site_s_own_values(engine: str, lines: list[str]) -> None:
    """Host, paths, database, backup and migration are those of the site; each step of the procedure's sheet is there."""
    text = sheet(engine)
    assert [line for line in lines if line not in text.splitlines()] == []
    for title in (
        "Assessment",
        "Back up",
        "Restore",
        "Roll the migration back",
        "Deploy",
        "Verify",
        "Maintenance",
    ):
        assert f"# == {title}" in text


@pytest.mark.parametrize("engine", ["mysql", "mariadb", "pgsql", "sqlite", "unknown"])
def test_what_does_harm_stands_behind_a_mark(engine: str) -> None:
    """The whole sheet pasted into a shell rolls nothing back and writes over no database."""
    live = live_lines(sheet(engine))
    assert [word for word in HARMFUL if word in live] == []
    assert "password" not in live


@pytest.mark.parametrize("engine", ["mysql", "pgsql", "sqlite"])
@pytest.mark.parametrize(
    "odd", ["a b", "it's", "$(touch pwned)", "x\ntouch pwned\n#", "`touch pwned`", '"; touch pwned; "']
)
def test_an_odd_name_runs_nothing(tmp_path: Path, engine: str, odd: str) -> None:
    """A shell reads the sheet as it was meant, whatever a name holds: nothing of a name is run."""
    site = replace(
        SITE, app_path=f"/{odd}", database=odd, user=odd, backups=(f"/{odd}",), branch=odd, name=odd
    )
    text = sheet(engine, site, path=f"/b/{odd}.sql", bad_migration=odd)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        "ssh",
        "php",
        "git",
        "mysql",
        "mysqldump",
        "pg_dump",
        "psql",
        "createdb",
        "pg_restore",
        "sqlite3",
        "tail",
        "cat",
        "cd",
    ):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        cwd=tmp_path,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"yntax error" not in done.stderr
    assert not (tmp_path / "pwned").exists()


def test_a_proposed_commit_stands_in_the_sheet() -> None:
    """Once the corrected commit is known, its own migration is named, and no other would run."""
    proposed = moment(Kind.CORRECTED_PROPOSED, commit="c" * 40, migrations=["database/migrations/fixed.php"])
    known = FROZEN_STORY.and_then(proposed).state()
    text = sheet_text(
        quick_reference(SITE, known), "shop", "inc-shop-1", datetime(2026, 1, 31, 3, tzinfo=UTC)
    )
    assert f"git checkout --detach {'c' * 40}" in text
    assert "php artisan migrate --force --path=database/migrations/fixed.php" in text
    assert "all that is pending" not in text


def test_before_the_assessment_there_is_what_the_settings_know() -> None:
    """Nothing is guessed: the engine is not known, and that is said."""
    text = sheet_text(
        quick_reference(replace(SITE, database=None, user=None), JUST_OPENED.state()),
        "shop",
        "inc-shop-1",
        datetime(2026, 1, 31, 3, tzinfo=UTC),
    )
    assert "cd /srv/shop" in text
    assert text.count("the engine is not known yet") == 2
    assert all(shlex.split(line, comments=True) is not None for line in live_lines(text).splitlines())


def test_the_contact_sheet_has_every_field_of_the_template() -> None:
    """DBA with phone, e-mail and handle; provider with phone, account and tickets; backups, database and its user."""
    dora = Contact(
        name="Dora", role="DBA", phone="+49 30 1", email="d@example.org", handle="@dora", note="nights"
    )
    table = contact_table([dora, Contact(name="Egon", role="CTO")], 300, ["chat, e-mail", "nothing"])
    first, second = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (first["phone"], first["e-mail"], first["Slack/Discord"]) == ("+49 30 1", "d@example.org", "@dora")
    assert (first["rung by"], first["note"], second["phone"]) == ("chat, e-mail", "nights", MISSING)
    hosting = Hosting(
        name="H", phone="+49 30 2", account_id="K-1", ticket_url="https://t.example", note="PIN in the safe"
    )
    facts = dict(site_facts(hosting, backups=["/b"], storage="bucket", database="shop", user="app"))
    assert facts == {
        "hosting provider": "H",
        "hosting provider, phone": "+49 30 2",
        "hosting provider, account id": "K-1",
        "hosting provider, emergency tickets": "https://t.example",
        "hosting provider, note": "PIN in the safe",
        "backup storage": "/b on the host; bucket",
        "database name": "shop",
        "database user": "app",
    }


def test_what_is_missing_is_said() -> None:
    """A field that nobody filled in is seen before the night in which it is needed."""
    facts = dict(site_facts(None, backups=["/b"], storage=None, database=None, user=None))
    assert [name for name, value in facts.items() if value == MISSING] == [
        "hosting provider",
        "hosting provider, phone",
        "hosting provider, account id",
        "hosting provider, emergency tickets",
        "database name",
        "database user",
    ]
