"""The fixed names of the stand-in's one server (Discord says guild): what a test gives to the bot in place of secrets."""

from __future__ import annotations

# An application and its bot's user share their id, as they do for every app made since 2016.
APP_ID = "1100000000000000001"
BOT_USER_ID = APP_ID
BOT_NAME = "backout"
OWNER_ID = "1100000000000000002"
GUILD_ID = "1100000000000000010"
GUILD_NAME = "Backout tests"
EVERYONE_ID = GUILD_ID
BOT_ROLE_ID = "1100000000000000011"

# No secret: it opens this stand-in and nothing else.
BOT_TOKEN = "MTEwMDAwMDAw.stand-in.bot-token"
