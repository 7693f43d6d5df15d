"""The settings file: right ones are read, wrong ones are told apart by key, in plain words."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from bot.laravel.git import fetch_command
from bot.model.errors import SettingsError
from bot.settings import Settings, load_settings, token_hash
from bot.tokens import make_token, read_tokens

GOOD = """\
[web]
port = 8765

[[people]]
name = "Anna"
ids = { web = "anna" }
sites = ["shop"]
may_respond = true

[[people]]
name = "Boris"
sites = ["shop"]

[sites.shop]
app_path = "/srv/shop/"
url = "https://shop.example/"
backups = ["/backups"]

[sites.shop.ssh]
address = "host.example"
user = "deploy"
known_hosts = "known_hosts"
"""


def write(folder: Path, text: str = GOOD) -> Path:
    path = folder / "backout.toml"
    path.write_text(text)
    return path


def fault(folder: Path, old: str, new: str) -> str:
    assert old in GOOD
    path = write(folder, GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def good(folder: Path) -> Settings:
    return load_settings(write(folder))


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    """What is not said has a safe default: loopback only, one approval, half an hour of watch, nobody may approve."""
    settings = good(tmp_path)
    site = settings.sites["shop"]
    assert settings.web.host == "127.0.0.1"
    assert (site.approvals, site.intervals.watch, site.size_limit_bytes) == (1, 1800, 1_000_000_000)
    assert [p.may_approve for p in settings.persons()] == [False, False]


def test_ends_of_paths_and_addresses_are_trimmed(tmp_path: Path) -> None:
    """A slash at the end of the application's path or address makes no difference."""
    site = good(tmp_path).sites["shop"]
    assert (site.app_path, site.url) == ("/srv/shop", "https://shop.example")


def test_relative_paths_begin_at_the_file(tmp_path: Path) -> None:
    """A relative path in the file starts at the file's folder, from wherever the bot is started."""
    settings = good(tmp_path)
    assert settings.path(settings.store.path) == tmp_path.resolve() / "backout.db"
    assert settings.path(settings.sites["shop"].ssh.known_hosts) == tmp_path.resolve() / "known_hosts"
    assert settings.path(Path("/etc/hosts")) == Path("/etc/hosts")
    assert settings.path(Path("~/x")) == Path.home().resolve() / "x"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("port = 8765", "prot = 8765", "web.prot"),
        ("port = 8765", 'port = "many"', "web.port"),
        ("port = 8765", "port = 70000", "web.port"),
        ("may_respond = true", "may_delete = true", "people.0.may_delete"),
        ("may_respond = true", 'may_respond = "perhaps"', "people.0.may_respond"),
        ('name = "Boris"', "nom = 'Boris'", "people.1.name"),
        ('app_path = "/srv/shop/"', 'app_path = "srv/shop"', "sites.shop.app_path"),
        ('url = "https://shop.example/"', 'url = "shop.example"', "sites.shop.url"),
        ('backups = ["/backups"]', 'backups = "/backups"', "sites.shop.backups"),
        ('backups = ["/backups"]', 'backups = ["/backups"]\napprovals = 3', "sites.shop.approvals"),
        (
            'backups = ["/backups"]',
            'backups = ["/b"]\nintervals = { watch = 0 }',
            "sites.shop.intervals.watch",
        ),
        ('user = "deploy"', "", "sites.shop.ssh.user"),
        ('known_hosts = "known_hosts"', "", "sites.shop.ssh.known_hosts"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    """Each wrong, unknown or missing key is named with its whole path, and nothing is started."""
    said = fault(tmp_path, old, new)
    assert f"  {key}: " in said
    assert "nothing was started" in said


def test_an_unknown_and_a_missing_key_are_told_in_words(tmp_path: Path) -> None:
    """A key that does not exist and one that is not there are told as such, not in a library's words."""
    assert "web.prot: there is no such setting" in fault(tmp_path, "port = 8765", "prot = 8765")
    assert "ssh.known_hosts: this setting is missing" in fault(tmp_path, 'known_hosts = "known_hosts"', "")


def test_the_value_of_a_wrong_key_is_not_repeated(tmp_path: Path) -> None:
    """What stands in the file is not printed: it may be a secret in the wrong place."""
    assert "hunter2" not in fault(tmp_path, "port = 8765", 'port = "hunter2"')


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """A file with three faults is told of all three."""
    text = GOOD.replace("port = 8765", "prot = 1").replace("/srv/shop/", "srv").replace("https://", "")
    with pytest.raises(SettingsError, match="3 fault"):
        load_settings(write(tmp_path, text))


def test_a_person_of_an_unknown_site_is_refused(tmp_path: Path) -> None:
    """A misspelt site in a person's list is told with the person and the sites there are."""
    said = fault(tmp_path, 'sites = ["shop"]', 'sites = ["shpo"]')
    assert "shpo" in said
    assert "Anna" in said
    assert "shop" in said


def test_two_people_of_one_name_are_refused(tmp_path: Path) -> None:
    """Votes belong to names, so a name stands for one person."""
    assert "Anna" in fault(tmp_path, 'name = "Boris"', 'name = "Anna"')


def test_one_account_for_two_people_is_refused(tmp_path: Path) -> None:
    """One account is one person; otherwise nobody could tell who approved."""
    said = fault(tmp_path, 'name = "Boris"', 'name = "Boris"\nids = { web = "anna" }')
    assert "anna" in said


def test_a_contact_who_is_nobody_is_refused(tmp_path: Path) -> None:
    """A contact's `person` is one of the people; a misspelt one is told before the night it is needed."""
    said = fault(
        tmp_path,
        "[sites.shop.ssh]",
        '[[sites.shop.contacts]]\nname = "D"\nperson = "Dora"\n\n[sites.shop.ssh]',
    )
    assert "Dora" in said


@pytest.mark.parametrize("name", ["../shop", "a/b", "", ".."])
def test_a_site_name_is_a_plain_name(tmp_path: Path, name: str) -> None:
    """A site's name becomes a folder on the host, so it is refused where it is none."""
    text = GOOD.replace("sites.shop", f'sites."{name}"').replace('["shop"]', f'["{name}"]')
    with pytest.raises(SettingsError):
        load_settings(write(tmp_path, text))


def test_no_file_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Where there is no settings file, its path and the way out are said."""
    with pytest.raises(SettingsError, match=r"no settings file .*backout\.toml.*--settings"):
        load_settings(tmp_path / "backout.toml")


@pytest.mark.parametrize("content", [b"[web\n", b"port = \xff", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, content: bytes) -> None:
    """A damaged file is told as such, without a traceback."""
    (tmp_path / "backout.toml").write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "backout.toml")


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    """A path that is a folder is told as unreadable."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


@pytest.mark.parametrize("lacking", ["people", "sites"])
def test_a_file_without_people_or_sites_is_refused(tmp_path: Path, lacking: str) -> None:
    """Without people or without sites there is nothing to do, and the key that lacks is named."""
    texts = {"people": "[sites]\n", "sites": "people = []\n"}
    with pytest.raises(SettingsError, match=lacking):
        load_settings(write(tmp_path, texts[lacking]))


# -- console tokens


def tokens_path(folder: Path) -> Path:
    return folder / "tokens.json"


def test_a_token_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    """The file holds the hash of a token and its account, never the token."""
    settings = good(tmp_path)
    token = make_token(settings, "Anna")
    assert json.loads(tokens_path(tmp_path).read_text()) == {token_hash(token): "anna"}
    assert token not in tokens_path(tmp_path).read_text()
    assert len(token) >= 40


def test_the_tokens_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the umask is, nobody else may read or write the tokens."""
    before = os.umask(0)
    try:
        make_token(good(tmp_path), "Anna")
    finally:
        os.umask(before)
    assert stat.S_IMODE(tokens_path(tmp_path).stat().st_mode) == 0o600


def test_a_left_over_part_file_opens_nothing(tmp_path: Path) -> None:
    """A part left by a crash with open rights does not pass these rights on."""
    part = tmp_path / "tokens.json.part"
    part.write_text("")
    part.chmod(0o666)
    make_token(good(tmp_path), "Anna")
    assert stat.S_IMODE(tokens_path(tmp_path).stat().st_mode) == 0o600


def test_a_new_token_replaces_the_old_one(tmp_path: Path) -> None:
    """A person has one token; the one before stops working, and other people's stay."""
    path = write(tmp_path, GOOD.replace('name = "Boris"', 'name = "Boris"\nids = { web = "boris" }'))
    settings = load_settings(path)
    first, other, second = (make_token(settings, name) for name in ("Anna", "Boris", "Anna"))
    known = read_tokens(settings)
    assert known == {token_hash(second): "anna", token_hash(other): "boris"}
    assert token_hash(first) not in known


@pytest.mark.parametrize("name", ["Nobody", "Boris", "anna", ""])
def test_only_people_with_a_web_account_get_a_token(tmp_path: Path, name: str) -> None:
    """A stranger, or a person without a web account, gets none; who could is said."""
    settings = good(tmp_path)
    with pytest.raises(SettingsError, match=r"With one: Anna\. No token was made\."):
        make_token(settings, name)
    assert not tokens_path(tmp_path).exists()


def test_no_tokens_file_is_no_token(tmp_path: Path) -> None:
    """Before the first token there is none, and that is no fault."""
    assert read_tokens(good(tmp_path)) == {}


@pytest.mark.parametrize("content", ["{", "[]", '"text"', "\x00"])
def test_a_damaged_tokens_file_is_told(tmp_path: Path, content: str) -> None:
    """A damaged file opens nothing and is told with the remedy."""
    settings = good(tmp_path)
    tokens_path(tmp_path).write_text(content)
    with pytest.raises(SettingsError, match="backout token NAME"):
        read_tokens(settings)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A key of [slack], [web] or [store] may be given as BACKOUT_PART__KEY, and a part may come from there alone."""
    given = {
        "BACKOUT_SLACK__API_URL": "http://127.0.0.1:9/api",
        "BACKOUT_SLACK__HTTP_PORT": "3001",
        "BACKOUT_SLACK__EDIT_INTERVAL": "0.5",
        "BACKOUT_WEB__PORT": "9000",
        "BACKOUT_WEB__ALLOWED_HOSTS": "a.example,b.example",
        "BACKOUT_SETTINGS": "elsewhere.toml",
    }
    settings = load_settings(write(tmp_path), given)
    assert settings.slack is not None
    assert (settings.slack.api_url, settings.slack.http_port) == ("http://127.0.0.1:9/api/", 3001)
    assert settings.slack.edit_interval == 0.5
    assert (settings.web.port, settings.web.allowed_hosts) == (9000, ("a.example", "b.example"))
    assert load_settings(write(tmp_path), {}).slack is None


def test_discord_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    """Its keys are BACKOUT_DISCORD__KEY; without the server's id there is no Discord."""
    given = {
        "BACKOUT_DISCORD__API_URL": "http://127.0.0.1:9/api/v10/",
        "BACKOUT_DISCORD__GATEWAY_URL": "ws://127.0.0.1:9/gateway",
        "BACKOUT_DISCORD__GUILD_ID": "1100000000000000010",
        "BACKOUT_DISCORD__RETRY_INTERVAL": "0.5",
    }
    discord = load_settings(write(tmp_path), given).discord
    assert discord is not None
    assert (discord.api_url, discord.guild_id) == ("http://127.0.0.1:9/api/v10", "1100000000000000010")
    assert discord.retry_interval == 0.5
    assert load_settings(write(tmp_path), {}).discord is None
    with pytest.raises(SettingsError, match=r"discord\.guild_id"):
        load_settings(write(tmp_path), {"BACKOUT_DISCORD__CATEGORY": "Incidents"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKOUT_DISCORD__GUILD_ID", "our server"),
        ("BACKOUT_DISCORD__GATEWAY_URL", "https://x"),
        ("BACKOUT_SLACK__MOOD", "x"),
        ("BACKOUT_SLACK__MODE", "carrier pigeon"),
        ("BACKOUT_WEB__PORT", "high"),
    ],
)
def test_a_wrong_key_of_the_environment_is_told_like_one_of_the_file(
    tmp_path: Path, name: str, value: str
) -> None:
    """What the environment gives is checked as the file is."""
    with pytest.raises(SettingsError, match=name.removeprefix("BACKOUT_").replace("__", ".").lower()):
        load_settings(write(tmp_path), {name: value})


@pytest.mark.parametrize("name", ["-x", "a..b", "a b", "https://git.example/shop", "x.lock", ""])
def test_a_branch_or_remote_that_git_cannot_have_is_refused(name: str, tmp_path: Path) -> None:
    """What git would read as something else is found when the settings are read, and not in the middle of an incident."""
    place = 'app_path = "/srv/shop/"'
    assert "sites.shop.branch" in fault(tmp_path, place, f'{place}\nbranch = "{name}"')
    assert "sites.shop.remote" in fault(tmp_path, place, f'{place}\nremote = "{name}"')


@pytest.mark.parametrize("name", ["release/1.2+hotfix", "fix/#123", "größer", "a@b", "v2.x"])
def test_branches_are_named_as_people_name_them(name: str, tmp_path: Path) -> None:
    """Signs that git allows and nobody can misread are taken, and git gets them as they are."""
    place = 'app_path = "/srv/shop/"'
    settings = load_settings(write(tmp_path, GOOD.replace(place, f'{place}\nbranch = "{name}"')))
    branch = settings.sites["shop"].branch
    assert (
        fetch_command("/srv", "origin", branch).argv[-1] == f"+refs/heads/{name}:refs/remotes/origin/{name}"
    )


def test_one_production_under_two_names_is_refused(tmp_path: Path) -> None:
    """The lock that keeps two changes of a site apart is a site's, so a production has one name."""
    site = (
        GOOD[GOOD.index("[sites.shop]") :]
        .replace("sites.shop", "sites.store")
        .replace("/srv/shop/", "/srv/shop")
    )
    path = write(tmp_path, GOOD + site)
    with pytest.raises(SettingsError, match="as shop and as store"):
        load_settings(path)
    assert len(load_settings(write(tmp_path, GOOD + site.replace("/srv/shop", "/srv/store"))).sites) == 2
