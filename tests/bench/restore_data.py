"""The data of the restore bench: an album site of any size, as SQL that both MariaDB and PostgreSQL take."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_WORDS = [
    "light",
    "river",
    "stone",
    "morning",
    "harbour",
    "quiet",
    "winter",
    "street",
    "garden",
    "window",
    "mountain",
    "summer",
    "market",
    "bridge",
    "evening",
    "forest",
    "shadow",
    "village",
    "ocean",
    "silver",
    "copper",
    "letter",
    "painting",
    "walk",
    "station",
    "isn''t",
    "it''s",
]
_STATEMENT_BYTES = 1 << 20
# Shares of all rows: users, photos, posts, comments; the rest are tags.
_SHARES = (4, 24, 24, 40)

TABLES = {
    "users": "id BIG {key}, name varchar(255) NOT NULL, email varchar(255) NOT NULL UNIQUE, password varchar(255) NOT NULL,"
    " remember_token varchar(100), created_at TIME, updated_at TIME",
    "photos": "id BIG {key}, user_id BIG NOT NULL, title varchar(255) NOT NULL, path varchar(255) NOT NULL UNIQUE,"
    " caption text, location varchar(120), created_at TIME, updated_at TIME",
    "posts": "id BIG {key}, photo_id BIG NOT NULL, user_id BIG NOT NULL, slug varchar(191) NOT NULL, body text NOT NULL,"
    " status varchar(20) NOT NULL, created_at TIME, updated_at TIME",
    "comments": "id BIG {key}, post_id BIG NOT NULL, user_id BIG NOT NULL, body text NOT NULL, created_at TIME, updated_at TIME",
    "photo_tag": "photo_id BIG NOT NULL, tag_id BIG NOT NULL, PRIMARY KEY (photo_id, tag_id)",
}
# Without this table a backup is of no known moment.
_MIGRATIONS = """
CREATE TABLE migrations (id int PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL);
INSERT INTO migrations VALUES (1, '2024_01_01_000000_create_tables', 1);
"""
_INDEXES = """
CREATE INDEX photos_user_id_index ON photos (user_id);
CREATE INDEX photos_created_at_index ON photos (created_at);
CREATE INDEX posts_photo_id_index ON posts (photo_id);
CREATE INDEX posts_user_id_index ON posts (user_id, status);
CREATE INDEX posts_slug_index ON posts (slug);
CREATE INDEX comments_post_id_index ON comments (post_id);
CREATE INDEX comments_user_id_index ON comments (user_id);
CREATE INDEX comments_created_at_index ON comments (created_at);
CREATE INDEX photo_tag_tag_id_index ON photo_tag (tag_id);
ALTER TABLE photos ADD CONSTRAINT photos_user_id_foreign FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE posts ADD CONSTRAINT posts_photo_id_foreign FOREIGN KEY (photo_id) REFERENCES photos (id) ON DELETE CASCADE;
ALTER TABLE posts ADD CONSTRAINT posts_user_id_foreign FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE comments ADD CONSTRAINT comments_post_id_foreign FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE;
ALTER TABLE comments ADD CONSTRAINT comments_user_id_foreign FOREIGN KEY (user_id) REFERENCES users (id);
"""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What differs between the engines."""

    big: str
    key: str
    time: str
    before: str
    after: str


MARIADB = Dialect(
    big="bigint unsigned",
    key="NOT NULL AUTO_INCREMENT PRIMARY KEY",
    time="timestamp NULL",
    before="SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0;\n",
    after="",
)
POSTGRESQL = Dialect(big="bigint", key="PRIMARY KEY", time="timestamp", before="BEGIN;\n", after="COMMIT;\n")


def counts(rows: int) -> dict[str, int]:
    """Return how many rows each table gets of so many in all."""
    found = {name: max(1, rows * share // 100) for name, share in zip(TABLES, _SHARES, strict=False)}
    return {**found, "photo_tag": rows - sum(found.values())}


def write_sql(path: Path, rows: int, dialect: Dialect) -> None:
    """Write the whole site as SQL, the same for the same number of rows. *Changes*: writes that file."""
    size = counts(rows)
    with path.open("w", encoding="utf-8") as file:
        file.write(dialect.before)
        for name, columns in TABLES.items():
            typed = columns.replace("BIG", dialect.big).replace("TIME", dialect.time)
            file.write(f"CREATE TABLE {name} ({typed.format(key=dialect.key)});\n")
        for name, lines in _lines(size).items():
            for chunk in _chunks(lines):
                file.write(f"INSERT INTO {name} VALUES\n{chunk};\n")
        file.write(_MIGRATIONS + _INDEXES + dialect.after)


def _chunks(lines: Iterator[str]) -> Iterator[str]:
    waiting: list[str] = []
    length = 0
    for line in lines:
        waiting.append(line)
        length += len(line)
        if length > _STATEMENT_BYTES:
            yield ",\n".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield ",\n".join(waiting)


def _lines(size: dict[str, int]) -> dict[str, Iterator[str]]:
    chance = random.Random(7)
    short, long = ([_sentence(chance, *span) for _ in range(4000)] for span in ((6, 14), (14, 34)))
    some, users, photos, posts = chance.randrange, size["users"], size["photos"], size["posts"]
    return {
        "users": (
            f"({n},'Person {n}','p{n}@example.org','$2y$10$abcdefghijklmnopqrstuv{n:031d}',NULL,{_times(n)})"
            for n in range(1, users + 1)
        ),
        "photos": (
            f"({n},{some(users) + 1},'{short[n % 4000]}','albums/{n % 997}/{n * 2654435761 & 0xFFFFFFFF:08x}.jpg',"
            f"'{long[some(4000)]}','{_WORDS[n % 25]}',{_times(n)})"
            for n in range(1, photos + 1)
        ),
        "posts": (
            f"({n},{some(photos) + 1},{some(users) + 1},'{some(1 << 32):08x}-{n}','{long[some(4000)]}',"
            f"'{'published' if n % 9 else 'draft'}',{_times(n)})"
            for n in range(1, posts + 1)
        ),
        "comments": (
            f"({n},{some(posts) + 1},{some(users) + 1},'{short[some(4000)]}',{_times(n)})"
            for n in range(1, size["comments"] + 1)
        ),
        "photo_tag": (f"({n},{n % 40 + 1})" for n in range(1, size["photo_tag"] + 1)),
    }


def _sentence(chance: random.Random, least: int, most: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(chance.randint(least, most)))


def _times(n: int) -> str:
    day = f"2025-{1 + n // 7 % 12:02d}-{1 + n % 28:02d}"
    return f"'{day} {n % 24:02d}:{n % 60:02d}:{n // 3 % 60:02d}','{day} {n % 24:02d}:59:59'"
