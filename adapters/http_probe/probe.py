"""Asks a site's web front over HTTP with aiohttp."""

from __future__ import annotations

import time

import aiohttp

from bot.model.errors import ProbeError
from bot.model.secret import Secret
from bot.ports.probe import Answer

TIME_LIMIT_S = 10


class HttpProbe:
    """A visitor without cookies, and a visitor with the maintenance bypass. One short session for each question."""

    async def status(self, url: str) -> Answer:
        """Return what a visitor gets for an address; redirects are not followed. *Raises* ProbeError."""
        async with _session() as session:
            return await _ask(session, url, url)

    async def behind_bypass(self, base_url: str, secret: Secret, paths: tuple[str, ...]) -> list[Answer]:
        """Return what someone with the bypass cookie gets for each path. *Raises* ProbeError.

        *Source*: PreventRequestsDuringMaintenance of Laravel 8: a visit to /SECRET answers with the cookie.
        """
        async with _session() as session:
            await _ask(session, f"{base_url}/{secret.reveal()}", f"{base_url}/(bypass)")
            return [await _ask(session, base_url + path, path) for path in paths]


def _session() -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)  # "unsafe" means: cookies of addresses without a name are kept too
    return aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=TIME_LIMIT_S))


async def _ask(session: aiohttp.ClientSession, url: str, shown: str) -> Answer:
    began = time.monotonic()
    try:
        async with session.get(url, allow_redirects=False) as response:
            await response.read()
            return Answer(path=shown, status=response.status, duration_s=time.monotonic() - began)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ProbeError(
            f"{shown} did not answer over HTTP ({type(error).__name__}). Nothing was changed."
        ) from error
