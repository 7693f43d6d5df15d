"""Console tokens: one for each person, of which only the SHA-256 is kept."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from bot.model.errors import SettingsError
from bot.settings import Settings, token_hash


def read_tokens(settings: Settings) -> dict[str, str]:
    """Return the known tokens: SHA-256 of a token to the web account it stands for; empty where none was made."""
    path = settings.path(settings.web.tokens_file)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the tokens file {path} cannot be read: {error}. Make new tokens: backout token NAME"
        ) from error
    if not isinstance(data, dict):
        raise SettingsError(
            f"the tokens file {path} holds no list of tokens. Make new tokens: backout token NAME"
        )
    return {str(key): str(account) for key, account in data.items()}


def make_token(settings: Settings, name: str) -> str:
    """Make a new token for a person and return it, this once; an older one of theirs stops working.

    *Changes*: the tokens file (mode 0600). *Raises* SettingsError when no such person has a web account.
    """
    person = next((p for p in settings.people if p.name == name), None)
    if person is None or "web" not in person.ids:
        known = ", ".join(p.name for p in settings.people if "web" in p.ids) or "none"
        raise SettingsError(
            f"{name} has no web account in the settings (people, ids.web). With one: {known}. No token was made."
        )
    account = person.ids["web"]
    token = secrets.token_urlsafe(32)
    kept = {key: value for key, value in read_tokens(settings).items() if value != account}
    _write(settings.path(settings.web.tokens_file), {**kept, token_hash(token): account})
    return token


def _write(path: Path, tokens: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # one that a crash left over may be open to others
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(tokens, file, indent=1)
    part.replace(path)
