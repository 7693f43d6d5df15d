"""What chat needs: decisions, the outbox of messages, and the deliveries that came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from adapters.sql_store.rows import Rows
from adapters.sql_store.schema import decisions, delivered, deliveries, incidents, messages
from bot.model.codec import digest, from_json, to_json
from bot.model.decision import Decision, DecisionState
from bot.model.message import Message, Place, StoredMessage

_IS_DUE = sa.or_(delivered.c.revision.is_(None), delivered.c.revision < messages.c.revision)
MESSAGES = sa.select(messages, incidents.c.channel).join(incidents, incidents.c.id == messages.c.incident_id)


def outbox_id(incident_id: str, slot: str) -> str:
    """Return the id of a slot's message: 24 hex digits, because Discord takes a nonce of at most 25 characters.

    *Source*: Discord's API reference, "Create Message", field `nonce`.
    """
    return digest([incident_id, slot])[:24]


def stored_message_of(row: Mapping[str, Any]) -> StoredMessage:
    """Return the message that a row of MESSAGES holds."""
    return StoredMessage(
        id=row["id"],
        incident_id=row["incident_id"],
        channel=row["channel"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        message=from_json(Message, row["content"]),
    )


def _theirs(platform: str) -> sa.ColumnElement[bool]:
    return sa.and_(delivered.c.message_id == messages.c.id, delivered.c.platform == platform)


class ChatRows(Rows):
    """The part of a transaction that keeps questions, messages and what was delivered."""

    async def put_decision(self, decision: Decision) -> None:
        """Insert the decision, or replace the stored one of the same id; messages that show it get a new revision."""
        if await self.decision(decision.id) not in (None, decision):
            await self._revise_shown(decision.id)
        await self._put(
            decisions,
            "id",
            id=decision.id,
            incident_id=decision.incident_id,
            state=decision.state.value,
            opened_at=decision.opened_at,
            content=to_json(decision),
        )
        self._touch(decision.incident_id)

    async def decision(self, decision_id: str) -> Decision | None:
        """Return the decision, locked until the end of the transaction."""
        query = sa.select(decisions.c.content).where(decisions.c.id == decision_id).with_for_update()
        content = await self._connection.scalar(query)
        return None if content is None else from_json(Decision, content)

    async def decisions(self, *, incident_id: str | None = None, open_only: bool = True) -> list[Decision]:
        """Return decisions, oldest first."""
        query = sa.select(decisions.c.content).order_by(decisions.c.opened_at, decisions.c.id)
        if incident_id is not None:
            query = query.where(decisions.c.incident_id == incident_id)
        if open_only:
            query = query.where(decisions.c.state == DecisionState.OPEN.value)
        return [from_json(Decision, content) for content in await self._connection.scalars(query)]

    async def put_message(self, incident_id: str, message: Message) -> StoredMessage:
        """Store the message, or the next revision of the one of its slot. An equal content makes no new revision."""
        stored = await self._message(outbox_id(incident_id, message.slot), locked=True)
        if stored is None:
            return await self._first_revision(incident_id, message)
        if stored.message == message:
            return stored
        values = {
            "revision": stored.revision + 1,
            "updated_at": await self.now(),
            "content": to_json(message),
            "decision_id": message.decision_id,
        }
        await self._connection.execute(sa.update(messages).where(messages.c.id == stored.id).values(**values))
        self._touch(incident_id)
        return await self._known_message(stored.id)

    async def messages(self, incident_id: str) -> list[StoredMessage]:
        """Return the incident's messages in the order in which they were first put."""
        query = MESSAGES.where(messages.c.incident_id == incident_id).order_by(messages.c.position)
        return [stored_message_of(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def unserved(self, platform: str) -> list[str]:
        """Return the ids of incidents of which the platform has not got every message's latest revision, oldest first."""
        query = sa.select(messages.c.incident_id).outerjoin(delivered, _theirs(platform)).where(_IS_DUE)
        first = sa.func.min(messages.c.position)
        return list(await self._connection.scalars(query.group_by(messages.c.incident_id).order_by(first)))

    async def undelivered(
        self, platform: str, incident_id: str | None = None, limit: int = 100
    ) -> list[tuple[StoredMessage, str | None]]:
        """Return messages whose latest revision the platform has not got, with its own id for them.

        The id is None where it was never sent, and empty where it was sent and nobody knows whether it arrived.
        """
        query = (
            MESSAGES.add_columns(delivered.c.external_id)
            .outerjoin(delivered, _theirs(platform))
            .where(_IS_DUE)
            .order_by(messages.c.position)
            .limit(limit)
        )
        if incident_id is not None:
            query = query.where(messages.c.incident_id == incident_id)
        rows = (await self._connection.execute(query)).mappings()
        return [(stored_message_of(dict(row)), row["external_id"]) for row in rows]

    async def mark_attempt(self, platform: str, message_id: str) -> None:
        """Record that the message is about to be sent for the first time: from now on it may have arrived."""
        await self._insert_once(
            delivered, platform=platform, message_id=message_id, revision=0, external_id=""
        )

    async def mark_delivered(self, platform: str, message_id: str, revision: int, external_id: str) -> None:
        """Record that the platform has this revision; an older one than is recorded changes nothing."""
        statement = self._insert(delivered).values(
            platform=platform, message_id=message_id, revision=revision, external_id=external_id
        )
        changed = {"revision": statement.excluded.revision, "external_id": statement.excluded.external_id}
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[delivered.c.platform, delivered.c.message_id],
                set_=changed,
                where=delivered.c.revision < statement.excluded.revision,
            )
        )

    async def delivered(self, platform: str, incident_id: str) -> dict[str, str]:
        """Return the platform's own ids of the incident's messages, by slot; those that are not known are left out."""
        query = (
            sa.select(messages.c.slot, delivered.c.external_id)
            .join(delivered, _theirs(platform))
            .where(messages.c.incident_id == incident_id, delivered.c.external_id != "")
        )
        return {row.slot: row.external_id for row in await self._connection.execute(query)}

    async def forget_delivered(self, platform: str, incident_id: str, place: Place) -> None:
        """Forget that the incident's messages of this place were ever sent to the platform: that place is gone."""
        there = [one.id for one in await self.messages(incident_id) if one.message.place is place]
        await self._connection.execute(
            sa.delete(delivered).where(delivered.c.platform == platform, delivered.c.message_id.in_(there))
        )
        self._touch(incident_id)

    async def first_delivery(self, delivery_id: str) -> bool:
        """Record an incoming delivery id; False when it was seen before."""
        return await self._insert_once(deliveries, id=delivery_id, at=await self.now())

    async def _first_revision(self, incident_id: str, message: Message) -> StoredMessage:
        message_id = outbox_id(incident_id, message.slot)
        now = await self.now()
        values = {"id": message_id, "incident_id": incident_id, "slot": message.slot, "revision": 1}
        await self._connection.execute(
            sa.insert(messages).values(
                **values,
                created_at=now,
                updated_at=now,
                content=to_json(message),
                decision_id=message.decision_id,
            )
        )
        self._touch(incident_id)
        return await self._known_message(message_id)

    async def _revise_shown(self, decision_id: str) -> None:
        """Give each message that shows a decision a new revision."""
        values = {"revision": messages.c.revision + 1, "updated_at": await self.now()}
        await self._connection.execute(
            sa.update(messages).where(messages.c.decision_id == decision_id).values(**values)
        )

    async def _message(self, message_id: str, *, locked: bool = False) -> StoredMessage | None:
        query = MESSAGES.where(messages.c.id == message_id)
        if locked:
            query = query.with_for_update(of=messages)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else stored_message_of(dict(row))

    async def _known_message(self, message_id: str) -> StoredMessage:
        stored = await self._message(message_id)
        if stored is None:
            raise LookupError(f"message {message_id} is not in the store right after it was written")
        return stored
