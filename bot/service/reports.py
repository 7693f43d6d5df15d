"""The post-mortem of an incident, computed from its timeline, as text and as files."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.report.html import to_html
from bot.report.markdown import to_markdown
from bot.report.report import report_of
from bot.service.parts import Parts

FORMS = {"md": to_markdown, "html": to_html}


async def report_text(parts: Parts, incident_id: str, site: str, form: str) -> str:
    """Return the post-mortem as it stands now, as `md` or `html`; reads only."""
    entries = await parts.store.transact(lambda tx: tx.entries(incident_id))
    return FORMS[form](report_of(entries, site=site, now=parts.clock.now()))


async def write_report(parts: Parts, incident_id: str) -> Path:
    """Write the post-mortem beside Backout's records and return the Markdown file's path; the HTML lies beside it."""
    row = await parts.store.transact(lambda tx: tx.incident(incident_id))
    site = row.site if row else ""
    folder = parts.settings.path(parts.settings.store.path).parent / "reports"
    paths = {form: folder / f"{incident_id}.{form}" for form in FORMS}
    for form, path in paths.items():
        text = await report_text(parts, incident_id, site, form)
        await asyncio.to_thread(_write, path, text)
    return paths["md"]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
