"""The post-mortem as files: private, never written over, amended beside the earlier one, and on the host where asked."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model.errors import FailedError
from bot.model.event import Entry, Kind
from bot.model.message import REPORT_SLOT
from bot.service.engine import Engine
from bot.service.operations.kinds import aborts, handlers
from bot.service.parts import Parts
from bot.service.reports import report_file, write_report
from bot.settings import ReportSettings
from tests.fakes.host import FakeHost, FakeHosts
from tests.playbooks.story import moment
from tests.unit.service.office import Office
from tests.unit.service.test_actions import ENDED
from tests.unit.service.test_ringing import QUICK, until

SHOP = "inc-shop-1"


@pytest.fixture
async def closed(office: Office, tmp_path: Path) -> AsyncIterator[Office]:
    """An incident that ended on a site whose reports go to its host too, with an engine at work."""
    host = FakeHost(tmp_path / "home")
    sites = dict(office.parts.settings.sites)
    sites["shop"] = sites["shop"].model_copy(update={"reports_on_host": True})
    settings = office.parts.settings.model_copy(update={"sites": sites, "reports": ReportSettings(pdf=False)})
    office.parts = replace(office.parts, settings=settings, hosts=FakeHosts({"shop": host}))
    office.inbox = office.inbox_on(office.store)
    await office.tell(ENDED)
    await office.store.transact(lambda tx: tx.close_incident(SHOP))
    engine = Engine(
        office.store,
        "one",
        handlers(office.parts),
        aborts(office.parts),
        pace=QUICK,
        lease=QUICK.lease,
        poll=QUICK.poll,
    )
    await engine.start(sole=True)
    yield office
    await engine.close()
    await host.link.close()


def _with_pdf(office: Office, reports: ReportSettings) -> Parts:
    return replace(office.parts, settings=office.parts.settings.model_copy(update={"reports": reports}))


def _folder(office: Office) -> Path:
    return office.parts.settings.folder / "reports"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _words(path: Path) -> str:
    return path.read_text()


async def _written(office: Office, count: int) -> list[Entry]:
    """Wait for so many reports written, and return what the timeline says of them."""

    async def there() -> bool:
        return len(await office.timeline(Kind.REPORT_WRITTEN)) >= count

    await until(there)
    return await office.timeline(Kind.REPORT_WRITTEN)


async def test_all_forms_are_written_for_this_account_alone(closed: Office) -> None:
    """Markdown, HTML and PDF lie in a folder of mode 0700 as files of mode 0600; nothing else is left there."""
    written = await write_report(_with_pdf(closed, ReportSettings()), SHOP)
    files = sorted(_folder(closed).iterdir())
    assert written.path == _folder(closed) / f"{SHOP}.md"
    assert [file.name for file in files] == [f"{SHOP}.html", f"{SHOP}.md", f"{SHOP}.pdf"]
    assert {_mode(file) for file in files} == {0o600}
    assert _mode(_folder(closed)) == 0o700
    assert files[2].read_bytes().startswith(b"%PDF-")


async def test_where_no_pdf_is_wanted_none_is_written_and_one_can_be_had(closed: Office) -> None:
    """With `pdf = false` the other forms lie there alone, nothing is called missing, and a PDF is drawn for who asks."""
    written = await write_report(closed.parts, SHOP)
    assert written.missing == ""
    assert [file.suffix for file in sorted(_folder(closed).iterdir())] == [".html", ".md"]
    assert (await report_file(closed.parts, SHOP, "shop", "pdf")).startswith(b"%PDF-")


async def test_nothing_is_written_over(closed: Office) -> None:
    """The same report again is no second file; an amended one gets its own name, and the first keeps its words."""
    first = await write_report(closed.parts, SHOP)
    before = first.path.read_bytes()
    assert (await write_report(closed.parts, SHOP)).path == first.path
    await closed.goes_on(moment(Kind.NOTE, "Root cause: dropped before it was copied", "Anna"))
    second = await write_report(closed.parts, SHOP)
    assert second.path.name == f"{SHOP}.amended-2.md"
    assert first.path.read_bytes() == before
    assert b"dropped before it was copied" in second.path.read_bytes()


async def test_a_link_that_waits_in_the_folder_is_not_followed(closed: Office, tmp_path: Path) -> None:
    """A name that is a link is taken, wherever it leads."""
    _folder(closed).mkdir()
    (_folder(closed) / f"{SHOP}.html").symlink_to(tmp_path / "elsewhere")
    await write_report(closed.parts, SHOP)
    assert not (tmp_path / "elsewhere").exists()


async def test_a_folder_that_cannot_be_written_is_told(closed: Office) -> None:
    """The words say which folder, and that the report can be read all the same."""
    _folder(closed).write_text("a file in its place")
    with pytest.raises(FailedError, match=r"could not be written to .*reports: .* /incident report"):
        await write_report(closed.parts, SHOP)


async def test_asked_for_after_a_correction_it_is_written_anew_here_and_on_the_host(closed: Office) -> None:
    """`/incident report` after somebody added something writes an amended report; the host gets one of its own, once."""
    await write_report(closed.parts, SHOP)
    await closed.goes_on(
        moment(Kind.REPORT_WRITTEN, path="x"), moment(Kind.NOTE, "Users affected: 12", "Anna")
    )
    reply = await closed.types("anna", "/incident report")
    assert reply.text.startswith("The post-mortem is written anew")
    entries = await _written(closed, 3)
    here, there = entries[1].data, entries[2].data
    assert here["path"] == str(_folder(closed) / f"{SHOP}.amended-2.md")
    home = closed.parts.hosts.of_site("shop").link.home  # type: ignore[attr-defined]  # the fake's
    on_host = Path(there["path"])
    assert on_host == home / "incident-reports" / f"{SHOP}.md"
    assert (_mode(on_host), _mode(on_host.parent)) == (0o600, 0o700)
    assert "Users affected: 12" in _words(on_host)
    again = await closed.types("anna", "/incident report")
    assert again.text.startswith("The post-mortem as it stands now")
    messages = await closed.store.read(lambda tx: tx.messages(SHOP))
    assert [m.message.file_name for m in messages if m.message.slot.startswith(REPORT_SLOT)] == [
        f"{SHOP}.amended-2.md"
    ]


async def test_on_the_host_nothing_is_written_over_either(closed: Office) -> None:
    """A report of this name that lies there already stays as it is."""
    home = closed.parts.hosts.of_site("shop").link.home  # type: ignore[attr-defined]  # the fake's
    (home / "incident-reports").mkdir()
    (home / "incident-reports" / f"{SHOP}.md").write_text("somebody's own")
    await closed.types("anna", "/incident report")
    entries = await _written(closed, 2)
    assert Path(entries[1].data["path"]).name == f"{SHOP}.amended-2.md"
    assert (home / "incident-reports" / f"{SHOP}.md").read_text() == "somebody's own"
    assert len(list((home / "incident-reports").iterdir())) == 2


async def test_a_host_out_of_reach_is_told_and_tried_again(closed: Office) -> None:
    """That it could not be written there is said with what to do, and the next `/incident report` tries again."""
    link = closed.parts.hosts.of_site("shop").link  # type: ignore[attr-defined]  # the fake's
    link.reachable = False
    await closed.types("anna", "/incident report")

    async def failed() -> bool:
        return bool(await closed.timeline(Kind.OPERATION_FAILED))

    await until(failed)
    (told,) = await closed.timeline(Kind.OPERATION_FAILED)
    assert "could not be written to ~/incident-reports on fake.example" in told.text
    link.reachable = True
    await closed.types("anna", "/incident report")
    assert (await _written(closed, 2))[1].data["host"]


@pytest.mark.parametrize("kind", ["close", "file_report"])
async def test_what_is_being_written_is_not_begun_a_second_time(office: Office, kind: str) -> None:
    """Whoever asks while it is written, in whichever chat, is told so: two never write the same files at once."""
    await office.tell(ENDED)
    await office.store.transact(lambda tx: tx.close_incident(SHOP))
    running = await office.running(kind)
    for person in ("anna", "boris"):
        reply = await office.types(person, "/incident report")
        assert reply.text.startswith("The post-mortem is being written at this moment")
    assert [one.id for one in await office.operations()] == [running.id]


async def test_a_pdf_that_cannot_be_made_costs_no_other_form(closed: Office, tmp_path: Path) -> None:
    """A font file that is damaged leaves the Markdown and the HTML, and it is told which form is missing."""
    font = tmp_path / "no-tables.ttf"
    font.write_bytes(b"\x00\x01\x00\x00" + bytes(8))
    fonts = ReportSettings(fonts=(font,))
    closed.parts = replace(closed.parts, settings=closed.parts.settings.model_copy(update={"reports": fonts}))
    await closed.goes_on(moment(Kind.NOTE, "写真 are gone", "Anna"))
    written = await write_report(closed.parts, SHOP)
    files = sorted(file.name for file in _folder(closed).iterdir())
    assert files == [f"{SHOP}.html", f"{SHOP}.md"]
    assert written.told.startswith(f"{written.path}. But the PDF of the post-mortem could not be made")


async def test_who_may_only_read_has_nothing_written(closed: Office) -> None:
    """A reader is told where the report is; no file is made for them."""
    reply = await closed.types("clara", "/incident report")
    assert reply.text.startswith("The post-mortem as it stands now")
    await asyncio.sleep(0.1)
    assert await closed.operations() == []


async def test_a_closed_incidents_report_does_not_change_by_itself(closed: Office) -> None:
    """It is the same to the letter whenever it is asked for, as long as nobody adds anything."""
    first = await report_file(closed.parts, SHOP, "shop", "md")
    closed.clock.at = closed.clock.at.replace(year=2027)
    assert await report_file(closed.parts, SHOP, "shop", "md") == first
