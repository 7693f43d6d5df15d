"""What is said of a chat platform that fails: in the timeline, and in the incident wherever it can still be read."""

from __future__ import annotations

from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.ports.store import Transaction

NAMES = {"slack": "Slack", "discord": "Discord", "web": "The console"}


def slot_of(platform: str) -> str:
    """Return the slot of the message that says how a platform is."""
    return f"chat-{platform}"


async def told(tx: Transaction, incident_id: str, platform: str, text: str, tone: Tone | None) -> None:
    """Write into the incident how a platform is, once; `tone` None: in the timeline only. *Changes*: the store only."""
    before = await _said(tx, incident_id, platform)
    if tone is None:
        latest = await tx.entries(incident_id)
        if any(entry.kind is Kind.NOTE and entry.text == text for entry in latest):
            return
    else:
        message = Message(slot=slot_of(platform), title=NAMES.get(platform, platform), tone=tone, body=text)
        if before == message:
            return
        await tx.put_message(incident_id, message)
    await tx.append(incident_id, [NewEntry(kind=Kind.NOTE, text=text, data={"platform": platform})])


async def is_told_bad(tx: Transaction, incident_id: str, platform: str) -> bool:
    """Return whether the incident says that the platform is away; reads only."""
    before = await _said(tx, incident_id, platform)
    return before is not None and before.tone is Tone.BAD


async def is_told_deaf(tx: Transaction, incident_id: str, platform: str) -> bool:
    """Return whether the incident says that nothing comes in from the platform; reads only."""
    before = await _said(tx, incident_id, platform)
    return before is not None and before.tone is Tone.WARNING


async def _said(tx: Transaction, incident_id: str, platform: str) -> Message | None:
    slot = slot_of(platform)
    return next((m.message for m in await tx.messages(incident_id) if m.message.slot == slot), None)
