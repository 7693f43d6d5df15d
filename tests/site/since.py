"""What people did after the deployment: each write as the application would make it, and a record of each row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.site.seed import AWKWARD_CAPTIONS, PLACES, seconds, stamp
from tests.site.sessions import Session

Row = dict[str, Any]

FIRST_MINUTE = datetime(2025, 11, 25, 12, 5)  # noqa: DTZ001 - the album stores UTC without an offset


@dataclass(kw_only=True)
class Record:
    """Every write since the deployment, row by row, as it stands in `oracle/since.json`."""

    uploads: list[dict[str, Row]] = field(default_factory=list)  # {"photo": row, "post": row}
    tagged: list[Row] = field(default_factory=list)  # rows of photo_tag
    comments: list[Row] = field(default_factory=list)
    edits: list[dict[str, Any]] = field(
        default_factory=list
    )  # {"photo_id", "photo": columns, "post": columns}
    deleted_photos: list[int] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    jobs_done: list[int] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the record as JSON. *Changes* the file."""
        path.write_text(json.dumps(vars(self), ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Record:
        """Return the record kept in a file."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


class Visitors:
    """People who use the album after the deployment. Each method writes to the live database and to the record."""

    def __init__(self, session: Session, record: Record | None = None) -> None:
        self.record = record or Record()
        self._database = session
        done = self.record
        self._minutes = len(done.uploads) + len(done.comments) + len(done.edits)

    def close(self) -> None:
        """Close the session."""
        self._database.close()

    def begin(self) -> None:
        """Start a transaction, so that many writes cost one sync."""
        self._database.begin()

    def commit(self) -> None:
        """End the transaction of `begin`."""
        self._database.commit()

    def upload(self, *, caption: str | None, location: str | None = None, tag: int | None = None) -> int:
        """Upload one photo with its post; return the photo's id."""
        now = self._now()
        post: Row = {"caption": caption, "display_date": now, "created_at": now, "updated_at": now}
        post["id"] = self._database.insert("posts", post)
        number = len(self.record.uploads) + 1
        photo: Row = {"user_id": 1 + number % 50, "filename": f"new-{number:05d}.jpg", "location": location}
        photo |= {"post_id": post["id"], "created_at": now, "updated_at": now}
        photo["id"] = self._database.insert("photos", photo)
        self.record.uploads.append({"photo": photo, "post": post})
        if tag is not None:
            row = {"photo_id": photo["id"], "tag_id": tag}
            self._database.add("photo_tag", row)
            self.record.tagged.append(row)
        return int(photo["id"])

    def comment(self, photo: int, body: str) -> int:
        """Write a comment under a photo; return its id."""
        now = self._now()
        row: Row = {"photo_id": photo, "body": body, "created_at": now, "updated_at": now}
        row["id"] = self._database.insert("comments", row)
        self.record.comments.append(row)
        return int(row["id"])

    def edit(self, photo: int, *, photo_columns: Row | None = None, post_columns: Row | None = None) -> None:
        """Save a photo's edit form: the given columns of the photo and of its post, and both times of change."""
        touched = {"updated_at": self._now()}
        on_photo, on_post = (photo_columns or {}) | touched, (post_columns or {}) | touched
        post = self._database.number("select post_id from photos where id = ?", photo)
        self._update("posts", post, on_post)
        self._update("photos", photo, on_photo)
        self.record.edits.append({"photo_id": photo, "photo": on_photo, "post": on_post})

    def delete(self, photo: int) -> None:
        """Delete a photo with its tags, comments (by the foreign key) and post."""
        post = self._database.number("select post_id from photos where id = ?", photo)
        self._database.query("delete from photo_tag where photo_id = ?", photo)
        self._database.query("delete from photos where id = ?", photo)
        self._database.query("delete from posts where id = ?", post)
        self.record.deleted_photos.append(photo)

    def queue(self, photo: int) -> None:
        """Queue one job."""
        at = seconds(FIRST_MINUTE + timedelta(minutes=self._minutes))
        payload = f'{{"displayName":"App\\\\Jobs\\\\MakeThumbnail","photo":{photo}}}'
        row: Row = {"queue": "default", "payload": payload, "attempts": 0, "reserved_at": None}
        row |= {"available_at": at, "created_at": at}
        row["id"] = self._database.insert("jobs", row)
        self.record.jobs.append(row)

    def work_off(self) -> None:
        """Let the queue worker finish every job that is queued."""
        done = [int(row[0]) for row in self._database.query("select id from jobs order by id")]
        self._database.query("delete from jobs")
        self.record.jobs_done.extend(done)

    def _now(self) -> str:
        self._minutes += 1
        return stamp(FIRST_MINUTE + timedelta(minutes=self._minutes))

    def _update(self, table: str, identifier: int, columns: Row) -> None:
        settings = ", ".join(f"{name} = ?" for name in columns)
        self._database.query(f"update {table} set {settings} where id = ?", *columns.values(), identifier)


def play_since(
    session: Session, photos: int, old_captions: dict[int, str | None], *, deletions: bool = True
) -> Record:
    """Let people use the album after the deployment and return the record of it. *Changes* the live database.

    `old_captions` are the captions by photo id before the deployment: the edits need an old photo that had one and
    one that had none. Without `deletions` nobody deletes anything. For 50,000 photos: 200 uploads (120 with a caption), 50 comments, 9 edits, 6 deletions.
    """
    visitors = Visitors(session)
    visitors.begin()
    visitors.work_off()
    uploads = upload_photos(visitors, max(20, photos // 250))
    old = sorted(old_captions)
    write_comments(visitors, max(10, photos // 1000), old, uploads)
    edit_photos(visitors, old_captions, uploads)
    # Old photos with comments of before, one commented on since, and the newest upload of all.
    for photo in (*old[10:14], old[100], uploads[-1]) if deletions else ():
        visitors.delete(photo)
    for photo in uploads[:3]:
        visitors.queue(photo)
    visitors.commit()
    visitors.close()
    return visitors.record


def upload_photos(visitors: Visitors, count: int) -> list[int]:
    """Upload photos, three in five with a caption, and return their ids."""
    ids = []
    for number in range(count):
        caption = (
            f"{AWKWARD_CAPTIONS[number % len(AWKWARD_CAPTIONS)]} since {number}" if number % 5 < 3 else None
        )
        place = PLACES[number % len(PLACES)] if number % 2 else None
        ids.append(visitors.upload(caption=caption, location=place, tag=5 if number % 10 == 0 else None))
    return ids


def write_comments(visitors: Visitors, count: int, old: list[int], uploads: list[int]) -> None:
    """Write comments, half of them on old photos; one on a photo that is deleted later."""
    visitors.comment(old[100], "deleted with its photo; isn't it?")
    for number in range(count - 1):
        photo = old[200 + number * 7] if number % 2 else uploads[number % len(uploads)]
        visitors.comment(photo, f"{AWKWARD_CAPTIONS[number % len(AWKWARD_CAPTIONS)]} later {number}")


def edit_photos(visitors: Visitors, old_captions: dict[int, str | None], uploads: list[int]) -> None:
    """Save edits: places of old and new photos, captions typed anew on old photos with and without one."""
    old = sorted(old_captions)
    with_caption = [identifier for identifier in old[300:] if old_captions[identifier]]
    without = [identifier for identifier in old[300:] if old_captions[identifier] is None]
    for photo in (old[20], old[21], old[23], uploads[4]):
        visitors.edit(photo, photo_columns={"location": "moved; to O'Hara's 🏠"})
    for photo in (*with_caption[:2], *without[:2], uploads[3]):
        visitors.edit(photo, post_columns={"caption": f"typed anew: it's {photo}"})
