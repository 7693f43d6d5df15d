"""Writes the settings of a bot that looks after one production of this folder, with two people and a DBA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.site.production import Production

RESPONDER, APPROVER, READER = "Anna", "Boris", "Clara"

_TEMPLATE = """\
[store]
path = "records/backout.db"

[reports]
pdf = {pdf}

[web]
port = {port}
tokens_file = "records/tokens.json"

{platforms}
[[people]]
name = "{responder}"
ids = {{ web = "anna"{anna} }}
sites = ["album"]
may_respond = true
may_approve = true

[[people]]
name = "{approver}"
ids = {{ web = "boris"{boris} }}
sites = ["album"]
may_respond = true
may_approve = true

[[people]]
name = "{reader}"
ids = {{ web = "clara"{clara} }}
sites = ["album"]

[sites.album]
app_path = "{p.app_path}"
url = "{p.url}"
backups = ["{p.backups_path}"]
deploy_script = "{p.deploy_script}"
branch = "{p.branch}"
approvals = {approvals}
smoke_paths = ["/", "/photos/{first_photo}"]
manual_checks = [{manual}]
users_affected = "select count(distinct user_id) from photos"

[sites.album.ssh]
address = "{p.ssh_host}"
port = {p.ssh_port}
user = "{p.ssh_user}"
key = "{p.user_key_path}"
known_hosts = "{p.known_hosts_path}"

# Captions typed since the migration stand in posts; they go back to the photo that hangs on the post.
[[sites.album.mappings]]
from_table = "posts"
to_table = "photos"
join = {{ post_id = "id" }}
columns = {{ caption = "caption" }}
derived = ["display_date", "created_at", "updated_at"]

[[sites.album.checks]]
name = "every photo hangs on a post"
preset = "all_linked"
table = "photos"
column = "post_id"

[[sites.album.checks]]
name = "no post without a photo"
preset = "no_childless"
table = "posts"
other_table = "photos"
other_column = "post_id"

[[sites.album.checks]]
name = "captions are kept"
preset = "kept"
table = "posts"
column = "caption"
other_table = "photos"

[[sites.album.checks]]
name = "as many posts as photos"
sql = "select count(*) from posts"
equals_sql = "select count(*) from photos"

[[sites.album.contacts]]
name = "Dora"
role = "Database Administrator"
{dba}phone = "+49 30 0000"
email = "dora@example.org"

# A stage of an incident is played once, and used by all the tests of a long run.
[sites.album.intervals]
approval_expiry = 14400
freeze_samples = {samples}
page_again = 300
watch = {watch}
watch_step = {watch_step}
"""


def write_settings(
    production: Production,
    folder: Path,
    *,
    port: int,
    samples_s: float = 1.0,
    watch_s: float = 4.0,
    watch_step_s: float = 1.0,
    manual: tuple[str, ...] = ("the newest photos are shown",),
    first_photo: int | None = None,
    platforms: str = "",
    accounts: Mapping[str, Mapping[str, str]] | None = None,
    approvals: int = 1,
    pdf: bool = False,
) -> Path:
    """Write the settings file into `folder` and return its path. The watch is shortened, and the incident says so.

    With `pdf` the report of a closed incident is drawn as one too, which takes seconds.

    `platforms` are the parts of the settings for chat platforms, `accounts` the people's accounts there, by platform and name;
    Boris is the DBA's person then.
    """
    ids = {
        name.lower(): "".join(
            f', {platform} = "{known[name]}"' for platform, known in (accounts or {}).items()
        )
        for name in (RESPONDER, APPROVER, READER)
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "backout.toml"
    path.write_text(
        _TEMPLATE.format(
            p=production,
            port=port,
            samples=samples_s,
            watch=watch_s,
            watch_step=watch_step_s,
            responder=RESPONDER,
            approver=APPROVER,
            reader=READER,
            manual=", ".join(f'"{item}"' for item in manual),
            first_photo=first_photo or 1,
            platforms=platforms,
            dba=f'person = "{APPROVER}"\n' if accounts else "",
            approvals=approvals,
            pdf=str(pdf).lower(),
            **ids,
        ),
        encoding="utf-8",
    )
    return path
