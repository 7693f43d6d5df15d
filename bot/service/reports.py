"""The post-mortem of an incident, computed from its timeline, as text and as files."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from bot.model.errors import FailedError
from bot.report.draw import draw_pdf
from bot.report.fonts import Fonts
from bot.report.html import to_html
from bot.report.markdown import to_markdown
from bot.report.report import Report, report_of
from bot.service.parts import Parts
from bot.settings import ReportSettings, Settings

FORMS = ("md", "html", "pdf")

# Where Debian's packages put fonts: fonts-dejavu-core has Western, Greek and Cyrillic letters and the signs of a report;
# fonts-droid-fallback, fonts-noto-cjk, fonts-symbola and fonts-noto-color-emoji have the others.
_FONTS = Path("/usr/share/fonts")
_TEXT, _BOLD, _CODE = (_FONTS / f"truetype/dejavu/DejaVuSans{face}.ttf" for face in ("", "-Bold", "Mono"))
_MORE = (
    _FONTS / "truetype/droid/DroidSansFallbackFull.ttf",
    _FONTS / "opentype/noto/NotoSansCJK-Regular.ttc",
    _FONTS / "truetype/ancient-scripts/Symbola_hint.ttf",
    _FONTS / "truetype/noto/NotoColorEmoji.ttf",
)


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """Where a post-mortem lies: the Markdown's path, and the name that all its files have in common.

    `missing` says which form could not be made, and why; empty: none is missing.
    """

    path: Path
    name: str
    missing: str = ""

    @property
    def told(self) -> str:
        """Return where it lies, in words, and what of it is missing."""
        return f"{self.path}. But {self.missing}" if self.missing else str(self.path)


async def report_text(parts: Parts, incident_id: str, site: str) -> str:
    """Return the post-mortem as it stands now, as Markdown; reads only."""
    return to_markdown(await _report(parts, incident_id, site))


async def report_file(parts: Parts, incident_id: str, site: str, form: str) -> bytes:
    """Return the post-mortem as it stands now, as one of `FORMS`; reads only.

    *Raises* FailedError where a PDF cannot be drawn, or too many are asked for at once.
    """
    return await _in_form(parts, await _report(parts, incident_id, site), form, waits=False)


async def write_report(parts: Parts, incident_id: str) -> WrittenReport:
    """Write the post-mortem in the forms of the settings to their folder. What lies there already stays as it is.

    A PDF that cannot be made keeps the other forms from nothing; it is told.
    The files are named by the incident; where there is another report of it, an amended one gets a name of its own.
    *Raises* FailedError where the folder cannot be written.
    """
    row = await parts.store.transact(lambda tx: tx.incident(incident_id))
    report = await _report(parts, incident_id, row.site if row else "")
    files, missing = {form: await _in_form(parts, report, form) for form in FORMS if form != "pdf"}, ""
    if parts.settings.reports.pdf:
        try:
            files["pdf"] = await _in_form(parts, report, "pdf")
        except FailedError as error:
            missing = str(error)
    folder = report_folder(parts.settings)
    try:
        return replace(await asyncio.to_thread(_write, folder, incident_id, files), missing=missing)
    except OSError as error:
        raise FailedError(
            f"the post-mortem of {incident_id} could not be written to {folder}: {error.strerror or error}. It is read in "
            "the console all the same; mend the folder, then type /incident report."
        ) from error


def report_folder(settings: Settings) -> Path:
    """Return the folder of the settings to which reports are written; by default beside Backout's records."""
    if settings.reports.folder is not None:
        return settings.path(settings.reports.folder)
    return settings.path(settings.store.path).parent / "reports"


def fonts_of(settings: ReportSettings, folder: Path) -> Fonts:
    """Return the fonts that there are for a PDF: Debian's where they are installed, and those of the settings."""
    given = [str(folder / path.expanduser()) for path in settings.fonts]
    more = tuple(path for path in (*given, *map(str, _MORE)) if Path(path).is_file())
    if not _TEXT.is_file():
        return Fonts(more=more)
    bold, code = (str(path) if path.is_file() else None for path in (_BOLD, _CODE))
    return Fonts(text=str(_TEXT), bold=bold, code=code, more=more)


def amended_name(incident_id: str, number: int) -> str:
    """Return the name of a report's files without the ending: that of the incident, and which report of it this is."""
    return incident_id if number == 1 else f"{incident_id}.amended-{number}"


async def _report(parts: Parts, incident_id: str, site: str) -> Report:
    """Return the report as it stands: of an incident that is closed, as its last entry left it, whenever it is asked for."""
    entries = await parts.store.transact(lambda tx: tx.entries(incident_id))
    row = await parts.store.transact(lambda tx: tx.incident(incident_id))
    ended = row is not None and row.closed_at is not None and entries
    return report_of(entries, site=site, now=entries[-1].at if ended else parts.clock.now())


async def _in_form(parts: Parts, report: Report, form: str, *, waits: bool = True) -> bytes:
    if form == "pdf":
        fonts = fonts_of(parts.settings.reports, parts.settings.folder)
        return await parts.drawing.drawn(draw_pdf, report, fonts, waits=waits)
    return (to_html if form == "html" else to_markdown)(report).encode()


def _write(folder: Path, incident_id: str, files: dict[str, bytes]) -> WrittenReport:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        name = amended_name(incident_id, number)
        path = folder / f"{name}.md"
        if _put(path, files["md"]) or path.read_bytes() == files["md"]:
            break
        number += 1
    for form, content in files.items():
        if form != "md":
            _put(folder / f"{name}.{form}", content)
    return WrittenReport(path=path, name=name)


def _put(path: Path, content: bytes) -> bool:
    """Write a file that only this account may read, whole or not at all; return False where there is one of this name."""
    # Its own name each time: two who ask at once never write into each other's.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(part)  # fails where the name is taken, also by a link that leads nowhere
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True
