"""What people want at hand, as they type for it: whom to call, and the commands with the site's real values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.model.event import Kind
from bot.service.dispatch import Dispatcher
from bot.settings import Settings
from commands.catalog import read
from tests.playbooks.story import FROZEN_STORY, JUST_OPENED, moment
from tests.unit.service.office import Office

HOSTING = {"name": "H", "phone": "+49 30 2", "account_id": "K-1", "ticket_url": "https://t.example"}
DORA = {
    "name": "Dora",
    "person": "Anna",
    "phone": "+49 30 1",
    "email": "d@example.org",
    "handle": "@dora",
    "pagers": ["night"],
}


def well_known(office: Office, **changes: Any) -> Office:
    """Give the office settings in which every field is filled in."""
    plain = office.parts.settings.model_dump()
    shop = {
        **plain["sites"]["shop"],
        "contacts": [DORA, {"name": "Egon", "calls": 1}],
        "hosting": HOSTING,
        "database_user": "shop_app",
        "backup_storage": "bucket x",
        **changes,
    }
    settings = Settings.model_validate(
        {
            **plain,
            "smtp": {"host": "smtp.example.org", "sender": "b@example.org"},
            "pagers": {"night": {"form": "pagerduty"}},
            "sites": {**plain["sites"], "shop": shop},
        }
    )
    office.parts = replace(office.parts, settings=settings)
    office.inbox = Dispatcher(office.parts, read)
    return office


async def test_contacts_show_every_field_of_the_template(office: Office) -> None:
    """DBA, provider, backups, database: with what is assessed in place of what the settings guess."""
    await office.tell(FROZEN_STORY.and_then(moment(Kind.ASSESSED, database="shop_live", engine="mysql")))
    reply = await well_known(office, database_name="shop_old").types("clara", "/incident contacts")
    assert reply.table is not None
    dora, egon = (dict(zip(reply.table.columns, row, strict=True)) for row in reply.table.rows)
    assert (dora["phone"], dora["e-mail"], dora["Slack/Discord"]) == ("+49 30 1", "d@example.org", "@dora")
    assert dora["rung by"] == "chat, e-mail, pager night"
    assert egon["rung by"] == "nothing: call by telephone"
    assert (dora["called"], egon["called"]) == (
        "At once; 2 times, 5 min 0 s apart",
        "10 min 0 s later, if nobody answers; once",
    )
    assert dict(reply.facts) == {
        "hosting provider": "H",
        "hosting provider, phone": "+49 30 2",
        "hosting provider, account id": "K-1",
        "hosting provider, emergency tickets": "https://t.example",
        "backup storage": "/backups on the host; bucket x",
        "database name": "shop_live",
        "database user": "shop_app",
    }


async def test_the_provider_is_told_where_nobody_else_is_named(office: Office) -> None:
    """Without contacts the reply says where to add them, and what is known all the same."""
    await office.tell(JUST_OPENED)
    reply = await well_known(office, contacts=[]).types("clara", "/incident contacts")
    assert not reply.ok
    assert "sites.shop.contacts" in reply.text
    assert dict(reply.facts)["hosting provider, phone"] == "+49 30 2"


async def test_the_command_sheet_comes_into_the_channel(office: Office) -> None:
    """A file in the incident's channel, and a table for whoever typed it in the console or a shell; asked again, it is new."""
    await office.tell(FROZEN_STORY.and_then(moment(Kind.ASSESSED, database="shop_live", engine="mysql")))
    reply = await well_known(office).types("clara", "/incident commands")
    assert reply.table is not None
    assert ("Assessment", "php artisan migrate:status") in reply.table.rows
    await office.goes_on((Kind.ASSESSED, "backout", "again", {"database": "shop_two", "engine": "mysql"}))
    await office.types("clara", "/incident commands")
    shown = [m.message for m in await office.store.read(lambda tx: tx.messages("inc-shop-1"))]
    (sheet,) = [m for m in shown if m.slot == "commands"]
    assert sheet.file_name == "commands-shop.sh"
    assert "mysqldump" in str(sheet.file_text)
    assert "-u shop_app -p shop_two" in str(sheet.file_text)
    assert [e.text for e in await office.timeline(Kind.COMMAND)][-1] == "/incident commands"
    assert Path(str(sheet.file_name)).suffix == ".sh"
