#!/bin/sh
# The checks of this repository. Debian 12, as root or with sudo: packages that are missing are installed.
#
#   sh deploy/test.sh         style, types, and the suite on small data; at most 10 minutes on 2 cores
#   sh deploy/test.sh long    also the full demos and every test; at most 60 minutes
#
# The last line is pytest's own, unless a type is wrong. Exit status 0 only when nothing failed. With CI=true a skipped
# test is a failure.
set -eu
repo=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
case "$# ${1:-}" in
'0 ') chosen='not long' ;;
'1 long') chosen='long or not long' BACKOUT_TEST_EXAMPLES=all && export BACKOUT_TEST_EXAMPLES ;;
*)
    sed -n '2,/^set -eu$/ { /^set -eu$/!s/^# \{0,1\}//p; }' "$0"
    exit 2
    ;;
esac
. "$repo/deploy/prepare.sh"
# shellcheck disable=SC2086,SC2154 # one word for each package; the names come from prepare.sh
need_packages $test_packages
need_venv
cd "$repo"

step() { # COMMAND…: shows the command, and runs it.
    printf '== %s\n' "$*"
    "$@"
}

demo() { # NAME OPTION…: runs a demo, and shows the end of what it said.
    name=$1 log=.demo-long/$1.log
    shift
    printf '== demo %s\n' "$*"
    mkdir -p .demo-long
    "$python" -m tests.site.demo --folder ".demo-long/$name" "$@" >"$log" 2>&1 </dev/null || failed=$?
    tail -n 30 "$log"
    [ -z "${failed:-}" ] || exit "$failed"
}

# The types take one processor some time: they are checked beside all that follows, and told at the end where one is wrong.
mkdir -p .checks
printf '== %s -m mypy, beside the rest\n' "$python"
"$python" -m mypy >.checks/mypy 2>&1 &
types=$!
trap 'kill "$types" 2>/dev/null || :' EXIT
types_are_right() {
    wait "$types" || {
        cat .checks/mypy
        exit 1
    }
    trap - EXIT
}
step "$python" -m ruff check .
step "$python" -m ruff format --check .
find deploy adapters tests .ci \( -name '*.sh' -o -path .ci/run \) -type f -exec shellcheck -x {} +
# Every process of the tests starts from compiled code, also where Python is told to write none by itself; so do the
# tests: all processes of pytest at once would each compile every file of them.
unset PYTHONDONTWRITEBYTECODE
step "$python" -m compileall -q bot commands adapters tests
"$python" -m pytest --collect-only -q -m "$chosen" >.checks/collected 2>&1 || {
    cat .checks/collected
    exit 1
}
if [ "$chosen" != 'not long' ]; then
    types_are_right
    # Two at once: each waits for its own host most of the time.
    (
        demo play --play
        demo mariadb --compare --database mariadb
    ) >.checks/demos 2>&1 &
    others=$!
    trap 'kill "$others" 2>/dev/null || :' EXIT
    demo compare --compare
    demo postgresql --compare --database postgresql
    wait "$others" || failed=$?
    trap - EXIT
    cat .checks/demos
    [ -z "${failed:-}" ] || exit "$failed"
fi
# Five at once, as each waits much of its time; each group of tests/conftest.py as a whole: what it has built is used by all of it.
# How long each test took is in .tests.xml afterwards.
tests=0
step "$python" -m pytest -m "$chosen" --numprocesses 5 --dist loadfile --no-loadscope-reorder --junitxml .tests.xml || tests=$?
[ "$chosen" != 'not long' ] || types_are_right
exit "$tests"
