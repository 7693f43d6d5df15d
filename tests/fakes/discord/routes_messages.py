"""Messages: posted, read, edited, deleted."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.content import check_content, check_writable, edit, fields_of
from tests.fakes.discord.routes_threads import wake
from tests.fakes.discord.things import Channel, Event, Message
from tests.fakes.discord.wire_messages import (
    DIRECT_MESSAGES,
    GUILD_MESSAGES,
    message_json,
    seen_by_bot,
    tell_message,
)
from tests.fakes.discord.world import World

# Documented as "the past few minutes"; how many is not said.
NONCE_KEPT_S = 180.0
REPLY = 19


def post(ask: Ask) -> Json:
    """Post a message; one with a nonce that was used in the last minutes is given back and not made again."""
    channel, body = ask.text_channel(), ask.keys()
    check_writable(ask, channel)
    known = _same_nonce(ask, channel, body)
    if known is not None:
        return message_json(ask.world, known, nonce=True)
    check_content(ask, body)
    reference = _reference(ask, channel, body)
    wake(ask.world, channel)
    message = ask.world.post(
        channel,
        ask.world.bot.id,
        nonce=body.get("nonce"),
        reference=reference,
        kind=REPLY if reference else 0,
        **fields_of(ask, channel, body),
    )
    if body.get("nonce") is not None:
        key = (channel.id, str(body["nonce"]))
        ask.world.nonces[key] = (ask.world.clock.now_s(), message.id)
    tell_message(ask.world, channel, message)
    return message_json(ask.world, message, nonce=True)


def _same_nonce(ask: Ask, channel: Channel, body: Json) -> Message | None:
    """Return the message that was made with the same nonce.

    Raises:
        Refused: 10008, where that message was deleted since: Discord does not make it again.
    """
    kept = ask.world.nonces.get((channel.id, str(body.get("nonce"))))
    if not body.get("enforce_nonce") or kept is None:
        return None
    made_s, message_id = kept
    if ask.world.clock.now_s() - made_s > NONCE_KEPT_S:
        return None
    if message_id not in channel.messages:
        raise Refused(10008)
    return channel.messages[message_id]


def _reference(ask: Ask, channel: Channel, body: Json) -> Json | None:
    given = body.get("message_reference")
    if not given:
        return None
    message_id = str(given.get("message_id"))
    if message_id not in channel.messages:
        if given.get("fail_if_not_exists") is False:
            return None
        raise Refused(50035, errors={"message_reference": {"_errors": [{"message": "Unknown message"}]}})
    ask.need("read_message_history", channel=channel)
    return {"channel_id": channel.id, "message_id": message_id, "guild_id": names.GUILD_ID}


def visible(channel: Channel) -> list[Message]:
    """Return a channel's messages that everybody sees."""
    return [one for one in channel.messages.values() if not one.seen_by]


def many(ask: Ask) -> list[Json]:
    """Return messages, the newest first. Without the right to read the history Discord answers with none."""
    channel = ask.text_channel()
    limit = ask.number("limit", 50, least=1, most=100)
    given = [one for one in ("before", "after", "around") if one in ask.query]
    if len(given) > 1:
        raise ask.wrong("invalid_query", [("query", f"{' and '.join(given)} exclude each other")])
    ask.world.permissions_used.add("read_message_history")
    if not ask.world.may(ask.world.bot.id, "read_message_history", channel):
        return []
    found = sorted(visible(channel), key=lambda one: int(one.id))
    chosen = _around(found, given[0], int(ask.query[given[0]]), limit) if given else found[-limit:]
    return [seen_by_bot(ask.world, one) for one in reversed(chosen)]


def _around(found: list[Message], word: str, pivot: int, limit: int) -> list[Message]:
    if word == "before":
        return [one for one in found if int(one.id) < pivot][-limit:]
    if word == "after":
        return [one for one in found if int(one.id) > pivot][:limit]
    before = [one for one in found if int(one.id) < pivot][-(limit // 2) :]
    rest = [one for one in found if int(one.id) >= pivot][: limit - len(before)]
    return before + rest


def one(ask: Ask) -> Json:
    channel = ask.text_channel()
    ask.need("read_message_history", channel=channel)
    return seen_by_bot(ask.world, ask.message(channel))


def change(ask: Ask) -> Json:
    """Edit an own message; in a thread that is archived nothing can be edited."""
    channel = ask.text_channel()
    message = ask.message(channel)
    if message.author_id != ask.world.bot.id:
        raise ask.wrong("edit_of_another", f"{message.id} is not the bot's", 50005)
    if message.is_note:
        raise ask.wrong("edit_of_a_note", f"{message.id} is Discord's own note", 50021)
    if channel.archived:
        raise Refused(50083)
    check_content(ask, ask.keys(), edited=message)
    edit(ask, message, ask.keys())
    tell_message(ask.world, channel, message, "MESSAGE_UPDATE")
    return message_json(ask.world, message)


def delete(ask: Ask) -> None:
    channel = ask.text_channel()
    message = ask.message(channel)
    if message.author_id != ask.world.bot.id:
        ask.need("manage_messages", channel=channel)
    if channel.archived:
        raise Refused(50083)
    remove(ask.world, channel, message)


def remove(world: World, channel: Channel, message: Message) -> None:
    """Take a message out of a channel, from its pins too, and tell of it."""
    del channel.messages[message.id]
    channel.pins.pop(message.id, None)
    world.gone.add(message.id)
    if not message.seen_by and not world.bot_sees(channel):
        return
    direct = channel.is_direct or bool(message.seen_by)
    data: Json = {"id": message.id, "channel_id": channel.id}
    if not direct:
        data["guild_id"] = names.GUILD_ID
    intent = DIRECT_MESSAGES if direct else GUILD_MESSAGES
    world.emit(Event(name="MESSAGE_DELETE", data=data, intent=intent))


def delete_many(ask: Ask) -> None:
    """Delete 2 to 100 messages that are not older than two weeks."""
    channel = ask.text_channel()
    ask.need("manage_messages", channel=channel)
    given = ask.keys().get("messages") or []
    if not 2 <= len(given) <= 100 or len(set(given)) != len(given):
        raise ask.wrong("invalid_bulk", [("messages", "2 to 100 different ids are wanted")])
    for message_id in given:
        if str(message_id) in channel.messages:
            remove(ask.world, channel, channel.messages[str(message_id)])


ROUTES = [
    route("GET /channels/{channel_id}/messages", "list_messages", many),
    route("POST /channels/{channel_id}/messages", "create_message", post),
    route("POST /channels/{channel_id}/messages/bulk-delete", "bulk_delete_messages", delete_many, 204),
    route("GET /channels/{channel_id}/messages/{message_id}", "get_message", one),
    route("PATCH /channels/{channel_id}/messages/{message_id}", "update_message", change),
    route("DELETE /channels/{channel_id}/messages/{message_id}", "delete_message", delete, 204),
]
