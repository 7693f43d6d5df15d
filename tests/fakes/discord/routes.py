"""Every operation that the stand-in knows, each under Discord's own name for it."""

from __future__ import annotations

from tests.fakes.discord import (
    routes_channels,
    routes_commands,
    routes_interactions,
    routes_marks,
    routes_messages,
    routes_people,
    routes_threads,
)

ROUTES = [
    *routes_people.ROUTES,
    *routes_channels.ROUTES,
    *routes_threads.ROUTES,
    *routes_messages.ROUTES,
    *routes_marks.ROUTES,
    *routes_commands.ROUTES,
    *routes_interactions.ROUTES,
]
