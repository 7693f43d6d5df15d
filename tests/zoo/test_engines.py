"""Backups of real MariaDB and PostgreSQL servers: no bad one is VERIFIED, no good one is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.inspect import inspect
from tests.servers.fixtures import Postgreses
from tests.servers.mariadb import MariadbServer
from tests.zoo import damage, hostile
from tests.zoo.damage import Case
from tests.zoo.engines import DATABASE, PG_GOOD, Dumped, dumped_mariadb, dumped_postgres
from tests.zoo.make import COULD_NOT_VERIFY, REFUSED, VERIFIED

# Every way once; of the other versions those in which versions differ.
_FEW = ("plain", "clean", "inserts", "custom", "custom-uncompressed", "quote-all", "verbose")
PG_WAYS = {15: tuple(PG_GOOD), 17: _FEW, 18: _FEW}


@pytest.fixture(scope="session")
def some_servers_dumps(mariadb_server: MariadbServer, postgres_servers: Postgreses) -> list[Dumped]:
    """Return the dumps of MariaDB and of the oldest and the newest PostgreSQL, made once."""
    return [dumped_mariadb(mariadb_server), *(of_postgres(postgres_servers, version) for version in (15, 18))]


@pytest.fixture(scope="session")
def servers_dumps(some_servers_dumps: list[Dumped], postgres_servers: Postgreses) -> list[Dumped]:
    """Return the dumps of every server, made once."""
    return [*some_servers_dumps, of_postgres(postgres_servers, 17)]


def of_postgres(servers: Postgreses, version: int) -> Dumped:
    """Return the dumps of one version's server."""
    return dumped_postgres(servers[version], f"pg{version}", PG_WAYS[version])


def expectation(dumped: Dumped) -> dict[str, Any]:
    """Return what the bot would say of the live site."""
    return {
        "engine": dumped.engine,
        "tables": list(dumped.rows),
        "database": DATABASE,
        "version": dumped.version,
        "migrations": [*hostile.EARLIER, hostile.BAD],
    }


def judged(folder: Path, case: Case, expect: dict[str, Any]) -> dict[str, Any]:
    """Write a case out, inspect it, and remove it again."""
    path = folder / "case"
    sidecar = folder / "case.sha256"
    path.write_bytes(case.data)
    if case.beside is not None:
        sidecar.write_bytes(case.beside)
    answer = inspect({"path": str(path), "before": hostile.BAD, "expect": expect})
    sidecar.unlink(missing_ok=True)
    return answer


def of_options(dumped: Dumped) -> Iterator[Case]:
    """Yield the dumps as the dumper wrote them."""
    words = (
        (dumped.good, VERIFIED),
        (dumped.older, VERIFIED),
        (dumped.unsure, COULD_NOT_VERIFY),
        (dumped.bad, REFUSED),
    )
    for dumps, word in words:
        for name, data in dumps.items():
            yield Case(f"as dumped, {word}", f"{dumped.label}-{name}", word, data)


def changed(dumped: Dumped, folder: Path, step: int) -> Iterator[Case]:
    """Yield every damage and wrapping of the server's plain dump."""
    label = dumped.label
    plain = dumped.good["full" if dumped.engine == "mysql" else "plain"]
    yield from damage.cuts(label, plain, step)
    yield from damage.statement_cuts(label, plain, step)
    yield from damage.front_cuts(label, plain)
    yield from damage.packed(label, plain, folder)
    yield from damage.members(label, plain)
    yield from damage.messages(label, plain, _program(dumped), 4096 * (1 if step == 1 else 3))
    yield from damage.converted(label, plain)
    yield from damage.hashes(label, plain)
    if dumped.engine == "mysql":
        yield from damage.of_other_tools(label, plain)
    yield from damage.wrapped(label, plain, folder)


def _program(dumped: Dumped) -> str:
    return "pg_dump" if dumped.engine == "pgsql" else "mysqldump"


def others(dumped: Dumped, step: int) -> Iterator[Case]:
    """Yield cuts of the server's other layouts."""
    if dumped.engine == "pgsql":
        for name in ("custom", "custom-uncompressed"):
            yield from damage.cuts(f"{dumped.label}-{name}", dumped.good[name], step)
        yield from damage.statement_cuts(f"{dumped.label}-inserts", dumped.good["inserts"], step)
    else:
        yield from damage.cuts("mariadb-one-row", dumped.good["one-row-a-statement"], step)
        yield from damage.statement_cuts("mariadb-one-row", dumped.good["one-row-a-statement"], step)


def wrong(
    folder: Path, cases: Iterable[Case], expect: dict[str, Any], counts: Counter[str]
) -> dict[str, Any]:
    """Return the cases that got another word than theirs, and count all."""
    found: dict[str, Any] = {}
    for case in cases:
        verdict = judged(folder, case, expect)["verdict"]
        counts[
            f"{'good' if case.word == VERIFIED else 'bad' if case.word == REFUSED else 'unsure'}: {case.kind}"
        ] += 1
        if verdict["word"] != case.word:
            found[case.name] = (case.kind, case.word, verdict["word"], verdict["reasons"])
    return found


def check(folder: Path, dumps: list[Dumped], step: int) -> Counter[str]:
    """Judge the whole zoo and return its counts; a wrong word is an error."""
    counts: Counter[str] = Counter()
    found: dict[str, Any] = {}
    for dumped in dumps:
        expect = expectation(dumped)
        found |= wrong(folder, of_options(dumped), expect, counts)
        found |= wrong(folder, changed(dumped, folder, step), expect, counts)
        found |= wrong(folder, others(dumped, step), expect, counts)
        found |= wrong(folder, damage.no_backups(), expect, counts)
        stranger = {**expect, "engine": "pgsql" if dumped.engine == "mysql" else "mariadb"}
        cases = [
            Case("another engine's", f"{dumped.label}-{n}", REFUSED, d)
            for n, d in list(dumped.good.items())[::5]
        ]
        found |= wrong(folder, cases, stranger, counts)
    print("\n" + "\n".join(f"{count:5}  {kind}" for kind, count in sorted(counts.items())))
    assert found == {}
    return counts


def total(counts: Counter[str], word: str) -> int:
    return sum(count for kind, count in counts.items() if kind.startswith(word))


def test_every_backup_of_a_real_server_gets_its_word(
    some_servers_dumps: list[Dumped], tmp_path: Path
) -> None:
    """Of 500 and more bad files none is VERIFIED; of 60 and more good ones none is refused (a sample of the cuts)."""
    counts = check(tmp_path, some_servers_dumps, step=13)

    assert total(counts, "bad") >= 500
    assert total(counts, "good") >= 60


@pytest.mark.long
def test_the_whole_zoo_gets_its_words(servers_dumps: list[Dumped], tmp_path: Path) -> None:
    """The same with a cut at every per cent and behind every statement."""
    counts = check(tmp_path, servers_dumps, step=1)

    assert total(counts, "bad") >= 2000


def test_the_manifest_says_what_the_server_says(servers_dumps: list[Dumped], tmp_path: Path) -> None:
    """Tables and rows of every good dump, whatever its options, are those that the server counts; so are the migrations."""
    for dumped in servers_dumps:
        for name, data in dumped.good.items():
            manifest = judged(tmp_path, Case("", name, VERIFIED, data), expectation(dumped))["manifest"]

            rows = {table: entry["rows"] for table, entry in manifest["tables"].items()}
            counted = dict(dumped.rows)
            if name == "partition-root":
                # Its rows are written as the whole table's, not the partitions'.
                counted |= {"visits": 3, "visits_1": 0, "visits_2": 0}
            assert rows == counted, (dumped.label, name)
            assert [row["name"] for row in manifest["migrations"]] == hostile.EARLIER
