"""Whether a deploy script makes a backup before it migrates, and where; no line of it ever leaves (HAZARDS B7)."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional

_MIGRATE = re.compile(r"\bartisan['\"]?\s+(?:\S+\s+)*?migrate(?::\w+)?\b")
_BACKUP = re.compile(
    r"\b(?:mysqldump|mariadb-dump|pg_dump|pg_dumpall|mydumper)\b|\bartisan['\"]?\s+(?:backup:run|db:backup|snapshot:create)\b"
    r"|\bsqlite3\b.*(?:\.backup|\.dump|VACUUM\s+INTO)|\b(?:cp|rsync)\b.*\.sqlite\b",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=(.*?)\s*;?\s*$")
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")
_TARGETS = (
    re.compile(r"(?:>>?|\btee\s+)\s*((?:\"[^\"]*\"|'[^']*'|[^\s;|&\"'])+)"),
    re.compile(r"(?:--result-file=|--file=|-f\s+|-r\s+)((?:\"[^\"]*\"|'[^']*'|[^\s;|&\"'])+)"),
    re.compile(r"\.backup\s+'?\"?([^'\"\s]+)"),
    re.compile(r"VACUUM\s+INTO\s+'([^'\s]+)'", re.IGNORECASE),
    re.compile(r"\b(?:cp|rsync)\b.*\s((?:\"[^\"]*\"|'[^']*'|[^\s;|&\"'])+)\s*(?:[;&|].*)?$"),
)
_COMMAND = re.compile(r"\$\(.*?\)|`[^`]*`")
# What a path may be made of; anything else (a password with other signs, a command) is not told.
_PATH = re.compile(r"[\w./*~+@%:,= -]{1,400}")


class ScriptFacts(NamedTuple):
    """What one script does: its backup targets as (folder, file pattern), line numbers from 1."""

    backs_up_before_migrate: bool
    migrate_lines: List[int]
    backup_lines: List[int]
    targets: List[Dict[str, Optional[str]]]

    def as_json(self) -> Dict[str, object]:
        """Return the facts as a JSON object."""
        return self._asdict()


def script_facts(text: str, variables: Mapping[str, str]) -> ScriptFacts:
    """Return what a shell script does about backups and migrations.

    `variables` are known from outside (HOME and the like). A `*` stands for what is only known when the script runs,
    such as a date. Reads the text only; nothing of it is returned but paths of backup files.
    """
    known = dict(variables)
    migrates: List[int] = []
    backups: List[int] = []
    targets: List[Dict[str, Optional[str]]] = []
    for number, line in _commands(text):
        assignment = _ASSIGNMENT.match(line)
        if assignment and not _BACKUP.search(line):
            known[assignment.group(1)] = _expanded(assignment.group(2), known)
        if _BACKUP.search(line):
            backups.append(number)
            target = _target(line, known)
            if target and target not in targets:
                targets.append(target)
        if _MIGRATE.search(line) and "migrate:status" not in line:
            migrates.append(number)
    before = bool(backups) and bool(migrates) and min(backups) < min(migrates)
    return ScriptFacts(before, migrates, backups, targets)


def _commands(text: str) -> "List[tuple[int, str]]":
    """Return the script's lines with the number of their first, continued lines joined and comments left out."""
    found: "List[tuple[int, str]]" = []
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        if not joined.lstrip().startswith("#"):
            found.append((first, joined))
        joined, first = "", 0
    return found


def _target(line: str, known: Mapping[str, str]) -> Optional[Dict[str, Optional[str]]]:
    """Return the folder and file pattern a backup command writes to, or None where it cannot be told."""
    plain = _COMMAND.sub("*", line)  # what a command would print, a date mostly, is not known here
    for pattern in _TARGETS:
        for match in pattern.finditer(plain):
            path = _expanded(match.group(1), known)
            # An option is no path, and may be the password's: `-f -psecret`.
            if path.startswith(("/dev/", "&", "-")) or not _PATH.fullmatch(path):
                continue
            folder, _, name = path.rpartition("/")
            return {"folder": folder or None, "pattern": name or None}
    return None


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """Return the text with known variables and `~` put in and `*` for whatever else the shell would fill in."""
    text = _COMMAND.sub("*", text.strip())
    if text.startswith("'"):
        return text.strip("'")
    text = text.replace('"', "")
    if text.startswith("~/") and "HOME" in known:
        text = known["HOME"] + text[1:]
    text = _VARIABLE.sub(lambda match: known.get(match.group(1) or match.group(2), "*"), text)
    return re.sub(r"\*{2,}", "*", text)
