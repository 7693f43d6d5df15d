"""The tests' sites run on the packages of an application at hand where BACKOUT_TEST_LARAVEL names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.framework import VARIABLE, framework_autoload
from tests.site.production import artisan, build

AT_HAND = """<?php
require_once 'Illuminate/autoload.php';
define('PACKAGES_AT_HAND', true);
spl_autoload_register(static function (string $class): void {
    if (strncmp($class, 'App\\\\', 4) === 0) {
        throw new RuntimeException("the application's own $class was loaded");
    }
});
"""


def test_the_sites_take_its_packages_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site is built, seeded and migrated on them; classes of App are the album's, settings and database too."""
    packages = tmp_path / "it's at hand" / "vendor"
    packages.mkdir(parents=True)
    (packages / "autoload.php").write_text(AT_HAND)
    monkeypatch.setenv(VARIABLE, str(packages.parent))
    site = build(tmp_path / "production", photos=400, run=False)
    asked = (site.app_path / "vendor" / "autoload.php").read_text()
    assert str(packages.parent).replace("'", "\\'") in asked
    assert "convert_photos_to_multi_photo_posts" in artisan(site, "migrate:status")


def test_without_it_debians_framework_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what an unset or empty variable means."""
    for value in (None, ""):
        monkeypatch.delenv(VARIABLE, raising=False) if value is None else monkeypatch.setenv(VARIABLE, value)
        assert framework_autoload() == "'Illuminate/autoload.php'"


def test_a_folder_without_packages_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run never goes on silently on another Laravel than the one that was named."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(
        SystemExit, match=r"there is no .*vendor/autoload.php: give the folder of a Laravel application"
    ):
        framework_autoload()
