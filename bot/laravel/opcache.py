"""Whether the web server's PHP may go on with code that was compiled before a change: its OPcache, as it is configured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.answer import parse_answer, script_command
from bot.ports.host import Command

_WHAT = "the look at PHP's OPcache"
NOT_KNOWN = "not known: where visitors get the old code, reload the web server's PHP"


@dataclass(frozen=True, kw_only=True)
class Opcache:
    """The OPcache of one kind of PHP (`fpm`, `apache2`). `looks`: it looks every `every_s` seconds whether files changed."""

    kind: str
    on: bool
    looks: bool
    every_s: int


def opcache_command(app_path: str, loaded: str | None = None, php: str = "php") -> Command:
    """Return the command that reads how the web server's PHP keeps compiled code. Reads only.

    `loaded` is the command line's `php.ini` where it is not to be asked for. The command line's own OPcache tells nothing: on
    Debian each kind of PHP has its own files.
    """
    return script_command(
        names=("boot", "opcache"),
        request={} if loaded is None else {"loaded": loaded},
        app_path=app_path,
        label="opcache",
        php=php,
        timeout=timedelta(seconds=30),
    )


def parse_opcache(stdout: str) -> tuple[Opcache, ...]:
    """Return what was found, empty where no configuration is known. *Raises* FailedError where the answer is damaged."""
    return tuple(
        Opcache(
            kind=one.text("kind"), on=one.flag("on"), looks=one.flag("looks"), every_s=one.whole("every_s")
        )
        for one in parse_answer(stdout, _WHAT).parts("opcache")
    )


def opcache_words(found: tuple[Opcache, ...]) -> str:
    """Return what people have to know, and to do, about compiled code after a change of code."""
    return "; ".join(_words(one) for one in found) or NOT_KNOWN


def _words(one: Opcache) -> str:
    if not one.on:
        return f"{one.kind}: off"
    if one.looks:
        return f"{one.kind}: on, sees changed files after {one.every_s} s by itself"
    return (
        f"{one.kind}: on, and it NEVER looks whether files changed (opcache.validate_timestamps = 0): "
        "reload it by hand, else visitors get the old code"
    )
