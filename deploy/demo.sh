#!/bin/sh
# A whole incident on one machine, on loopback: a real Laravel site is built, loses data, and Backout gets it back.
#
#   sh deploy/demo.sh                    build the site and start the bot; play the incident yourself in the console
#   sh deploy/demo.sh --play             play it through the JSON API; exit status 0 only when the oracle agrees
#   sh deploy/demo.sh --play --slack     play it in Slack, on a stand-in of Slack, and print the incident's channel
#   sh deploy/demo.sh --play --discord   the same in Discord
#   sh deploy/demo.sh --compare          play the runbook by hand on a copy first, and show both results
#
#   --database ENGINE   sqlite (where nothing is said), mariadb or postgresql; a server is started for the site alone
#   --photos N     rows of the site (50,000)        --port N       port of the console (a free one)
#   --fault NAME   put in a fault; it must be noticed, and the exit status is not 0:
#                  cut-backup, wrong-target, writer, lost-comment
#
# All of it lies below .demo in the repository; a demo that lies there is ended and replaced.
# Debian 12, as root or with sudo: packages that are missing are installed. Elsewhere it says what to install, and stops.
set -eu
repo=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
case " $* " in
*' --help '* | *' -h '*)
    sed -n '2,/^set -eu$/ { /^set -eu$/!s/^# \{0,1\}//p; }' "$0"
    exit 0
    ;;
esac
. "$repo/deploy/prepare.sh"
engine=sqlite said=
for word; do
    case $said in --database) engine=$word ;; esac
    case $word in --database=*) engine=${word#*=} ;; esac
    said=$word
done
# shellcheck disable=SC2154 # the names come from prepare.sh
case $engine in
sqlite) engine_packages=$sqlite_packages ;;
mariadb) engine_packages=$mariadb_packages ;;
postgresql) engine_packages=$postgresql_packages ;;
*) stop "--database is sqlite, mariadb or postgresql, not $engine. Nothing was installed." ;;
esac
# shellcheck disable=SC2086,SC2154 # one word for each package; the names come from prepare.sh
need_packages $demo_packages $engine_packages
need_venv
cd "$repo"
exec "$python" -m tests.site.demo --folder "$repo/.demo" "$@"
