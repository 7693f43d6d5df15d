"""The answer to the one who typed or pressed: seen by nobody else, sent once."""

from __future__ import annotations

import aiohttp
import structlog

from adapters.slack_chat.api import SlackApi, patient
from adapters.slack_chat.rendering import Rendered
from bot.model.errors import BackoutError

log = structlog.get_logger(__name__)

LIMIT_S = 10.0
PATIENCE_S = 60.0


class Replies:
    """Sends answers that only one person sees. One whose outcome is unknown is not repeated: it may have been read."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def to_url(self, url: str, rendered: Rendered) -> None:
        """Answer over the address that Slack gave with a command or a click. *Source*: "Handling user interaction"."""
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": rendered.text,
            "blocks": rendered.blocks,
        }
        limit = aiohttp.ClientTimeout(total=LIMIT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request("POST", url, json=body) as response,
            ):
                if response.status != 200:
                    log.warning("an answer was not taken", status=response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("an answer may not have arrived", error=type(error).__name__)

    async def in_thread(self, channel: str, account: str, thread: str | None, rendered: Rendered) -> None:
        """Answer a mention, beneath it."""
        try:
            await patient(
                lambda: self._api.change(
                    "chat.postEphemeral",
                    channel=channel,
                    user=account,
                    thread_ts=thread,
                    text=rendered.text,
                    blocks=rendered.blocks,
                ),
                PATIENCE_S,
            )
        except BackoutError as error:
            log.warning("an answer may not have arrived", error=str(error))
