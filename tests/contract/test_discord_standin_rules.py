"""The stand-in of Discord holds every body to Discord's limits, and to its public description."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

import discord as library
import pytest

from tests.contract.discord_bot import bot_on, logged_in, route
from tests.contract.discord_fixtures import (
    ada,
    discord,
    discord_address,
    general,
    responders,
    schema,
)
from tests.fakes.discord.client import Discord, Person
from tests.fakes.discord.rules import content_faults
from tests.fakes.discord.rules_commands import commands_faults
from tests.fakes.discord.rules_components import component_faults, modal_faults
from tests.fakes.discord.schema import Schema
from tests.fakes.discord.things import Json

__all__ = ["ada", "discord", "discord_address", "general", "responders", "schema"]


def button(custom_id: str = "a", **more: Any) -> Json:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": custom_id, **more}


def row(*parts: Json) -> Json:
    return {"type": 1, "components": list(parts)}


def menu(options: int = 2, **more: Any) -> Json:
    listed = [{"label": str(number), "value": str(number)} for number in range(options)]
    return {"type": 3, "custom_id": "pick", "options": listed, **more}


def field(custom_id: str = "site", label: str = "Site", **more: Any) -> Json:
    return row({"type": 4, "custom_id": custom_id, "style": 1, "label": label, **more})


def modal(*parts: Json, **more: Any) -> Json:
    return {"title": "Cut over", "custom_id": "confirm", "components": list(parts), **more}


def command(**more: Any) -> Json:
    return {"name": "incident", "description": "Incidents", "type": 1, **more}


def option(name: str = "site", **more: Any) -> Json:
    return {"name": name, "description": "x", "type": 3, **more}


GOOD_MESSAGES: Sequence[Json] = (
    {"content": "x" * 2000},
    {"embeds": [{"description": "x" * 4096}, {"description": "x" * 1904}]},
    {"embeds": [{"fields": [{"name": "a", "value": "b"}] * 25}]},
    {"components": [row(*[button(f"{line}{number}") for number in range(5)]) for line in range(5)]},
    {"components": [row(menu(25))]},
    {"components": [row({"type": 2, "style": 5, "label": "Runbook", "url": "https://example.test"})]},
    {"flags": 1 << 15, "components": [{"type": 10, "content": "# Status"}, row(button())]},
)
BAD_MESSAGES: dict[str, Json] = {
    "content": {"content": "x" * 2001},
    "eleven_embeds": {"embeds": [{"title": "x"}] * 11},
    "embeds_together": {"embeds": [{"description": "x" * 4096}, {"description": "x" * 1905}]},
    "embed_title": {"embeds": [{"title": "x" * 257}]},
    "embed_fields": {"embeds": [{"fields": [{"name": "a", "value": "b"}] * 26}]},
    "field_value": {"embeds": [{"fields": [{"name": "a", "value": "x" * 1025}]}]},
    "field_empty": {"embeds": [{"fields": [{"name": "a", "value": " "}]}]},
    "embed_key": {"embeds": [{"title": "x", "colour": 3}]},
    "nonce": {"content": "x", "nonce": "n" * 26},
    "no_nonce": {"content": "x", "enforce_nonce": True},
    "six_rows": {"components": [row(button(str(number))) for number in range(6)]},
    "six_buttons": {"components": [row(*[button(str(number)) for number in range(6)])]},
    "empty_row": {"components": [row()]},
    "no_row": {"components": [button()]},
    "menu_and_button": {"components": [row(menu(), button())]},
    "two_of_an_id": {"components": [row(button("a"), button("a"))]},
    "long_id": {"components": [row(button("a" * 101))]},
    "no_id": {"components": [row({"type": 2, "style": 1, "label": "Go"})]},
    "long_label": {"components": [row(button(label="x" * 81))]},
    "no_label": {"components": [row({"type": 2, "style": 1, "custom_id": "a"})]},
    "link_with_id": {"components": [row(button(style=5, url="https://example.test"))]},
    "options": {"components": [row(menu(26))]},
    "no_options": {"components": [row(menu(0))]},
    "choices": {"components": [row(menu(2, max_values=3))]},
    "input": {"components": [field()]},
    "layout_and_content": {"flags": 1 << 15, "content": "x", "components": [{"type": 10, "content": "y"}]},
    "both_mentions": {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
    "unknown_mention": {"content": "x", "allowed_mentions": {"parse": ["all"]}},
}
BAD_MODALS: dict[str, Json] = {
    "title": modal(field(), title="x" * 46),
    "no_title": {"custom_id": "a", "components": [field()]},
    "label": modal(field(label="x" * 46)),
    "long_label": modal(
        {"type": 18, "label": "x" * 46, "component": {"type": 4, "custom_id": "a", "style": 1}}
    ),
    "six_fields": modal(*[field(str(number)) for number in range(6)]),
    "no_field": modal(),
    "two_in_a_row": modal({"type": 1, "components": [field()["components"][0]] * 2}),
    "two_of_an_id": modal(field(), field()),
    "button": modal(row(button())),
    "value": modal(field(value="x" * 51, max_length=50)),
    "style": modal(field(style=3)),
}
BAD_COMMANDS: dict[str, list[Json]] = {
    "upper_case": [command(name="Incident")],
    "space": [command(name="in cident")],
    "long_name": [command(name="x" * 33)],
    "no_description": [command(description="")],
    "long_description": [command(description="x" * 101)],
    "twice": [command(), command()],
    "too_many": [command(name=f"c{number}") for number in range(101)],
    "options": [command(options=[option(f"o{number}") for number in range(26)])],
    "required_last": [command(options=[option("a"), option("b", required=True)])],
    "choices": [
        command(
            options=[option(choices=[{"name": str(number), "value": str(number)} for number in range(26)])]
        )
    ],
    "choice_value": [command(options=[option(choices=[{"name": "a", "value": "x" * 101}])])],
    "both": [command(options=[option(choices=[{"name": "a", "value": "a"}], autocomplete=True)])],
    "mixed": [command(options=[{"name": "sub", "description": "x", "type": 1}, option()])],
    "deep": [
        command(options=[option("a", type=2, options=[option("b", type=2, options=[option("c", type=1)])])])
    ],
    "characters": [
        command(
            options=[
                option(
                    "ab" + str(number), choices=[{"name": str(one), "value": "x" * 99} for one in range(9)]
                )
                for number in range(10)
            ]
        )
    ],
    "menu_description": [{"name": "Add", "type": 3, "description": "x"}],
    "unknown_key": [command(option=[])],
}


@pytest.mark.parametrize("body", GOOD_MESSAGES)
def test_what_is_just_allowed(body: Json) -> None:
    """At its limit a message is fine."""
    assert [*content_faults(body), *component_faults(body)] == []


@pytest.mark.parametrize("name", BAD_MESSAGES)
def test_a_message_over_a_limit(name: str) -> None:
    """One step over a limit is found, with the place."""
    body = BAD_MESSAGES[name]
    [(at, what), *_] = [*content_faults(body), *component_faults(body)]
    assert at.split("/")[0] in body
    assert what


@pytest.mark.parametrize("name", BAD_MODALS)
def test_a_modal_over_a_limit(name: str) -> None:
    """One step over a limit is found."""
    assert list(modal_faults(modal(field()))) == []
    assert list(modal_faults(BAD_MODALS[name])) != []


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_a_command_over_a_limit(name: str) -> None:
    """One step over a limit is found."""
    assert list(commands_faults([command(options=[option()])])) == []
    assert list(commands_faults(BAD_COMMANDS[name])) != []


@pytest.fixture
async def client(discord: Discord) -> AsyncIterator[library.Client]:
    async with logged_in(discord) as client:
        yield client


def send(channel: str) -> library.http.Route:
    return route("POST", "/channels/{channel_id}/messages", channel_id=channel)


@pytest.mark.parametrize(
    ("body", "rule", "code"),
    [
        ({"content": "x" * 2001}, "invalid_content", 50035),
        ({"embeds": [{"title": "x" * 257}]}, "invalid_embeds", 50035),
        ({"components": [row(button("a"), button("a"))]}, "invalid_components", 50035),
        ({"content": " "}, "empty_message", 50006),
        ({"content": "x", "flags": 64}, "invalid_flags", 50035),
        ({"content": "x", "attachments": [{"id": "7", "filename": "x"}]}, "invalid_attachments", 50035),
    ],
    ids=["content", "embed", "components", "empty", "flags", "attachment"],
)
async def test_a_bad_body_is_refused_and_written_down(
    discord: Discord, client: library.Client, general: str, body: Json, rule: str, code: int
) -> None:
    """Nothing is posted, the answer has Discord's code, and the list of violations has the rule."""
    with pytest.raises(library.HTTPException) as caught:
        await client.http.request(send(general), json=body)
    assert caught.value.code == code
    assert await discord.messages("general") == []
    found = await discord.violations()
    assert [one.rule for one in found] in ([rule], ["schema"])


@pytest.mark.parametrize(
    "body",
    [{"content": 7}, {"content": "x", "ephemeral": True}, {"content": "x", "embeds": {"title": "x"}}],
    ids=["type", "unknown_key", "no_list"],
)
async def test_a_body_that_the_description_does_not_allow(
    discord: Discord, client: library.Client, general: str, body: Json, schema: None
) -> None:
    """What our own limits do not look at, Discord's description does."""
    with pytest.raises(library.HTTPException, match="50035"):
        await client.http.request(send(general), json=body)
    assert [one.rule for one in await discord.violations()] == ["schema"]


def test_every_route_is_named_as_the_description_names_it(schema: None) -> None:
    """Each operation of the stand-in stands under its own name, method and address in Discord's description."""
    from tests.fakes.discord.routes import ROUTES

    known = Schema()
    paths = {one.operation: (one.path, one.method.lower()) for one in ROUTES}
    assert {name: place for name, place in paths.items() if known._operations[name] != place} == {}


@pytest.mark.parametrize(("length", "refused"), [(1024, False), (1025, True)])
async def test_the_length_of_a_topic(
    discord: Discord, client: library.Client, general: str, length: int, refused: bool
) -> None:
    """A topic of 1,024 characters is a topic."""
    channel: Any = await client.fetch_channel(int(general))
    if refused:
        with pytest.raises(library.HTTPException, match="50035"):
            await channel.edit(topic="x" * length)
    else:
        await channel.edit(topic="x" * length)
    assert bool(await discord.violations()) == refused


async def test_a_file_of_more_than_ten_megabytes(
    discord: Discord, client: library.Client, general: str
) -> None:
    """Discord answers 413; a long report has to be cut or split before."""
    channel: Any = await client.fetch_channel(int(general))
    file = library.File(io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), filename="report.md")
    with pytest.raises(library.HTTPException) as caught:
        await channel.send(file=file)
    assert (caught.value.status, caught.value.code) == (413, 40005)


async def test_answers_are_held_to_the_limits_too(discord: Discord, ada: Person, general: str) -> None:
    """A modal, a followup and a first answer over their limits are refused and written down."""
    async with bot_on(discord) as bot:
        await ada.command(general, "/incident start", site="album", summary="x")
        with pytest.raises(library.HTTPException, match="50035"):
            await bot.heard[0].followup.send("x" * 2001)
        with pytest.raises(library.HTTPException, match="50035"):
            await bot.heard[0].edit_original_response(content="x" * 2001)
    assert len(await discord.violations()) == 2
