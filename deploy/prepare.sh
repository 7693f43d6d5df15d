# Sourced by demo.sh and test.sh: the packages of the base system, and the virtual environment.
#
# Wants `repo`, the repository's absolute path. Gives `need_packages PACKAGE…` and `need_venv`, which sets `python`.
# Both change only what is missing. Where something is missing that cannot be installed here, they say exactly what,
# and stop with exit status 2.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # the lists are for those who source this, and `repo` comes from them

# The site's own, and what each engine's site needs beside it.
demo_packages='php-cli php-mbstring php-xml php-curl php-laravel-framework php-doctrine-dbal
    openssh-server git zstd python3-venv'
sqlite_packages='php-sqlite3 sqlite3'
mariadb_packages='php-mysql mariadb-server-core mariadb-client-core mariadb-client'
postgresql_packages='php-pgsql postgresql-15 postgresql-client-15'
test_packages="$demo_packages $sqlite_packages $mariadb_packages $postgresql_packages
    chromium chromium-driver fonts-dejavu-core fonts-droid-fallback shellcheck bzip2 zip openssl gpg gpg-agent util-linux"

# The same in every login: messages, sorting and files as the tests expect them.
LC_ALL=C.UTF-8
TZ=UTC
PIP_DISABLE_PIP_VERSION_CHECK=1
export LC_ALL TZ PIP_DISABLE_PIP_VERSION_CHECK
unset PYTHONPATH PYTHONHOME PYTEST_ADDOPTS CDPATH
umask 022

say() { printf '%s\n' "$*" >&2; }

stop() { # WHAT: what is missing, and nothing more is done.
    say "$@"
    exit 2
}

is_installed() { # PACKAGE
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() { # PACKAGE…: prints those that are not installed.
    for package in "$@"; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

need_packages() { # PACKAGE…
    command -v dpkg-query >/dev/null 2>&1 || stop "This is not Debian. Nothing was installed.
It runs on Debian 12 (a container will do), with: $*"
    missing=$(missing_of "$@")
    [ -n "$missing" ] || return 0
    how="As root, on Debian 12:  apt-get install --no-install-recommends $missing"
    is_debian_12 || stop "These packages are missing, and this is not Debian 12. Nothing was installed.
$how"
    as_root true || stop "These packages are missing, and you are not root here (nor is there a sudo that lets you). Nothing was installed.
$how"
    say "Installing: $missing"
    keep_public_sshd_off
    case " $missing" in *' postgresql-15 '*) keep_public_postgresql_off ;; esac
    # shellcheck disable=SC2086 # one word for each package is meant
    as_root env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get -qq update && apt-get -qq -y install --no-install-recommends "$@" </dev/null >/dev/null' sh $missing ||
        stop "apt-get did not install them (its own words are above). By hand:
$how"
}

is_debian_12() {
    command -v apt-get >/dev/null 2>&1 &&
        grep -qx 'ID="\{0,1\}debian"\{0,1\}' /etc/os-release && grep -qx 'VERSION_ID="\{0,1\}12"\{0,1\}' /etc/os-release
}

as_root() { # COMMAND…
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        # Without a terminal nobody can type a password: better no than waiting for ever.
        if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        return 1
    fi
}

# Only the program of openssh-server is wanted. Debian's own switch keeps its service from starting, now and at the
# next boot, on a machine that had no sshd before. Source: /etc/init.d/ssh and ssh.service of openssh-server 9.2.
keep_public_sshd_off() {
    if is_installed openssh-server || [ -e /etc/ssh/sshd_not_to_be_run ]; then return 0; fi
    as_root sh -c 'mkdir -p /etc/ssh && : >/etc/ssh/sshd_not_to_be_run' || stop "/etc/ssh cannot be written."
    say "Its own sshd is kept off by the file /etc/ssh/sshd_not_to_be_run; remove that file if you want a public one."
}

# Only PostgreSQL's programs are wanted: without a cluster its service has nothing to run. MariaDB's package
# mariadb-server-core has no service. Source: maintscripts-functions and the postinst of postgresql-common 248, by
# which a file that is there already is kept.
keep_public_postgresql_off() {
    settings=/etc/postgresql-common/createcluster.conf
    if grep -q '^ *create_main_cluster *= *false' "$settings" 2>/dev/null; then return 0; fi
    # shellcheck disable=SC2016 # the words are for the other shell
    as_root sh -c 'mkdir -p "${1%/*}" && echo "create_main_cluster = false" >>"$1"' sh "$settings" ||
        stop "$settings cannot be written."
    say "No PostgreSQL cluster of its own is made, by a line in $settings; remove that line if you want one."
}

is_python_3_11() { # PROGRAM
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

install_here() { # OPTION…
    "$python" -m pip install --quiet "$@" >&2 ||
        stop "pip did not install them (its own words are above). Once it can reach its packages, run this again."
}

# Two at once, each every other package, as unpacking and compiling keeps one processor busy. The lock file names every
# package that is needed, so that neither looks for what its own ones need; that none is missing is checked at the end.
install_locked() {
    failed=
    for half in 0 1; do
        awk -v half="$half" '/^[A-Za-z0-9]/ { number++ } number % 2 == half' "$repo/requirements.lock" >"$venv/half-$half.txt"
    done
    install_here --no-deps --require-hashes -r "$venv/half-0.txt" &
    other=$!
    (install_here --no-deps --require-hashes -r "$venv/half-1.txt") || failed=2
    wait "$other" || failed=2
    rm -f "$venv/half-0.txt" "$venv/half-1.txt"
    [ -z "$failed" ] || exit "$failed"
}

need_venv() {
    venv=$repo/.venv
    python=$venv/bin/python
    base=
    for candidate in python3 /usr/bin/python3; do
        if is_python_3_11 "$candidate"; then
            base=$candidate
            break
        fi
    done
    [ -n "$base" ] || stop "Python 3.11 or later is missing. Nothing was installed."
    # Stale: other libraries, another Python, or the folder was moved. The stamp goes first and comes last, so that an
    # installation that was broken off is done again.
    stamp=$({ cat "$repo/requirements.lock" "$repo/pyproject.toml" && "$base" -VV && printf '%s\n' "$repo"; } | sha256sum)
    if is_python_3_11 "$python" && [ "$(cat "$venv/installed-from" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    say "Installing the libraries of requirements.lock into $venv"
    rm -f "$venv/installed-from"
    is_python_3_11 "$python" || "$base" -m venv --clear "$venv" || stop "$base cannot make a virtual environment in $venv."
    install_locked
    install_here --no-deps --no-build-isolation --editable "$repo"
    "$python" -m pip check >&2 || stop "The lock file does not name all that is needed (see above)."
    printf '%s\n' "$stamp" >"$venv/installed-from"
}
