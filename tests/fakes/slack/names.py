"""The fixed names of the stand-in's one workspace: what a test gives to the bot in place of real secrets."""

from __future__ import annotations

TEAM_ID = "T0BACKOUT1"
TEAM_DOMAIN = "backout-tests"
APP_ID = "A0BACKOUT1"
BOT_ID = "B0BACKOUT1"
BOT_USER_ID = "U0BACKOUT1"
BOT_NAME = "backout"

# No secrets: they open this stand-in and nothing else.
BOT_TOKEN = "xoxb-stand-in-bot"
APP_TOKEN = "xapp-1-stand-in-app"
SIGNING_SECRET = "stand-in-signing-secret"
