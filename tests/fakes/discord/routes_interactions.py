"""Answers to interactions: the first one, within three seconds, and what follows by the interaction's token."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.content import check_content, edit, fields_of
from tests.fakes.discord.routes_messages import remove
from tests.fakes.discord.rules import FLAGS_OF_BOTS, Fault
from tests.fakes.discord.rules_commands import choices_faults
from tests.fakes.discord.rules_components import modal_faults
from tests.fakes.discord.things import FIRST_ANSWER_S, Channel, Flag, Interaction, Message, Modal
from tests.fakes.discord.wire_messages import message_json, tell_message

TOKEN_S = 15 * 60.0
COMMAND, COMPONENT, AUTOCOMPLETE, SUBMIT = 2, 3, 4, 5
SAY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
# What may answer what. A modal's submission has a message to update only where a component opened it.
ANSWERS = {
    COMMAND: (SAY, DEFER, MODAL),
    COMPONENT: (SAY, DEFER, DEFER_UPDATE, UPDATE, MODAL),
    AUTOCOMPLETE: (CHOICES,),
    SUBMIT: (SAY, DEFER),
}
FLAGS_OF_ANSWERS = FLAGS_OF_BOTS | Flag.EPHEMERAL
ANSWER_TO_COMMAND, ANSWER_TO_MENU, REPLY = 20, 23, 19


def answer(ask: Ask) -> Json | None:
    """Take the first answer to an interaction."""
    interaction = _waiting(ask)
    body = ask.keys()
    kind = body.get("type")
    allowed = ANSWERS[interaction.kind]
    if interaction.kind == SUBMIT and interaction.message_id:
        allowed = (*allowed, DEFER_UPDATE, UPDATE)
    if kind not in allowed:
        raise ask.wrong("invalid_answer", [("type", f"{kind!r} is none of {allowed}")])
    data = body.get("data") or {}
    if kind in (SAY, UPDATE):
        original = _source(ask, interaction) if kind == UPDATE else None
        check_content(ask, data, flags=FLAGS_OF_ANSWERS, edited=original)
    _checked(ask, interaction, kind, data)
    message = _do(ask, interaction, kind, data)
    interaction.answer = body
    interaction.ack_ms = (ask.came_perf_s - interaction.sent_perf_s) * 1000
    interaction.settled.set()
    if ask.query.get("with_response") not in ("true", "True", "1"):
        return None
    return _told(ask, interaction, kind, message)


def _waiting(ask: Ask) -> Interaction:
    """Return the interaction, if it waits for its first answer still.

    Raises:
        Refused: 10062 for one that is over or never was, 40060 for one that was answered.
    """
    found = ask.world.interactions.get(ask.path["interaction_id"])
    if found is None or found.token != ask.path["interaction_token"]:
        raise ask.wrong("unknown_interaction", "there never was such an interaction and token", 10062)
    if found.answer is not None:
        if found.answer_lost or found.repeated:
            raise Refused(40060)
        raise ask.wrong("acked_twice", f"{found.name} was answered already", 40060)
    if found.error or ask.world.clock.now_s() - found.made_s > FIRST_ANSWER_S:
        raise Refused(10062)
    return found


def _checked(ask: Ask, interaction: Interaction, kind: int, data: Json) -> None:
    faults: list[Fault] = []
    if kind == MODAL:
        faults = list(modal_faults(data))
    if kind == CHOICES:
        faults = list(choices_faults(data.get("choices"), "data/choices", _focused_type(interaction)))
    if kind == DEFER and int(data.get("flags") or 0) & ~Flag.EPHEMERAL:
        faults = [("data/flags", "only the flag for ephemeral may be set here")]
    if faults:
        raise ask.wrong("invalid_modal" if kind == MODAL else "invalid_answer", faults)


def _focused_type(interaction: Interaction) -> int:
    options = interaction.payload["data"].get("options", [])
    while options and options[0]["type"] in (1, 2):
        options = options[0].get("options", [])
    return next((int(one["type"]) for one in options if one.get("focused")), 3)


def _do(ask: Ask, interaction: Interaction, kind: int, data: Json) -> Message | None:
    """Do what an answer asks for; returns the message that it made or changed."""
    world, user_id = ask.world, interaction.user_id
    if interaction.kind == SUBMIT:
        world.modals.pop(user_id, None)
    if kind == MODAL:
        world.modals[user_id] = Modal(
            user_id=user_id,
            channel_id=interaction.channel_id,
            content=data,
            message_id=interaction.message_id,
        )
        return None
    if kind == DEFER:
        flags = int(data.get("flags") or 0) | Flag.LOADING
        return _say(ask, interaction, {"flags": flags}, original=True)
    if kind == SAY:
        return _say(ask, interaction, data, original=True)
    if kind in (UPDATE, DEFER_UPDATE):
        interaction.response_id = interaction.message_id
        message = _source(ask, interaction)
        if kind == UPDATE:
            _edit(ask, interaction, message, data)
        return message
    return None


def _place(ask: Ask, interaction: Interaction) -> Channel:
    found = ask.world.channels.get(interaction.channel_id)
    if found is None:
        raise _gone(interaction, 10003)
    return found


def _gone(interaction: Interaction, code: int) -> Refused:
    """Refuse an answer because of what is gone: then it is not the bot's fault that none is taken."""
    interaction.refused = True
    return Refused(code)


def _source(ask: Ask, interaction: Interaction) -> Message:
    """Return the message whose button was pressed."""
    found = _place(ask, interaction).messages.get(interaction.message_id)
    if found is None:
        raise _gone(interaction, 10008)
    return found


def _say(ask: Ask, interaction: Interaction, data: Json, *, original: bool) -> Message:
    """Post an answer in the interaction's channel. Ephemeral: seen by one person."""
    channel = _place(ask, interaction)
    fields = fields_of(ask, channel, data)
    kind, reference = _kind_of(interaction, original=original)
    message = ask.world.post(
        channel,
        ask.world.bot.id,
        kind=kind,
        reference=reference,
        interaction_id=interaction.id,
        seen_by=interaction.user_id if fields["flags"] & Flag.EPHEMERAL else "",
        **fields,
    )
    if original:
        interaction.response_id = message.id
    else:
        interaction.followups.append(message.id)
    tell_message(ask.world, channel, message)
    return message


def _kind_of(interaction: Interaction, *, original: bool) -> tuple[int, Json | None]:
    if interaction.kind == COMMAND and original:
        menu = interaction.payload["data"].get("type") == 3
        return (ANSWER_TO_MENU if menu else ANSWER_TO_COMMAND), None
    replied = interaction.message_id if interaction.kind != COMMAND else interaction.response_id
    if replied:
        return REPLY, {"channel_id": interaction.channel_id, "message_id": replied}
    return 0, None


def _edit(ask: Ask, interaction: Interaction, message: Message, data: Json) -> None:
    channel = _place(ask, interaction)
    if message.flags & Flag.LOADING:
        fill(ask, channel, message, data)
        return
    edit(ask, message, data)
    tell_message(ask.world, channel, message, "MESSAGE_UPDATE")


def fill(ask: Ask, channel: Channel, message: Message, data: Json) -> None:
    """Put the first words in the place of "is thinking"; whether it is ephemeral was said with the deferral."""
    fields = fields_of(ask, channel, data)
    fields["flags"] = message.flags & ~Flag.LOADING & ~FLAGS_OF_BOTS | fields["flags"] & FLAGS_OF_BOTS
    for name, value in fields.items():
        setattr(message, name, value)
    tell_message(ask.world, channel, message, "MESSAGE_UPDATE")


def _told(ask: Ask, interaction: Interaction, kind: int, message: Message | None) -> Json:
    """Return the callback's response: the interaction, and the message where there is one."""
    told: Json = {
        "id": interaction.id,
        "type": interaction.kind,
        "channel_id": interaction.channel_id,
    }
    if interaction.in_guild:
        told["guild_id"] = names.GUILD_ID
    if message is None:
        return {"interaction": told}
    told.update(
        response_message_id=message.id,
        response_message_loading=bool(message.flags & Flag.LOADING),
        response_message_ephemeral=bool(message.flags & Flag.EPHEMERAL),
    )
    if kind in (DEFER, DEFER_UPDATE):
        return {"interaction": told}
    return {"interaction": told, "resource": {"type": kind, "message": message_json(ask.world, message)}}


# ---- by the token


def _by_token(ask: Ask) -> Interaction:
    """Return the interaction of a token.

    Raises:
        Refused: 10015 before the first answer, 50027 after fifteen minutes.
    """
    found = ask.world.interaction_by_token(ask.path["webhook_token"])
    if found is None or ask.path["webhook_id"] != names.APP_ID:
        raise ask.wrong("unknown_webhook", "there never was such a token", 10015)
    if ask.world.clock.now_s() - found.made_s > TOKEN_S:
        raise ask.wrong("expired_token", f"{found.name}: the token is older than 15 minutes", 50027)
    if found.answer is None:
        if found.error:
            raise Refused(10015)
        raise ask.wrong("followup_before_answer", f"{found.name} has no first answer yet", 10015)
    return found


def follow_up(ask: Ask) -> Json | None:
    """Say something more. The first after a deferral takes the place of "is thinking"."""
    interaction, body = _by_token(ask), ask.keys()
    if interaction.kind == AUTOCOMPLETE:
        raise ask.wrong("invalid_followup", "an autocompletion has no messages", 10015)
    check_content(ask, body, flags=FLAGS_OF_ANSWERS)
    waiting = _original(ask, interaction) if interaction.response_id else None
    if waiting is not None and waiting.flags & Flag.LOADING:
        fill(ask, _place(ask, interaction), waiting, body)
        message = waiting
    else:
        message = _say(ask, interaction, body, original=False)
    return message_json(ask.world, message)


def _original(ask: Ask, interaction: Interaction) -> Message:
    found = _place(ask, interaction).messages.get(interaction.response_id)
    if found is None:
        raise Refused(10008)
    return found


def _named(ask: Ask) -> tuple[Interaction, Message]:
    """Return the message that the path names: the original answer, or one that followed."""
    interaction = _by_token(ask)
    given = ask.path.get("message_id")
    if given is None or given == interaction.response_id:
        return interaction, _original(ask, interaction)
    found = _place(ask, interaction).messages.get(given)
    if found is None or given not in interaction.followups:
        raise Refused(10008)
    return interaction, found


def read(ask: Ask) -> Json:
    return message_json(ask.world, _named(ask)[1])


def change(ask: Ask) -> Json:
    interaction, message = _named(ask)
    check_content(ask, ask.keys(), flags=FLAGS_OF_ANSWERS, edited=message)
    _edit(ask, interaction, message, ask.keys())
    return message_json(ask.world, message)


def delete(ask: Ask) -> None:
    interaction, message = _named(ask)
    remove(ask.world, _place(ask, interaction), message)


HOOK = "/webhooks/{webhook_id}/{webhook_token}"
ROUTES = [
    route(
        "POST /interactions/{interaction_id}/{interaction_token}/callback",
        "create_interaction_response",
        answer,
        by_token=True,
    ),
    route(f"POST {HOOK}", "execute_webhook", follow_up, by_token=True),
    route(f"GET {HOOK}/messages/@original", "get_original_webhook_message", read, by_token=True),
    route(f"PATCH {HOOK}/messages/@original", "update_original_webhook_message", change, by_token=True),
    route(f"DELETE {HOOK}/messages/@original", "delete_original_webhook_message", delete, 204, by_token=True),
    route(f"GET {HOOK}/messages/{{message_id}}", "get_webhook_message", read, by_token=True),
    route(f"PATCH {HOOK}/messages/{{message_id}}", "update_webhook_message", change, by_token=True),
    route(f"DELETE {HOOK}/messages/{{message_id}}", "delete_webhook_message", delete, 204, by_token=True),
]
