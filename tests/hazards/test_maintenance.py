"""Maintenance mode (M1–M5): what the literal commands do on Debian's Laravel 8.83, and that Backout does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bot.laravel import maintenance
from bot.model.secret import Secret
from bot.ports.host import Command
from tests.hazards.typed import app_facts, backouts, change, number, typed
from tests.hazards.watched import Watched, running_bot
from tests.site.bot_settings import RESPONDER
from tests.site.by_hand import http_status
from tests.site.faults import clean_up, writer
from tests.site.play import Player
from tests.site.production import Production, artisan


def flag_of(site: Production) -> dict[str, object]:
    """Return what stands in the maintenance flag."""
    text = (site.app_path / "storage/framework/down").read_text(encoding="utf-8")
    return dict(json.loads(text))


def changed(site: Production, command: Command) -> maintenance.MaintenanceChange:
    """Run a maintenance command of Backout's and return the state before and after."""
    return maintenance.parse_maintenance_change(backouts(site, command))


def down(site: Production, secret: str | None = None) -> maintenance.MaintenanceChange:
    """Take the site down as Backout does."""
    return changed(
        site,
        maintenance.down_command(
            app_path=str(site.app_path),
            version=app_facts(site).laravel,
            secret=Secret(secret) if secret else None,
        ),
    )


def test_m1_the_literal_down_with_a_message_leaves_visitors_in(production: Production) -> None:
    """`down --message=…` fails on Laravel 8 and visitors still get 200; Backout's `down` gives them 503."""
    done = typed(production, "php artisan down --message=x --retry=300")
    assert done.returncode != 0
    assert http_status(production.url) == 200
    assert maintenance.down_refusal(down(production), needs_secret=False) is None
    assert http_status(production.url) == 503


def test_m2_down_stops_no_other_program(production: Production) -> None:
    """While visitors get 503, `queue:work --force` still takes jobs, and any other program still writes."""
    artisan(production, "down")
    queued = number(production.database_path, "select count(*) from jobs")
    typed(production, "php artisan queue:work --force --stop-when-empty --tries=1")
    assert http_status(production.url) == 503
    assert queued > 0
    assert number(production.database_path, "select count(*) from jobs") == 0
    change(production.database_path, "update users set updated_at = '2026-01-01 00:00:00' where id = 1")


def test_m2_an_excepted_address_is_served_while_down(production: Production) -> None:
    """An address in `$except` of the application's middleware (a payment hook) writes while all others get 503."""
    middleware = production.app_path / "app/Http/Middleware/PreventRequestsDuringMaintenance.php"
    text = middleware.read_text(encoding="utf-8").rstrip().removesuffix("}")
    middleware.write_text(text + "    protected $except = ['photos/*'];\n}\n", encoding="utf-8")
    artisan(production, "down")
    photo = number(production.database_path, "select max(id) from photos")
    assert http_status(production.url) == 503
    assert http_status(f"{production.url}/photos/{photo}") == 200


def test_m2_a_writer_breaks_the_proof_and_no_step_goes_on(production: Production, tmp_path: Path) -> None:
    """With a program that writes, the freeze is not proven though visitors get 503, its process is named, nothing follows."""
    bot = running_bot(production, tmp_path / "bot")
    api = bot.as_person(bot.token(RESPONDER))
    bot.start()
    writer(production)
    try:
        player = Player(api, lambda _: None)
        player.incident = api.command("/incident start album captions are gone")["incident_id"]
        player.choose("assessed", "freeze")
        question = player.decision("writers", limit_s=40)
        told = player.state()["steps"][1]
        refused = api.command("/backups create", player.incident)
        timeline = api.get(f"/api/incidents/{player.incident}/timeline?after=0")
    finally:
        clean_up(production)
        bot.stop()
    frozen = [entry["data"] for entry in timeline if entry["kind"] == "frozen"][-1]
    assert (frozen["http_status"], frozen["proven"], frozen["samples_agree"]) == (503, False, False)
    assert any(Path(sys.executable).name in one["command"] for one in frozen["writers"])
    assert told["status"] == "failed"
    assert "can still write" in question["body"]
    assert refused["ok"] is False


def test_m3_a_flag_in_the_restored_database_would_be_lost(stopped: Production) -> None:
    """From Laravel 9 the flag may be a row of `cache`; restoring the backup takes it away. Laravel 8 has a file only."""
    # The row as Laravel 9 to 12 write it (CacheBasedMaintenanceMode, key `illuminate:foundation:down`; source read).
    live = stopped.database_path
    change(
        live,
        "create table cache (key varchar primary key, value text not null, expiration integer not null);"
        "insert into cache values ('album_cacheilluminate:foundation:down', 'a:0:{}', 2000000000)",
    )
    live.write_bytes((stopped.oracle_path / "before.sqlite").read_bytes())
    assert number(live, "select count(*) from sqlite_master where name = 'cache'") == 0
    down(stopped)
    assert (stopped.app_path / "storage/framework/down").exists()
    live.write_bytes((stopped.oracle_path / "before.sqlite").read_bytes())
    assert app_facts(stopped).maintenance.is_down is True


def test_m4_a_second_down_ignores_its_options(stopped: Production) -> None:
    """The literal second `down` ends with 0 and keeps the old flag; Backout's own puts its secret in and says so."""
    typed(stopped, "php artisan down --retry=77")
    again = typed(stopped, "php artisan down --retry=5 --secret=mine")
    assert again.returncode == 0
    assert (flag_of(stopped)["retry"], flag_of(stopped)["secret"]) == (77, None)
    ours = down(stopped, "ours")
    assert ours.secret_is_ours
    assert flag_of(stopped)["secret"] == "ours"


def test_m4_an_up_that_did_not_open_is_not_believed(stopped: Production) -> None:
    """Where the flag cannot be removed, the exit status of `up` is not what Backout goes by: the state is."""
    down(stopped)
    # A folder in the place of the flag is the portable way to a flag that `unlink` cannot remove, for root as well.
    flag = stopped.app_path / "storage/framework/down"
    flag.unlink()
    flag.mkdir()
    opened = changed(stopped, maintenance.up_command(app_path=str(stopped.app_path)))
    flag.rmdir()
    assert maintenance.up_refusal(opened) is not None


def test_m5_only_the_literal_commands_write_errors_into_the_log(
    stopped: Production, watched: Watched
) -> None:
    """The runbook's `down --message` and tinker leave ERROR records; a whole incident of Backout's leaves not one line."""
    log = stopped.app_path / "storage/logs/laravel.log"
    before = log.read_text(encoding="utf-8").count("production.ERROR")
    typed(stopped, "php artisan down --message=x")
    typed(stopped, "php artisan tinker --execute=1")
    assert log.read_text(encoding="utf-8").count("production.ERROR") == before + 2
    assert watched.state["closed_at"]
    assert watched.log_after == watched.log_before
