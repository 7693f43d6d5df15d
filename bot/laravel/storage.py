"""Whether the folders that an application writes to are there and may be written, and who owns what lies in them."""

from __future__ import annotations

import re

from bot.ports.host import Command

_FOLDERS = (
    "storage",
    "storage/framework",
    "storage/framework/cache",
    "storage/framework/sessions",
    "storage/framework/views",
    "storage/logs",
    "bootstrap/cache",
)
"""Folders without which, or without the right to write them, Laravel answers with errors.

*Source*: laravel/laravel, its skeleton's `.gitignore` files; deployment guide, "Directory Permissions".
"""

_LOOK = """
cd -- "$1" || exit 3
shift
owner=$(stat -c %U storage 2>/dev/null)
for folder in "$@"; do
    if [ ! -d "$folder" ]; then echo "missing $folder"; continue; fi
    if [ ! -w "$folder" ] || [ ! -x "$folder" ]; then echo "locked $folder"; fi
    others=$(find "$folder" -maxdepth 1 -type f ! -user "$owner" 2>/dev/null | wc -l)
    if [ "$others" -gt 0 ]; then echo "foreign $folder $others $owner"; fi
done
"""
_LINE = re.compile(
    r"(?P<what>missing|locked|foreign) (?P<folder>\S+)(?: (?P<count>\d+) (?P<owner>\S+))?", re.ASCII
)


def storage_command(app_path: str) -> Command:
    """Return the command that looks at the folders an application writes to. Reads only; no file is named."""
    return Command(argv=["sh", "-c", _LOOK, "sh", app_path, *_FOLDERS])


def storage_troubles(stdout: str) -> tuple[str, ...]:
    """Return what of these folders may make the application fail, each with what mends it; a damaged line is passed over.

    What the web server's user may do is not known to Backout's user: a folder that only it may write is told as such.
    """
    found = (_LINE.fullmatch(line) for line in stdout.splitlines())
    return tuple(_words(match) for match in found if match is not None)


def _words(line: re.Match[str]) -> str:
    folder = line["folder"]
    if line["what"] == "missing":
        return f"{folder} is missing: make it, writable for the web server"
    if line["what"] == "locked":
        return f"{folder} may not be written by Backout's user; see whether the web server's may"
    return f"{line['count']} files in {folder} belong to others than {line['owner']}, the owner of storage: chown them"
