#!/bin/sh
# Deploys the album: a backup first, then the new code, then its migrations.
set -eu

APP=@APP@
# shellcheck disable=SC2034 # the lines that take the backup use it
BACKUPS=@BACKUPS@

cd "$APP"
@BACKUP@

git pull --quiet --ff-only origin main
php artisan migrate --force
php artisan view:clear
