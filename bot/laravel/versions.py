"""Which version of Laravel first had which option."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bot.model.errors import FailedError


@dataclass(frozen=True, kw_only=True, order=True)
class LaravelVersion:
    """A version of the framework; versions compare by age."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class Feature(enum.Enum):
    """An option or command that not every version has."""

    DOWN_BYPASS = "down --secret"
    DOWN_REFRESH = "down --refresh"
    DOWN_WITH_BYPASS = "down --with-secret"
    CACHE_MAINTENANCE_DRIVER = "maintenance driver cache"
    ABOUT_JSON = "about --json"
    DB_SHOW_JSON = "db:show --json"
    MIGRATE_CREATES_SQLITE_FILE = "migrate --force creates a missing SQLite file"
    MIGRATE_CREATES_DATABASE = "migrate --force creates a missing database"
    MIGRATE_ISOLATED = "migrate --isolated"
    STATUS_PENDING = "migrate:status --pending"
    ROLLBACK_BATCH = "migrate:rollback --batch"
    SCHEDULE_INTERRUPT = "schedule:interrupt"
    CONFIG_SHOW = "config:show"
    MIGRATE_GRACEFUL = "migrate --graceful"
    NATIVE_SQLITE_DROP_COLUMN = "dropColumn on SQLite without rebuilding the table"
    PROHIBITABLE_ROLLBACK = "DB::prohibitDestructiveCommands for rollback"
    MIGRATION_SHOULD_RUN = "Migration::shouldRun"
    QUEUE_PAUSE = "queue:pause"
    SCHEDULE_PAUSE = "schedule:pause"


def _version(text: str) -> LaravelVersion:
    major, minor, patch = (int(part) for part in text.split("."))
    return LaravelVersion(major=major, minor=minor, patch=patch)


# Source: the framework's own source at these versions.
FIRST_VERSION: Final[Mapping[Feature, LaravelVersion]] = MappingProxyType(
    {
        Feature.DOWN_BYPASS: _version("8.0.0"),
        Feature.DOWN_REFRESH: _version("8.42.0"),
        Feature.CACHE_MAINTENANCE_DRIVER: _version("9.0.0"),
        Feature.ABOUT_JSON: _version("9.21.0"),
        Feature.DB_SHOW_JSON: _version("9.24.0"),
        Feature.MIGRATE_CREATES_SQLITE_FILE: _version("9.27.0"),
        Feature.MIGRATE_CREATES_DATABASE: _version("9.31.0"),
        Feature.MIGRATE_ISOLATED: _version("9.38.0"),
        Feature.STATUS_PENDING: _version("9.52.0"),
        Feature.ROLLBACK_BATCH: _version("10.0.0"),
        Feature.SCHEDULE_INTERRUPT: _version("10.15.0"),
        Feature.CONFIG_SHOW: _version("10.17.0"),
        Feature.DOWN_WITH_BYPASS: _version("10.35.0"),
        Feature.NATIVE_SQLITE_DROP_COLUMN: _version("11.0.0"),
        Feature.MIGRATE_GRACEFUL: _version("11.0.2"),
        Feature.PROHIBITABLE_ROLLBACK: _version("11.39.0"),
        Feature.MIGRATION_SHOULD_RUN: _version("12.4.0"),
        Feature.QUEUE_PAUSE: _version("12.40.0"),
        Feature.SCHEDULE_PAUSE: _version("13.0.0"),
    }
)

_NUMBERS: Final = re.compile(r"(?:Laravel Framework )?v?(\d{1,3})\.(\d{1,4}|x)(?:\.(\d{1,4}|x))?(?:-dev)?")


def parse_version(text: str) -> LaravelVersion:
    """Return the version that `artisan --version` or the application names, such as '8.83.26' or '13.x-dev'.

    *Raises* FailedError where the text is no version.
    """
    found = _NUMBERS.fullmatch(text.strip())
    if found is None:
        raise FailedError(f"{text.strip()[:60]!r} is no version of Laravel; nothing was changed")
    major, minor, patch = (0 if part in (None, "x") else int(part) for part in found.groups())
    return LaravelVersion(major=major, minor=minor, patch=patch)


def supports(version: LaravelVersion, feature: Feature) -> bool:
    """Return True where that version has the option or command."""
    return version >= FIRST_VERSION[feature]
