#!/bin/sh
# Detached jobs of one site. A job has a key, a folder and a session of its own, and outlives the link that started it.
#
#   sh job.sh ROOT run  KEY COMMAND_BYTES INPUT_BYTES NICE [SECONDS]
#                                                            both on standard input, the command first; NICE is yes or
#                                                            no; with SECONDS a job that was started is then waited for
#   sh job.sh ROOT stat KEY                                  reads only
#   sh job.sh ROOT wait KEY SECONDS                          reads only; returns early when the job has ended
#   sh job.sh ROOT stop KEY                                  TERM, then KILL, to every process of the session; a job
#                                                            that was never started cannot be started any more
#   sh job.sh ROOT out  KEY STREAM OFFSET LIMIT              reads only; raw bytes of stdout, stderr or progress
#
# All but `out` answer with one line, times in seconds since boot, '-' for what is not known:
#   backout-job STARTED|ATTACHED|IS STATE EXIT_STATUS BEGAN ENDED      (ENDED is "now" for a running job)
#   backout-job BUSY KEY
#   backout-job STOPPED-BEFORE                               never started, and `stop` has forbidden it
#   backout-job REFUSED why; nothing was started or changed
# `run` with SECONDS says STARTED at once and, as `wait` does, IS in a second line. After a DONE with exit status 0 these
# two send what the job wrote to standard output along, where that is short:
#   backout-output BYTES                                     and so many bytes
#
# What is relied on: a job lives as long as any process of its session lives, the wrapper or not (HAZARDS D8). A job
# that puts a process into another session on purpose (a daemon) is not followed there.
# Needs Linux's /proc, GNU coreutils, findutils and grep, and util-linux (flock, setsid). The files made here are
# private to the user; the command itself runs under the login's own umask, as the web server reads what it writes.
#
# shellcheck disable=SC2015 # in `a && b || refuse` the last part never returns, and is meant for both
set -u
login_umask=$(umask)
login_folder=$PWD
umask 077
LC_ALL=C
export LC_ALL

answer() {
    printf 'backout-job %s\n' "$*"
    exit 0
}

refuse() { answer "REFUSED $*"; }

uptime_s() { # Sets now: seconds since boot, a clock that nobody sets.
    read -r now _ </proc/uptime
}

start_time() { # PID: sets began_ticks, or empty where there is no such process.
    began_ticks=
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    # The name, in parentheses, may hold anything; what follows the last one are plain numbers, the 20th is wanted.
    # shellcheck disable=SC2086 # the words are wanted
    set -- ${line##*) }
    [ $# -lt 20 ] || began_ticks=${20}
}

members() { # SID: prints /proc/PID/stat for every process of the session that is not a zombie.
    # A process name is at most 15 bytes, so it cannot imitate the twenty numbers that must follow.
    grep -lsE "\\) [^ZX)] [0-9]+ [0-9]+ $1( -?[0-9]+){20,}\$" /proc/[0-9]*/stat
}

session_lives() { # FOLDER: is a process of the session that we started there alive?
    sid='' ticks='' boot='' began=''
    [ -s "$1/pid" ] || return 1
    read -r sid ticks boot began <"$1/pid"
    read -r this_boot </proc/sys/kernel/random/boot_id
    [ "$boot" = "$this_boot" ] || return 1
    # The kernel gives no number away while a session of that number has a process. A leader that began at another
    # time therefore proves that ours is gone.
    start_time "$sid"
    [ -z "$began_ticks" ] || [ "$began_ticks" = "$ticks" ] || return 1
    # Looked at twice: a process that forks and exits while the list is being read is in neither half of it.
    [ -n "$(members "$sid")" ] || [ -n "$(members "$sid")" ]
}

look() { # FOLDER: sets state, status, began, ended.
    state=NONE status=- began=- ended=-
    [ -s "$1/pid" ] || return 0
    # The session first: an exit status is written while the session still lives, so it cannot be missed below.
    if session_lives "$1"; then
        uptime_s
        state=RUNNING ended=$now
    elif [ -f "$1/stopped" ]; then
        state=STOPPED
        read -r ended <"$1/stopped" || ended=-
    elif [ -f "$1/rc" ]; then
        state=DONE
    else
        state=DIED
    fi
    [ ! -s "$1/rc" ] || [ "$state" = RUNNING ] || read -r status ended <"$1/rc"
}

tell() { # WORD: answers with what `look` found.
    answer "$1 $state $status $began $ended"
}

lock() { # One at a time among all that start, stop or judge jobs of this root.
    exec 9>lock || refuse "the lock file in $root cannot be written"
    flock -w 20 9 || refuse "another start or stop has held the lock of $root for 20 seconds"
}

receive() { # COMMAND_BYTES INPUT_BYTES: puts standard input into the folder $incoming.
    # A leftover of a start that was killed may hold a secret.
    for leftover in incoming.*; do
        [ ! -e "$leftover" ] || find "$leftover" -prune -mmin +10 -exec rm -rf {} +
    done
    incoming=incoming.$$
    trap '[ ! -e "$incoming" ] || rm -rf "$incoming"' EXIT
    trap 'exit 70' HUP INT TERM PIPE
    [ ! -e "$incoming" ] || rm -rf "$incoming"
    mkdir "$incoming" || refuse "no folder can be made below $root"
    head -c "$1" >"$incoming/cmd" && cat >"$incoming/input" || refuse "$root cannot be written; is the disk full?"
    # A link that drops gives an early end of input: a command cut short must never run.
    [ "$(wc -c <"$incoming/cmd")" -eq "$1" ] && [ "$(wc -c <"$incoming/input")" -eq "$2" ] ||
        refuse "the command arrived cut short"
}

refuse_beside_another() { # Only the job started last can be alive, as each start proves that no other is.
    [ -s current ] || return 0
    read -r holder <current
    if [ "$holder" != "$key" ] && session_lives "jobs/$holder"; then
        answer "BUSY $holder"
    fi
}

run_job() { # COMMAND_BYTES INPUT_BYTES NICE [SECONDS]
    [ -d "$root/jobs" ] || mkdir -p "$root/jobs" || refuse "the folder $root cannot be made"
    cd "$root" && root=$(pwd) || refuse "the folder $root cannot be made"
    receive "$1" "$2"
    lock
    look "jobs/$key"
    [ "$state" = NONE ] || tell ATTACHED
    # A start that was sent before the stop, and held up on its way, comes too late. Its input is not kept.
    [ ! -e "jobs/$key/never" ] || answer STOPPED-BEFORE
    refuse_beside_another
    [ ! -e "jobs/$key" ] || rm -rf "jobs/$key"
    mv "$incoming" "jobs/$key" || refuse "the job's folder cannot be made below $root"
    printf '%s\n' "$key" >current.part && mv current.part current || refuse "$root cannot be written; is the disk full?"
    # The leader says STARTED once its pid is on the disk, and then lets go of this pipe: no polling, no time limit.
    # The lock is open in the leader too until then, so it is held even if this process is killed right here.
    said=$(setsid sh "$self" "$root" lead "$key" "$3" "$login_umask" "$login_folder" 2>jobs/"$key"/stderr </dev/null &)
    [ "$said" = STARTED ] || refuse "the job could not write its own files below $root; is the disk full?"
    # It runs, or ran: the leader says so only after its pid is on the disk. How it goes on is for `stat` to say.
    state=RUNNING
    read -r _ _ _ began <"jobs/$key/pid"
    ended=$began
    [ "${4:-0}" -gt 0 ] || tell STARTED
    exec 9>&-
    printf 'backout-job STARTED RUNNING - %s %s\n' "$began" "$ended"
    wait_job "$4"
}

lead_job() { # NICE UMASK FOLDER: the leader of the job's session; called by run_job only, with the lock open as descriptor 9.
    folder=$root/jobs/$key
    cd "$folder" || exit 74
    exec <input && rm -f input || exit 74
    # Space for the exit status is taken now: a job that fills the disk can still say how it ended.
    printf '%63s\n' '' >rc.part && : >stdout && : >alive || exit 74
    # Every process of the job inherits this lock, so that `wait` sleeps until the last of them has ended.
    exec 8>alive && flock 8 || exit 74
    if [ "$1" = yes ]; then
        renice -n 10 -p $$ >/dev/null 2>&1
        ionice -c 3 -p $$ >/dev/null 2>&1
    fi
    start_time $$
    read -r boot </proc/sys/kernel/random/boot_id
    uptime_s
    printf '%s %s %s %s\n' "$$" "$began_ticks" "$boot" "$now" >pid.part && mv pid.part pid || exit 74
    exec 9>&-
    # Where the one who started us was killed meanwhile, nobody hears this; the job goes on all the same.
    trap '' PIPE
    echo STARTED 2>stderr
    trap - PIPE
    exec >stdout 2>stderr
    BACKOUT_PROGRESS=$folder/progress
    export BACKOUT_PROGRESS
    cd "$3" || exit 74
    umask "$2"
    sh "$folder/cmd"
    status=$?
    umask 077
    uptime_s
    printf '%-63s\n' "$status $now" 1<>"$folder/rc.part" && mv "$folder/rc.part" "$folder/rc"
}

stat_job() {
    [ -d "$root" ] && cd "$root" || tell IS
    look "jobs/$key"
    if [ "$state" = NONE ] && [ -e lock ]; then
        # A start may be under way; it holds the lock until its pid is on the disk.
        exec 9<lock && flock -s -w 20 9
        look "jobs/$key"
    fi
    tell IS
}

wait_job() { # SECONDS
    [ -d "$root" ] && cd "$root" || tell IS
    uptime_s
    deadline=$((${now%.*} + $1)) nap=0
    look "jobs/$key"
    while [ "$state" = RUNNING ] && [ "${ended%.*}" -lt "$deadline" ]; do
        # The lock only wakes us; a program may have closed it early, which the nap is for. The state is the proof.
        if flock -s -w 2 "jobs/$key/alive" true; then
            [ "$nap" = 0 ] || sleep "$nap"
            case $nap in 0) nap=0.02 ;; 0.02) nap=0.1 ;; *) nap=0.5 ;; esac
        fi
        look "jobs/$key"
    done
    [ "$state $status" = 'DONE 0' ] || tell IS
    printf 'backout-job IS DONE 0 %s %s\n' "$began" "$ended"
    send_along "jobs/$key/stdout"
}

send_along() { # FILE: what a job that went well wrote, where it is short; a failed one's words may quote a row.
    size=$(wc -c <"$1") || exit 0
    [ "$size" -gt 65536 ] || { printf 'backout-output %s\n' "$size" && cat "$1"; }
    exit 0
}

signal_until_dead() { # SIGNAL FOLDER: asks every process of the session to end; gives them 3 seconds.
    tries=0
    while [ $tries -lt 30 ] && session_lives "$2"; do
        # KILL is sent again each time, to catch what was forked while the list was read; TERM once is enough.
        if [ "$1" = KILL ] || [ $tries -eq 0 ]; then
            for member in $(members "$sid"); do
                member=${member#/proc/}
                kill -s "$1" -- "${member%/stat}" 2>/dev/null
            done
        fi
        sleep 0.1
        tries=$((tries + 1))
    done
}

stop_job() {
    mkdir -p "$root/jobs" && cd "$root" || refuse "the folder $root cannot be made"
    lock
    look "jobs/$key"
    if [ "$state" = NONE ]; then
        mkdir -p "jobs/$key" && : >"jobs/$key/never" || refuse "$root cannot be written; is the disk full?"
    fi
    [ "$state" = RUNNING ] || tell IS
    if [ ! -f "jobs/$key/rc" ] && [ ! -f "jobs/$key/stopped" ]; then
        uptime_s
        printf '%s\n' "$now" >"jobs/$key/stopped"
        # It ended by itself before any signal was sent: what is left are its children, the status stays its own.
        [ ! -f "jobs/$key/rc" ] || rm -f "jobs/$key/stopped"
    fi
    signal_until_dead TERM "jobs/$key"
    signal_until_dead KILL "jobs/$key"
    look "jobs/$key"
    tell IS
}

print_output() { # STREAM OFFSET LIMIT
    case $1 in stdout | stderr | progress) ;; *) exit 64 ;; esac
    [ -f "$root/jobs/$key/$1" ] || exit 0
    tail -c "+$(($2 + 1))" <"$root/jobs/$key/$1" | head -c "$3"
}

root=$1 verb=$2 key=$3
shift 3
case $0 in /*) self=$0 ;; *) self=$PWD/$0 ;; esac
case $root in -*) refuse "a folder that begins with a dash" ;; esac
case $key in '' | . | .. | *[!A-Za-z0-9._-]*) refuse "this is no key of a job" ;; esac
state=NONE status=- began=- ended=-
case $verb in
run) run_job "$@" ;;
lead) lead_job "$@" ;;
stat) stat_job ;;
wait) wait_job "$@" ;;
stop) stop_job ;;
out) print_output "$@" ;;
*) refuse "no such verb" ;;
esac
