"""The layout's own rules: who may import whom, which words belong nowhere, what stands at the top level.

A room is a package below `bot` or `adapters`, or a single file beside them; `commands` is one room. `ROOMS` is the whole
rule of imports, and so the picture of the program: commands → service → runbook, laravel, dumps, report, ports → model.
Adapters see model and ports, never one another, but for those of the engines, which share how the row reader is asked,
and those of the chat platforms, which share what is no platform's own;
only `wiring` and `__main__` see adapters. The row reader, which is sent to the host, is `adapters.host_reader` with
`bot.dumps`: those two use the standard library alone.
"""

from __future__ import annotations

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCT = ("bot", "commands", "adapters")
PORTS = {"bot.model", "bot.ports"}

ROOMS: dict[str, set[str]] = {
    "bot.model": set(),
    "bot.ports": {"bot.model"},
    "bot.dumps": set(),
    "bot.laravel": PORTS,
    "bot.runbook": {"bot.model"},
    "bot.report": {"bot.model"},
    "bot.calling_settings": {"bot.model"},
    "bot.testing_settings": {"bot.model"},
    "bot.settings": {"bot.model", "bot.calling_settings", "bot.testing_settings"},
    "bot.tokens": {"bot.model", "bot.settings"},
    "bot.check": {*PORTS, "bot.calling_settings", "bot.laravel", "bot.runbook", "bot.settings"},
    "bot.gating": {"bot.model", "bot.runbook", "bot.settings"},
    "bot.service": {*PORTS, "bot.dumps", "bot.laravel", "bot.runbook", "bot.report", "bot.settings"},
    "commands": {"bot.model", "bot.runbook", "bot.service"},
    "adapters.apscheduler_alarms": PORTS,
    "adapters.http_probe": PORTS,
    "adapters.chromium_browser": PORTS,
    "adapters.sql_store": PORTS,
    "adapters.reader_answers": PORTS,
    "adapters.sqlite_database": {*PORTS, "adapters.reader_answers"},
    "adapters.server_database": {*PORTS, "adapters.reader_answers"},
    "adapters.mysql_database": {"adapters.server_database"},
    "adapters.postgresql_database": {*PORTS, "adapters.reader_answers", "adapters.server_database"},
    "adapters.ssh_host": PORTS,
    "adapters.web_chat": PORTS,
    "adapters.chat_common": PORTS,
    "adapters.slack_chat": {*PORTS, "adapters.chat_common"},
    "adapters.discord_chat": {*PORTS, "adapters.chat_common"},
    "adapters.smtp_mail": PORTS,
    "adapters.webhook_pager": PORTS,
    "adapters.host_reader": {"bot.dumps"},
    "adapters.host_reader_pack": set(),
}
ROOTS = {"bot.wiring", "bot.__main__"}

LIBRARIES: dict[str, set[str]] = {
    "aiohttp": {
        "adapters.web_chat",
        "adapters.http_probe",
        "adapters.chromium_browser",
        "adapters.slack_chat",
        "adapters.discord_chat",
        "adapters.webhook_pager",
    },
    "aiosmtplib": {"adapters.smtp_mail"},
    "alembic": {"adapters.sql_store"},
    "apscheduler": {"adapters.apscheduler_alarms"},
    "asyncssh": {"adapters.ssh_host"},
    "discord": {"adapters.discord_chat"},
    "fontTools": {"bot.report"},
    "fpdf": {"bot.report"},
    "jinja2": {"bot.report"},
    "pydantic": {
        "bot.model",
        "bot.settings",
        "bot.calling_settings",
        "bot.testing_settings",
        "adapters.reader_answers",
    },
    "rich": {"bot.__main__"},
    "slack_bolt": {"adapters.slack_chat"},
    "slack_sdk": {"adapters.slack_chat"},
    "sqlalchemy": {"adapters.sql_store"},
    "structlog": {
        "bot.service",
        "bot.__main__",
        "adapters.web_chat",
        "adapters.chat_common",
        "adapters.slack_chat",
        "adapters.discord_chat",
    },
    "tree_sitter": {"bot.laravel"},
    "tree_sitter_php": {"bot.laravel"},
    "typer": {"bot.__main__"},
    "yarl": {"adapters.discord_chat"},
}
# Imported under another name than it is installed by.
CALLED = {"discord.py": "discord", "fonttools": "fontTools", "fpdf2": "fpdf"}
# Named in an address, never imported by us: the driver under sqlalchemy.
DRIVERS = {"aiosqlite"}

# These decide: they never wait, and they reach nothing outside (files, processes, network) by themselves.
DECIDING = {"bot.model", "bot.laravel", "bot.dumps", "bot.runbook", "bot.report"}
OUTSIDE = {
    "asyncio",
    "http",
    "os",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "urllib",
}
ON_THE_HOST = {"bot.dumps", "adapters.host_reader"}

TOP_LEVEL = {
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
    "bot",
    "commands",
    "adapters",
    "tests",
    "deploy",
}
MADE_HERE = {"build", "dist", "__pycache__"}  # and *.egg-info: made by tools, in .gitignore

SITE_WORDS = re.compile(r"(?<![a-z])(photo|post|caption)s?(?![a-z])", re.IGNORECASE)
# What else the word means: the report, the method of HTTP and aiohttp's function for it, a dataclass's own check.
OTHER_MEANINGS = re.compile(r"[Pp]ost-mortem|\bPOST\b|\bweb\.post\(|\b__post_init__\b")
# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN_EVERYWHERE = re.compile(
    r"\bp" + r"kill\b|\bkill" + r"all\b|(?<![\w.}$*])/(?:wo" + r"rk|ro" + r"ot)/[\w.]",
    re.IGNORECASE,
)


@cache
def sources() -> dict[str, ast.Module]:
    """Return every Python file of the product by module name, parsed."""
    files = [path for name in PRODUCT for path in (REPOSITORY / name).rglob("*.py")]
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(files)}


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return "commands" if module.startswith("commands") else ".".join(module.split(".")[:2])


@cache
def imports(tree: ast.Module) -> list[tuple[str, int]]:
    """Return each imported module, wherever in the file it is imported, and the line."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            inner = [f"{base}.{alias.name}" for alias in node.names]
            found += [(name if name in sources() else base, node.lineno) for name in inner]
    return found


def ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in PRODUCT


def text_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the text files below a folder; what tools made and what is no text is left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".png", ".gz", ".zst"):
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def lines_with(pattern: re.Pattern[str], folder: Path, leave_out: re.Pattern[str] | None = None) -> list[str]:
    """Return `path:line: text` for each line of a folder's text files in which the pattern occurs."""
    return [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}"
        for path, text in text_files(folder)
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(leave_out.sub("", line) if leave_out else line)
    ]


def test_every_room_imports_only_what_the_design_lets_it() -> None:
    """The direction of imports is the one in ROOMS, lazy imports included."""
    faults = [
        f"{module}:{line} imports {target}"
        for module, tree in sources().items()
        if (room := room_of(module)) not in ROOTS
        for target, line in imports(tree)
        if ours(target) and room_of(target) != room and room_of(target) not in ROOMS.get(room, set())
    ]
    assert faults == []


def test_every_room_has_its_rule() -> None:
    """A new room is named in ROOMS before it imports anything; a room that is gone leaves the list."""
    rooms = {room_of(module) for module in sources() if module not in PRODUCT}
    assert rooms - ROOTS == set(ROOMS)


def test_nobody_imports_wiring_but_the_command() -> None:
    """`wiring` sees everything, and only `__main__` sees it."""
    seen = {
        module for module, tree in sources().items() for target, _ in imports(tree) if target == "bot.wiring"
    }
    assert seen == {"bot.__main__"}


def test_each_library_stays_in_its_own_room() -> None:
    """A library outside the standard one is imported where LIBRARIES says, and nowhere else."""
    faults = [
        f"{module}:{line} imports {target}"
        for module, tree in sources().items()
        for target, line in imports(tree)
        if not ours(target)
        and (top := target.split(".")[0]) not in sys.stdlib_module_names
        and room_of(module) not in LIBRARIES.get(top, set())
    ]
    assert faults == []


def test_every_dependency_is_used_and_declared() -> None:
    """What the product imports and what pyproject.toml asks for are the same libraries."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=~! ]", line)[0].replace("-", "_") for line in project["dependencies"]}
    assert {CALLED.get(name, name) for name in declared} == set(LIBRARIES) | DRIVERS


def test_deciding_rooms_never_wait_and_reach_nothing_outside() -> None:
    """model, laravel, dumps, runbook and report have no coroutine and import nothing that reaches outside."""
    faults = [
        f"{module}: {what}"
        for module, tree in sources().items()
        if room_of(module) in DECIDING
        for what in [
            *(target for target, _ in imports(tree) if target.split(".")[0] in OUTSIDE),
            *(node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)),
        ]
    ]
    assert faults == []


def test_what_runs_on_the_host_needs_the_standard_library_only() -> None:
    """The row reader imports nothing but itself and Python's own modules."""
    faults = [
        f"{module}:{line} imports {target}"
        for module, tree in sources().items()
        if room_of(module) in ON_THE_HOST
        for target, line in imports(tree)
        if target.split(".")[0] not in sys.stdlib_module_names and room_of(target) not in ON_THE_HOST
    ]
    assert faults == []


def test_what_runs_on_the_host_is_written_for_python_3_9() -> None:
    """The row reader holds no grammar that is newer than the oldest Python it is sent to."""
    files = [path for room in ON_THE_HOST for path in (REPOSITORY / room.replace(".", "/")).rglob("*.py")]
    assert len(files) > 20
    for path in files:
        ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 9))


def test_there_are_no_cycles() -> None:
    """No module imports itself by a detour."""
    graph = {
        module: {target for target, _ in imports(tree) if target in sources() and target != module}
        for module, tree in sources().items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_imports_are_absolute_and_init_files_empty() -> None:
    """No relative import and nothing in an `__init__.py`."""
    relative = [m for m, tree in sources().items() for target, _ in imports(tree) if target.startswith(".")]
    full = [
        path for name in PRODUCT for path in (REPOSITORY / name).rglob("__init__.py") if path.stat().st_size
    ]
    assert (relative, full) == ([], [])


@pytest.mark.parametrize("folder", PRODUCT)
def test_the_product_does_not_know_the_words_of_the_tests_site(folder: str) -> None:
    """Nothing in the product speaks of the tables and columns of the album that the tests recover."""
    assert lines_with(SITE_WORDS, REPOSITORY / folder, leave_out=OTHER_MEANINGS) == []


@pytest.mark.parametrize("folder", [*PRODUCT, "tests", "deploy"])
def test_no_broad_kill_and_no_path_of_someones_machine(folder: str) -> None:
    """Processes are ended by their id, and no file names a folder that only its writer has."""
    assert lines_with(FORBIDDEN_EVERYWHERE, REPOSITORY / folder) == []


def test_the_top_level_is_fixed() -> None:
    """Beside what DESIGN's layout names there are only dot files, the lock file, the licence and what tools made."""
    names = {path.name for path in REPOSITORY.iterdir() if not path.name.startswith(".")}
    made = {name for name in names if name in MADE_HERE or name.endswith(".egg-info")}
    assert names - made == TOP_LEVEL


@pytest.mark.parametrize(
    ("line", "is_fault"),
    [
        ("select post_id from x", True),
        ('caption = row["a"]', True),
        ("# Photos are many", True),
        ("the post-mortem is written", False),
        ('web.post("/api", f), method="POST"', False),
        ("postgresql, compost, postpone", False),
    ],
)
def test_the_word_rule_itself(line: str, is_fault: bool) -> None:
    """The rule finds the words inside names too, and lets other words that contain them pass."""
    assert bool(SITE_WORDS.search(OTHER_MEANINGS.sub("", line))) is is_fault
