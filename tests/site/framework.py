"""Which Laravel the sites of the tests run on: Debian's, or that of the application that BACKOUT_TEST_LARAVEL names."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "BACKOUT_TEST_LARAVEL"
DEBIANS = "'Illuminate/autoload.php'"


def framework_autoload() -> str:
    """Return what a site's own autoloader requires first, as PHP.

    Of an application at hand only the packages are used, never its code, settings or database. *Raises* SystemExit where
    the variable names no application with its packages.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return DEBIANS
    autoload = Path(given).expanduser().resolve() / "vendor" / "autoload.php"
    if not autoload.is_file():
        raise SystemExit(
            f"{VARIABLE} names {given}, and there is no {autoload}: give the folder of a Laravel application after "
            "`composer install`, or unset it to run on Debian's Laravel."
        )
    quoted = str(autoload).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"


def with_framework(autoload_php: str) -> str:
    """Return the text of a site's vendor/autoload.php with the framework that is to be used."""
    if autoload_php.count(DEBIANS) != 1:
        raise ValueError("the site's autoloader requires Debian's framework in one place")
    return autoload_php.replace(DEBIANS, framework_autoload())
