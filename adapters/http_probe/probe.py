"""Asks a site's web front over HTTP with aiohttp."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Sequence

import aiohttp

from bot.model.errors import ProbeError
from bot.model.secret import Secret
from bot.ports.probe import Answer, PageAsked, PageSeen

TIME_LIMIT_S = 10
AT_ONCE = 4
"""So many addresses are asked at the same time: a slow one does not hold up the others, and a small host is not pressed."""
PAGE_BYTES = 4_000_000
"""So much of a page is looked through; an error page is far smaller."""


_NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})
"""Codings of Python that no page is in; of these `punycode` takes hours for a page, and everything else would wait."""


class HttpProbe:
    """A visitor without cookies, and a visitor with the maintenance bypass. One short session for each question."""

    async def status(self, url: str) -> Answer:
        """Return what a visitor gets for an address; redirects are not followed. *Raises* ProbeError."""
        seen = (await self.visit([PageAsked(url=url, time_limit_s=TIME_LIMIT_S)]))[0]
        if seen.status is None or seen.failure:
            raise ProbeError(f"{url} did not answer over HTTP ({seen.failure}). Nothing was changed.")
        return Answer(path=url, status=seen.status, duration_s=seen.duration_s)

    async def visit(self, pages: Sequence[PageAsked], secret: Secret | None = None) -> list[PageSeen]:
        """Return what was seen of each page. With a secret the bypass is got first, once for each host.

        *Source*: PreventRequestsDuringMaintenance of Laravel 8: a visit to /SECRET answers with the cookie.
        """
        turns = asyncio.Semaphore(AT_ONCE)
        async with _session() as outside, _session() as inside:
            if secret is not None:
                for place in dict.fromkeys(page.bypass_at for page in pages if page.bypass_at):
                    await _visit(inside, PageAsked(url=f"{place}/{secret.reveal()}"), turns)
            visits = (_visit(inside if page.bypass_at else outside, page, turns) for page in pages)
            return list(await asyncio.gather(*visits))


def _session() -> aiohttp.ClientSession:
    # "unsafe" means: cookies of addresses without a name are kept too
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def _visit(session: aiohttp.ClientSession, page: PageAsked, turns: asyncio.Semaphore) -> PageSeen:
    """Return what was seen of one page; of what the library says only the kind of error is told, as it quotes addresses."""
    async with turns:
        began = time.monotonic()
        status, failure, text = None, None, ""
        try:
            limit = aiohttp.ClientTimeout(total=page.time_limit_s)
            async with session.get(page.url, allow_redirects=False, timeout=limit) as response:
                status = response.status
                text = await _text(response)
        except TimeoutError:
            failure = f"no {'whole ' if status else ''}answer within {page.time_limit_s:g} s"
        except (aiohttp.ClientError, ValueError) as error:
            failure = f"no {'whole ' if status else ''}answer: {type(error).__name__}"
        return PageSeen(
            status=status,
            duration_s=time.monotonic() - began,
            found=_found(text, page.texts),
            failure=failure,
        )


async def _text(response: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) >= PAGE_BYTES:
            break
    charset = (response.charset or "utf-8").lower().replace("_", "-")
    if charset in _NO_CHARSETS:
        charset = "utf-8"
    try:
        return body.decode(charset, errors="replace")
    except LookupError:  # the server names a charset that there is none of
        return body.decode("utf-8", errors="replace")


def _found(text: str, looked_for: Sequence[str]) -> frozenset[str]:
    """Return which texts are in a page, as it was sent or as a person reads it (`&amp;` is `&`)."""
    read = html.unescape(text)
    return frozenset(one for one in looked_for if one in text or one in read)
