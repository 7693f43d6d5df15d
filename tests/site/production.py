"""Builds, starts and stops a whole production below one folder: host, application, database, backups, git remote.

    python -m tests.site.production build FOLDER --photos 50000 --database mariadb --json
    python -m tests.site.production start FOLDER
    python -m tests.site.production stop FOLDER

Everything is made in the folder and nothing outside it but the server's socket; two or three programs listen on
loopback until they are stopped.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.servers.private import remove
from tests.site.backups import add_decoys, keep_older_backup
from tests.site.engines.catalog import ENGINES
from tests.site.engines.engine import Engine
from tests.site.engines.place import ServerPlace
from tests.site.engines.sqlite import copy_database
from tests.site.framework import with_framework
from tests.site.history import History, git, write_history
from tests.site.php_cache import php_environment
from tests.site.seed import seed_base, seed_rest
from tests.site.servers import (
    Process,
    end_process,
    fingerprint,
    free_port,
    is_alive,
    make_keys,
    start_sshd,
    start_web_front,
    write_known_hosts,
)
from tests.site.sessions import Session
from tests.site.since import Record, play_since

__all__ = ["Production", "build", "copy_database", "load", "start", "stop"]

HERE = Path(__file__).parent
BAD_MIGRATION = "2025_11_25_120000_convert_photos_to_multi_photo_posts"
SERVERS = ("mariadbd", "postgres")
STORAGE = ("app", "framework/cache/data", "framework/sessions", "framework/views", "logs")


@dataclass(frozen=True, kw_only=True)
class Production:
    """One production, as it also stands in `production.json` of its folder.

    `corrected_commits` are the two corrections in the remote, the one that still loses comments first; it is empty
    where nothing was deployed. `pids` is empty while the production is stopped. `database` is the engine's name;
    `server` is None on SQLite, and `database_path` the server's own folder on the other two.
    """

    folder: Path
    app_path: Path
    database_path: Path
    backups_path: Path
    home_path: Path
    ssh_host: str
    ssh_port: int
    ssh_user: str
    user_key_path: Path
    known_hosts_path: Path
    host_key_fingerprint: str
    url: str
    git_remote: Path
    branch: str
    deploy_script: Path
    good_migration: str
    bad_migration: str
    good_commit: str
    bad_commit: str
    corrected_commits: tuple[str, ...]
    photos: int
    migration: str
    pids: tuple[Process, ...]
    database: str = "sqlite"
    server: ServerPlace | None = None

    def save(self) -> None:
        """Write `production.json`. *Changes* that file."""
        text = json.dumps(asdict(self), default=str, indent=1)
        part = self.folder / "production.json.part"
        part.write_text(text, encoding="utf-8")
        part.rename(self.folder / "production.json")

    @property
    def engine(self) -> Engine:
        """Return what is particular to this production's engine."""
        return ENGINES[self.database]

    @property
    def oracle_path(self) -> Path:
        """Return the folder of what only the oracle may read."""
        return self.folder / "oracle"

    @property
    def good_backup(self) -> Path:
        """Return the one backup that should be chosen: the deploy script's, taken right before the migration."""
        return max(self.backups_path.glob("backup-????-??-??-??????.sql"))


def load(folder: Path) -> Production:
    """Return the production kept below a folder, as last saved."""
    values = json.loads((folder / "production.json").read_text(encoding="utf-8"))
    paths = (
        "folder",
        "app_path",
        "database_path",
        "backups_path",
        "home_path",
        "user_key_path",
        "known_hosts_path",
    )
    for name in (*paths, "git_remote", "deploy_script"):
        values[name] = Path(values[name])
    values["pids"] = tuple(Process(**process) for process in values["pids"])
    values["corrected_commits"] = tuple(values["corrected_commits"])
    values["server"] = ServerPlace(**values["server"]) if values["server"] else None
    return Production(**values)


def build(
    folder: Path,
    *,
    photos: int = 50_000,
    migration: str = "bad",
    database: str = "sqlite",
    run: bool = True,
) -> Production:
    """Build a production below `folder` and, with `run`, start it; return it.

    `migration` says what is deployed: "bad" loses data, "correct" does not, "none" stops before the deployment.
    `database` is the engine: sqlite, mariadb or postgresql.
    *Changes*: the folder, which must not exist or be empty.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: give a new folder")
    empty = start_database(lay_out(folder, photos, migration, database))
    try:
        history = write_history(folder / "author", empty.git_remote, empty.engine.old_schema)
        production = fill(empty, history)
    except BaseException:
        stop(folder)
        raise
    shutil.rmtree(folder / "author")
    production.save()
    if run:
        return start(folder)
    stop(folder)
    return load(folder)


def lay_out(folder: Path, photos: int, migration: str, database: str) -> Production:
    """Make folders and keys, and return the production as it will stand there."""
    keys = folder / "ssh"
    make_keys(keys)
    for name in ("backups", "home", "oracle"):
        (folder / name).mkdir()
    return Production(
        folder=folder,
        app_path=folder / "app",
        database_path=folder / ("app/database/database.sqlite" if database == "sqlite" else "server"),
        backups_path=folder / "backups",
        home_path=folder / "home",
        ssh_host="127.0.0.1",
        ssh_port=0,
        ssh_user=getpass.getuser(),
        user_key_path=keys / "user_key",
        known_hosts_path=keys / "known_hosts",
        host_key_fingerprint=fingerprint(keys / "host_key.pub"),
        url="",
        git_remote=folder / "remote" / "album.git",
        branch="main",
        deploy_script=folder / "deploy.sh",
        good_migration="2025_11_20_090000_add_location_to_photos_table",
        bad_migration=BAD_MIGRATION,
        good_commit="",
        bad_commit="",
        corrected_commits=(),
        photos=photos,
        migration=migration,
        pids=(),
        database=database,
    )


def start_database(production: Production) -> Production:
    """Start the production's server, if its engine has one, and return the production as it stands now, saved."""
    place, processes = production.engine.start(production)
    started = replace(production, server=place, pids=processes)
    started.save()
    return started


def fill(production: Production, history: History) -> Production:
    """Live through the album's years up to now, and return the production with its commit ids."""
    remote, app = production.git_remote, production.app_path
    history.publish(history.base, remote)
    install_app(production)
    write_deploy_script(production)
    artisan(production, "migrate", "--force")
    with_database(production, seed_base)
    keep_older_backup(production.engine.dump(production), production.backups_path)
    history.publish(history.location, remote)
    git(app, "pull", "--quiet", "--ff-only", "origin", "main")
    artisan(production, "migrate", "--force")
    with_database(production, seed_rest)
    known = replace(production, good_commit=history.location, bad_commit=history.bad)
    return live_through_deployment(known, history)


def live_through_deployment(production: Production, history: History) -> Production:
    """Deploy, use the album for some hours, and let the corrections arrive in the remote."""
    before = production.oracle_path / "before.sqlite"
    production.engine.export(production, before)
    if production.migration == "none":
        Record().save(production.oracle_path / "since.json")
        history.publish(history.bad, production.git_remote)
        return production
    deployed = history.bad if production.migration == "bad" else history.second_correction
    history.publish(deployed, production.git_remote)
    deploy(production)
    history.publish(history.second_correction, production.git_remote)
    record = play_since(
        session(production),
        production.photos,
        captions(before),
        deletions=production.migration != "correct",
    )
    record.save(production.oracle_path / "since.json")
    live, blog = production.engine.dump(production), production.engine.blog_dump(production)
    add_decoys(production.good_backup, live, blog, production.backups_path)
    return replace(production, corrected_commits=(history.first_correction, history.second_correction))


def install_app(production: Production) -> None:
    """Clone the application and add what git does not keep: settings, framework, storage, an empty database."""
    app = production.app_path
    git(production.folder, "clone", "--quiet", str(production.git_remote), str(app))
    shutil.copytree(HERE / "app" / "vendor", app / "vendor")
    autoload = app / "vendor" / "autoload.php"
    autoload.write_text(with_framework(autoload.read_text(encoding="utf-8")), encoding="utf-8")
    for name in STORAGE:
        (app / "storage" / name).mkdir(parents=True)
    (app / "bootstrap" / "cache").mkdir()
    write_env(production)
    write_old_log(production)
    if production.server is None:
        production.database_path.touch()


def write_env(production: Production) -> None:
    """Write the application's first `.env`. *Changes* that file."""
    path = production.app_path / ".env"
    names = "\n".join(f"{name}=" for name in production.engine.settings(production))
    text = (HERE / "app" / "env").read_text(encoding="utf-8").replace("@DATABASE@", names)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    set_places_in_env(production)


def set_places_in_env(production: Production) -> None:
    """Set in `.env` where the application stands now, and leave every other line as it is. *Changes* that file."""
    path = production.app_path / ".env"
    places = {"APP_URL": production.url, **production.engine.settings(production)}
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        f"{name}={places.get(name, value)}" if mark else line
        for line, name, mark, value in split_lines(lines)
    ]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


def split_lines(lines: list[str]) -> list[tuple[str, str, str, str]]:
    """Return each line of an `.env` as a whole and as name, equals sign and value."""
    return [(line, *line.partition("=")) for line in lines]


def write_old_log(production: Production) -> None:
    """Write a log as an application has after some years: an old error of many lines, and a notice. *Changes* it."""
    trace = "\n".join(f"#{n} [internal function]: App\\Jobs\\MakeThumbnail->handle()" for n in range(62))
    text = (
        "[2025-11-02 03:12:44] production.ERROR: no memory "
        f'{{"exception":"[object] (RuntimeException(code: 0): no memory)\n[stacktrace]\n{trace}\n"}} \n'
        "[2025-11-03 09:00:01] production.INFO: Thumbnails made again.  \n"
    )
    (production.app_path / "storage" / "logs" / "laravel.log").write_text(text, encoding="utf-8")


def write_deploy_script(production: Production) -> None:
    """Write the deploy script for where the application stands now. *Changes* that file."""
    text = (HERE / "deploy.sh").read_text(encoding="utf-8")
    text = text.replace("@BACKUP@\n", production.engine.backup_lines)
    text = text.replace("@APP@", shlex.quote(str(production.app_path)))
    text = text.replace("@BACKUPS@", shlex.quote(str(production.backups_path)))
    production.deploy_script.write_text(text, encoding="utf-8")
    production.deploy_script.chmod(0o700)


def environment(production: Production) -> dict[str, str]:
    """Return the environment of a login on this production."""
    own = {"PATH": os.environ["PATH"], "HOME": str(production.home_path), "LC_ALL": "C.UTF-8"}
    return own | php_environment()


def artisan(production: Production, *arguments: str) -> str:
    """Return what an artisan command prints. *Raises* RuntimeError with its output when it fails."""
    return shell(production, ["php", "artisan", *arguments])


def deploy(production: Production) -> str:
    """Run the deploy script, as a person would. *Raises* RuntimeError with its output when it fails."""
    return shell(production, ["sh", str(production.deploy_script)])


def shell(production: Production, command: list[str]) -> str:
    """Return what a command prints, run in the application's folder."""
    done = subprocess.run(
        command,
        cwd=production.app_path,
        env=environment(production),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{command} ended with {done.returncode}: {done.stdout[-800:]} {done.stderr[-800:]}"
        )
    return done.stdout


def session(production: Production) -> Session:
    """Return a new connection to the live database."""
    return production.engine.session(production)


def with_database(production: Production, seed: Callable[[Session, int], None]) -> None:
    """Run a seeding function on the live database. *Changes* the rows it says."""
    with closing(session(production)) as database:
        seed(database, production.photos)


def captions(database: Path) -> dict[int, str | None]:
    """Return the captions by photo id of a database from before the conversion."""
    connection = sqlite3.connect(database)
    found: dict[int, str | None] = dict(connection.execute("select id, caption from photos"))
    connection.close()
    return found


def start(folder: Path) -> Production:
    """Start server, sshd and web front where they do not run yet, and return the production. *Changes* its files.

    The ports of an earlier start are taken again, so that settings which name them stay right.
    """
    production = load(folder)
    if len(production.pids) > 1 and all(is_alive(process) for process in production.pids):
        return production
    stop(folder)
    production = start_database(load(folder))
    port = production.ssh_port or free_port()
    sshd = start_sshd(production.user_key_path.parent, production.home_path, port)
    web_port = int(production.url.rpartition(":")[2]) if production.url else free_port()
    web = start_web_front(production.app_path, production.folder, web_port)
    pids = (*production.pids, sshd, web)
    started = replace(production, ssh_port=port, url=f"http://127.0.0.1:{web_port}", pids=pids)
    write_known_hosts(production.user_key_path.parent, port)
    set_places_in_env(started)
    started.save()
    return started


def stop(folder: Path) -> None:
    """End the production's own programs, known by pid and start time. *Changes*: `production.json`."""
    production = load(folder)
    for process in production.pids:
        if process.name not in SERVERS:
            end_process(process)
    stop_server(production)
    replace(production, pids=()).save()


def stop_server(production: Production) -> None:
    """End the production's database server in order, if it runs. *Changes*: ends it, removes its socket."""
    for process in production.pids:
        if process.name in SERVERS:
            production.engine.stop(process)
    if production.server is not None and production.server.socket:
        socket = Path(production.server.socket)
        remove(socket if production.server.driver == "pgsql" else socket.parent)


@contextmanager
def server_at_rest(folder: Path) -> Iterator[Production]:
    """Give the production with its database server ended; one that ran is started again, on its port, afterwards.

    *Changes*: `production.json`; a server's socket stands in another place then.
    """
    production = load(folder)
    servers = tuple(process for process in production.pids if process.name in SERVERS)
    if not any(is_alive(process) for process in servers):
        yield production
        return
    stop_server(production)
    try:
        yield production
    finally:
        others = tuple(process for process in production.pids if process not in servers)
        place, processes = production.engine.start(production)
        replace(production, server=place, pids=(*processes, *others)).save()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.site.production", description=__doc__.splitlines()[0]
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("build", "start", "stop"):
        one = verbs.add_parser(verb)
        one.add_argument("folder", type=Path)
        one.add_argument("--json", action="store_true", help="print production.json")
    verbs.choices["build"].add_argument("--photos", type=int, default=50_000)
    verbs.choices["build"].add_argument("--migration", choices=("bad", "correct", "none"), default="bad")
    verbs.choices["build"].add_argument("--database", choices=sorted(ENGINES), default="sqlite")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "build":
        migration, database = chosen.migration, chosen.database
        build(chosen.folder, photos=chosen.photos, migration=migration, database=database)
    elif chosen.verb == "start":
        start(chosen.folder)
    else:
        stop(chosen.folder)
    production = load(chosen.folder)
    state = "running" if production.pids else "stopped"
    text = (chosen.folder / "production.json").read_text(encoding="utf-8")
    print(
        text
        if chosen.json
        else f"{state}: {production.url} · ssh {production.ssh_host}:{production.ssh_port}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
