"""How the row reader on the host learns the application's own database credentials; the bot never runs this itself."""

from __future__ import annotations

from bot.laravel.answer import script_command
from bot.model.database import Access


def credentials_access(app_path: str, php: str = "php") -> Access:
    """Return the program that prints, on the host, how the application in `app_path` reaches its default database.

    It goes into a request of the row reader, which runs it there and reads the last line of its output:
    `BACKOUT1:{"credentials": {"driver", "host", "port", "unix_socket", "username", "password", "database", "charset",
    "prefix", "sslmode", "search_path", "sslcert", "sslkey", "sslrootcert"}}`, each a text or null. It must never be run
    over a link: its output is a secret. It holds none itself. Reads only.

    The settings are the application's own resolved ones: a cached configuration, an URL and the part for writing of a
    split connection count as they do for the application.
    """
    command = script_command(
        names=("boot", "credentials"),
        request={"app_path": app_path},
        app_path=None,
        label="credentials",
        php=php,
    )
    if not isinstance(command.stdin, str):
        raise TypeError("the script that asks for credentials is a plain text")
    return Access(argv=tuple(command.argv), stdin=command.stdin, env=dict(command.env))
