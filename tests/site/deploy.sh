#!/bin/sh
# Deploys the album: a backup first, then the new code, then its migrations.
set -eu

APP=@APP@
# shellcheck disable=SC2034 # used by what stands in for @BACKUP@
BACKUPS=@BACKUPS@

cd "$APP"
@BACKUP@

git pull --quiet --ff-only origin main
php artisan migrate --force
php artisan view:clear
