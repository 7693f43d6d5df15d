"""Whom to call and what to tell them: every field of the procedure's contact template, filled from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.message import Table
from bot.model.person import Contact, Hosting
from bot.runbook.page import called_after_s, chain_words

MISSING = "not in the settings"


def contact_facts(contact: Contact) -> tuple[tuple[str, str], ...]:
    """Return how to reach a contact as labelled facts; what is not known is left out."""
    known = (
        ("role", contact.role),
        ("phone", contact.phone),
        ("email", contact.email),
        ("handle", contact.handle),
        ("note", contact.note),
    )
    return tuple((label, value) for label, value in known if value)


def contact_table(contacts: Sequence[Contact], page_again_s: float, ways: Sequence[str]) -> Table:
    """Return the contacts in the order in which they are called; `ways` says of each how a call reaches them."""
    after = called_after_s(contacts, page_again_s)
    rows = tuple(
        (
            contact.name,
            contact.role,
            contact.phone or MISSING,
            contact.email or MISSING,
            contact.handle or MISSING,
            way,
            chain_words(contact, after_s, page_again_s),
            contact.note or "",
        )
        for contact, after_s, way in zip(contacts, after, ways, strict=True)
    )
    columns = ("name", "role", "phone", "e-mail", "Slack/Discord", "rung by", "called", "note")
    shown = columns if any(row[-1] for row in rows) else columns[:-1]
    return Table(columns=shown, rows=tuple(row[: len(shown)] for row in rows))


def site_facts(
    hosting: Hosting | None,
    *,
    backups: Sequence[str],
    storage: str | None,
    database: str | None,
    user: str | None,
) -> tuple[tuple[str, str], ...]:
    """Return what a DBA or the hosting provider asks for first; what is missing is said, so that it can be put in."""
    hosting = hosting or Hosting()
    folders = ", ".join(backups)
    return (
        ("hosting provider", hosting.name or MISSING),
        ("hosting provider, phone", hosting.phone or MISSING),
        ("hosting provider, account id", hosting.account_id or MISSING),
        ("hosting provider, emergency tickets", hosting.ticket_url or MISSING),
        *((("hosting provider, note", hosting.note),) if hosting.note else ()),
        ("backup storage", f"{folders} on the host{f'; {storage}' if storage else ''}"),
        ("database name", database or MISSING),
        ("database user", user or MISSING),
    )
