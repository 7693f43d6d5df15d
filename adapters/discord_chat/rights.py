"""What Backout may do in a server, and why: the invitation asks for this, and for nothing else.

*Source*: docs.discord.com, "Permissions" and "OAuth2".
"""

from __future__ import annotations

from urllib.parse import urlencode

BITS = {
    "View Channels": 1 << 10,
    "Manage Channels": 1 << 4,
    "Manage Roles": 1 << 28,
    "Send Messages": 1 << 11,
    "Create Public Threads": 1 << 35,
    "Send Messages in Threads": 1 << 38,
    "Embed Links": 1 << 14,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
    "Pin Messages": 1 << 51,
}

REASONS = {
    "View Channels": "see the incident's channel",
    "Manage Channels": "make the incident's channel and its category, set its topic, move it to the archived incidents",
    "Manage Roles": "let the responders into the channel, and nobody else; make it read only at the end",
    "Send Messages": "speak in the incident's channel, and in the report channel",
    "Create Public Threads": "give each step its thread",
    "Send Messages in Threads": "speak there",
    "Embed Links": "show messages as embeds, with facts and tables",
    "Attach Files": "give the report, and output that is too long for a message, as a file",
    "Read Message History": "look whether a message arrived before it is sent again",
    "Pin Messages": "pin the status and the report",
}
"""Every permission that is asked for, and why. A test plays incidents and finds each of them used."""

SCOPES = {
    "bot": "be a member of the server",
    "applications.commands": "bring the slash commands and the message menu along",
}

PERMISSIONS = sum(BITS[name] for name in REASONS)
VIEW = BITS["View Channels"]
TO_WRITE = BITS["Send Messages"] | BITS["Send Messages in Threads"]
FOR_PEOPLE = VIEW | TO_WRITE | BITS["Read Message History"]
# In the channel itself nobody can set "manage roles" but an administrator, so it is not among these.
FOR_BOT = (
    FOR_PEOPLE
    | BITS["Manage Channels"]
    | BITS["Embed Links"]
    | BITS["Attach Files"]
    | BITS["Create Public Threads"]
    | BITS["Pin Messages"]
)


def invitation(application_id: str) -> str:
    """Return the address at which an administrator of a server lets Backout in."""
    asked = {"client_id": application_id, "permissions": PERMISSIONS, "scope": " ".join(SCOPES)}
    return f"https://discord.com/oauth2/authorize?{urlencode(asked)}"
