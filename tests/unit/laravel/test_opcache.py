"""The web server's OPcache, read from real configuration files by a real PHP."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.laravel.opcache import NOT_KNOWN, Opcache, opcache_command, opcache_words, parse_opcache
from bot.model.errors import FailedError
from bot.ports.host import Command


def run(command: Command, folder: Path) -> str:
    done = subprocess.run(
        list(command.argv), input=str(command.stdin), cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def seen(folder: Path, files: dict[str, str]) -> tuple[Opcache, ...]:
    for name, text in {"cli/php.ini": "", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return parse_opcache(run(opcache_command(str(folder), loaded=str(folder / "cli/php.ini")), folder))


LOADED = {"fpm/php.ini": "[PHP]\n", "fpm/conf.d/10-opcache.ini": "zend_extension=opcache.so\n"}


def test_debians_usual_setting_sees_changes(tmp_path: Path) -> None:
    """FPM's own files count, not those of the command line, and the usual values hold where none is written."""
    (fpm,) = seen(tmp_path, {**LOADED, "cli/conf.d/10-opcache.ini": "opcache.validate_timestamps=0\n"})
    assert fpm == Opcache(kind="fpm", on=True, looks=True, every_s=2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fpm/php.ini", "[opcache]\nopcache.validate_timestamps = Off\n"),
        ("fpm/conf.d/99-own.ini", "opcache.validate_timestamps=0\n"),
        ("fpm/pool.d/www.conf", "[www]\nphp_admin_value[opcache.validate_timestamps] = 0\n"),
        ("fpm/pool.d/www.conf", "[www]\nphp_admin_flag[opcache.validate_timestamps] = off\n"),
    ],
)
def test_one_that_never_looks_is_told_to_be_reloaded(tmp_path: Path, name: str, text: str) -> None:
    """Wherever it is written that changed files are not looked for, people are told to reload PHP."""
    found = seen(tmp_path, {**LOADED, name: text})
    assert [one.looks for one in found] == [False]
    assert "NEVER looks whether files changed" in opcache_words(found)


def test_one_that_is_off_or_not_loaded_is_no_matter(tmp_path: Path) -> None:
    """Without the extension, or with it switched off, nothing has to be done."""
    assert [one.on for one in seen(tmp_path, {"apache2/php.ini": ""})] == [False]
    (_, fpm) = seen(tmp_path, {**LOADED, "fpm/conf.d/99-own.ini": "opcache.enable=0\n"})[::-1]
    assert opcache_words((fpm,)) == "fpm: off"


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    """Where no web server's PHP is configured beside the command line's, nothing is made up; a damaged answer is refused."""
    assert seen(tmp_path, {}) == ()
    assert opcache_words(()) == NOT_KNOWN
    with pytest.raises(FailedError):
        parse_opcache('BACKOUT1:{"opcache":[{"kind":"fpm","on":1}]}')
