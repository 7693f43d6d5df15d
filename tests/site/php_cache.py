"""PHP keeps what it compiled of the framework between the programs of the tests: each then starts in two thirds of the time.

It is the opcache's file cache, as a host may have it. What lies below the tests' own folders is never kept: their
applications are changed within seconds, and so are as on a host without it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

VARIABLE = "PHP_INI_SCAN_DIR"
_SETTINGS = """\
opcache.enable_cli=1
opcache.file_cache={folder}/kept
opcache.file_cache_only=1
opcache.file_cache_consistency_checks=0
opcache.blacklist_filename={folder}/apart
"""


def use_php_cache() -> None:
    """Let each PHP program that is started from here, or on a host of the tests, use it. *Changes*: the environment, one folder.

    *Source*: the PHP manual, "Scan directories" (an empty name is the folder compiled in) and "OPcache configuration".
    """
    folder = Path(tempfile.gettempdir()).resolve() / f"backout-tests-php-{os.getuid()}"
    (folder / "kept").mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} is another user's: remove it, or set TMPDIR")
    _write(folder / "cache.ini", _SETTINGS.format(folder=folder))
    _write(folder / "apart", f"{folder.parent}/\n")
    os.environ[VARIABLE] = f":{folder}"


def php_environment() -> dict[str, str]:
    """Return what a host's login has of it: nothing outside the tests."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def _write(path: Path, text: str) -> None:
    """Write a file that other processes of the tests read, and write, at the same time."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).rename(path)
