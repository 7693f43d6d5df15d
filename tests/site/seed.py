"""The album's rows before the incident: the same ones for the same number of photos, each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.site.sessions import Session

FIRST_DAY = datetime(2024, 1, 10, 8, 0)  # noqa: DTZ001 - the album stores UTC without an offset, as Laravel does
LOCATION_DAY = datetime(2025, 11, 18, 0, 0)  # noqa: DTZ001 - same
LAST_HOUR = datetime(2025, 11, 25, 11, 0)  # noqa: DTZ001 - same

PLACES = ("Porto", "Ærø", "Saint-Malo", "København", "O'Higgins", "東京", "Cluj; Napoca")
WORDS = (
    "harbour",
    "summer",
    "late",
    "light",
    "old",
    "bridge",
    "snow",
    "garden",
    "Anna",
    "market",
    "after",
    "rain",
)

# Texts that break a careless reader of dumps: quotes, statement ends, new lines, an end marker, SQL, shell.
AWKWARD_CAPTIONS = (
    "it's Anna's \"best\" one",
    "one; two; three;",
    "first line\nsecond line\n\nfourth line",
    "sunset 🌅 with Zoë and 祖母 👩‍👩‍👧",
    "-- Dump completed on 2025-11-25 10:00:00",
    "evening\n-- Dump completed on 2025-11-25 10:00:00\n",
    "'); DROP TABLE comments; --",
    "$(reboot) `reboot` \\' \\\\ %s {}",
    "INSERT INTO photos VALUES(1,1,'a.jpg');\nCOMMIT;",
    "carriage\r\nreturn and a\ttab",
    "NULL",
)


def stamp(moment: datetime) -> str:
    """Return a moment as Laravel writes it into SQLite."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def seconds(moment: datetime) -> int:
    """Return a moment as the queue writes it: whole seconds since 1970, wherever the machine stands."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def photo_ids(photos: int) -> list[int]:
    """Return the ids of the album's photos: every 97th is missing, as after years of deletions."""
    ids: list[int] = []
    candidate = 0
    while len(ids) < photos:
        candidate += 1
        if candidate % 97:
            ids.append(candidate)
    return ids


def caption_of(number: int, rng: random.Random) -> str | None:
    """Return the caption of the photo with this running number: plain, awkward, empty or none at all."""
    if number % 10 == 3:
        return None
    if number % 33 == 5:
        return ""
    if number % 7 == 0:
        return f"{AWKWARD_CAPTIONS[number // 7 % len(AWKWARD_CAPTIONS)]} ({number})"
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 8))) + f" {number}"


def photo_rows(photos: int) -> Iterator[tuple[Any, ...]]:
    """Return rows (id, user_id, filename, caption, created_at, updated_at): nine in ten older than the location."""
    rng = random.Random(20251125)
    early = photos * 9 // 10
    for number, identifier in enumerate(photo_ids(photos)):
        moment = created_at(number, early, photos)
        changed = moment + timedelta(days=number % 3)
        caption = caption_of(number, rng)
        yield identifier, 1 + number % 50, f"IMG_{identifier:06d}.jpg", caption, stamp(moment), stamp(changed)


def created_at(number: int, early: int, photos: int) -> datetime:
    """Return when the photo was uploaded, evenly spread over the time before or after the location came."""
    if number < early:
        return FIRST_DAY + (LOCATION_DAY - FIRST_DAY) * number / early
    return LOCATION_DAY + (LAST_HOUR - LOCATION_DAY) * (number - early) / (photos - early)


def comment_rows(photos: int) -> Iterator[tuple[Any, ...]]:
    """Return rows (id, photo_id, body, created_at, updated_at), one comment for every five photos."""
    rng = random.Random(20251126)
    ids = photo_ids(photos)
    early = photos // 5 * 9 // 10
    for number in range(photos // 5):
        reachable = ids[: photos * 9 // 10] if number < early else ids
        body = f"{rng.choice(AWKWARD_CAPTIONS)} / {rng.choice(WORDS)} {number}"
        moment = stamp(LOCATION_DAY + timedelta(seconds=number))
        # Each of the first sixty photos has a comment, so that deletions by people meet some.
        photo = ids[number] if number < 60 else rng.choice(reachable)
        yield number + 1, photo, body, moment, moment


def seed_base(session: Session, photos: int) -> None:
    """Fill users, tags and nine tenths of the photos and comments, in one transaction. *Changes* these tables."""
    day = stamp(FIRST_DAY)
    session.begin()
    people = ((n, f"Person {n}", f"person{n}@album.example", day, day) for n in range(1, 51))
    session.insert_many("users", ("id", "name", "email", "created_at", "updated_at"), people)
    tags = ((n, f"tag {n}", day, day) for n in range(1, 41))
    session.insert_many("tags", ("id", "name", "created_at", "updated_at"), tags)
    seed_photos(session, list(photo_rows(photos))[: photos * 9 // 10])
    seed_comments(session, list(comment_rows(photos))[: photos // 5 * 9 // 10])
    session.commit()


def seed_rest(session: Session, photos: int) -> None:
    """Fill the last tenth of photos and comments, the locations and the queue. *Changes* these tables.

    Three photos in four get a location. The last three comments were deleted before the incident, so the highest
    comment id ever issued is above the highest one there is.
    """
    session.begin()
    seed_photos(session, list(photo_rows(photos))[photos * 9 // 10 :])
    seed_comments(session, list(comment_rows(photos))[photos // 5 * 9 // 10 :])
    seed_locations(session, photos)
    seed_queue(session)
    session.commit()
    session.raise_number("comments", photos // 5 + 3)


def seed_locations(session: Session, photos: int) -> None:
    """Give three photos in four a place, one statement for each place. *Changes* photos."""
    numbered = [(n, identifier) for n, identifier in enumerate(photo_ids(photos)) if n % 4 != 3]
    for which, place in enumerate(PLACES):
        there = ", ".join(str(identifier) for n, identifier in numbered if n % len(PLACES) == which)
        session.query(f"update photos set location = ? where id in ({there})", place)


def seed_photos(session: Session, rows: list[tuple[Any, ...]]) -> None:
    """Add photos, and two tags to every third of them. *Changes* photos and photo_tag."""
    columns = ("id", "user_id", "filename", "caption", "created_at", "updated_at")
    session.insert_many("photos", columns, rows)
    tagged = [row[0] for row in rows if row[0] % 3 == 0]
    pairs = (
        (identifier, tag) for identifier in tagged for tag in (1 + identifier % 20, 21 + identifier % 20)
    )
    session.insert_many("photo_tag", ("photo_id", "tag_id"), pairs)


def seed_comments(session: Session, rows: list[tuple[Any, ...]]) -> None:
    """Add comments. *Changes* comments."""
    session.insert_many("comments", ("id", "photo_id", "body", "created_at", "updated_at"), rows)


def seed_queue(session: Session) -> None:
    """Add two queued jobs and a failed one. *Changes* jobs and failed_jobs."""
    queued = seconds(LAST_HOUR)
    payload = '{{"displayName":"App\\\\Jobs\\\\MakeThumbnail","photo":{}}}'
    columns = ("id", "queue", "payload", "attempts", "reserved_at", "available_at", "created_at")
    waiting = ((n, "default", payload.format(n), 0, None, queued, queued) for n in (1, 2))
    session.insert_many("jobs", columns, waiting)
    failed = (
        "6f1c2c1e-0000-4000-8000-000000000001",
        "database",
        "default",
        "{}",
        "RuntimeException: no memory",
    )
    names = ("id", "uuid", "connection", "queue", "payload", "exception", "failed_at")
    session.insert_many("failed_jobs", names, [(1, *failed, stamp(LAST_HOUR))])
