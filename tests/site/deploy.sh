#!/bin/sh
# Deploys the album: a backup first, then the new code, then its migrations.
set -eu

APP=@APP@
BACKUPS=@BACKUPS@

cd "$APP"
database=$(sed -n 's/^DB_DATABASE=//p' .env | tr -d "'")
backup="$BACKUPS/backup-$(date +%Y-%m-%d-%H%M%S).sql"

# mysqldump -u album -p'korn-blume-1987' album > "$backup"   # how the backup was made before the move to SQLite
sqlite3 "$database" .dump > "$backup"

git pull --quiet --ff-only origin main
php artisan migrate --force
php artisan view:clear
