"""How a stand-in serves: on loopback, its address printed, until it is ended or whoever started it is gone."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tests.fakes.common.book import Book

LOOK_EVERY_S = 1.0


@asynccontextmanager
async def served(
    book: Book, routes: Iterable[web.RouteDef], *, port: int, body_bytes: int
) -> AsyncIterator[None]:
    """Serve the routes, with bodies of so many bytes at most; port 0 takes a free one. The book learns the address."""
    app = web.Application(client_max_size=body_bytes, middlewares=[own_faults(book)])
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    book.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(book.address, flush=True)
    yield
    await runner.cleanup()


def own_faults(book: Book) -> Middleware:
    """Return the outer door: a fault of the stand-in itself is a violation too, so that no test passes over it."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None and not request.path.startswith("/control/"):
            book.handling.add(task)
            task.add_done_callback(book.handling.discard)
        try:
            return await handler(request)
        except (web.HTTPException, ConnectionError):
            # The second: whoever asked has gone, by a test's wish or the bot's end.
            raise
        except Exception as error:
            book.violate("stand_in_fault", request.path, repr(error))
            raise

    return door


async def ended(*, with_parent: bool) -> None:
    """Wait until the process is asked to end, or whoever started it is gone."""
    end = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, end.set)
    parent = os.getppid()
    while not end.is_set() and not (with_parent and os.getppid() != parent):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), LOOK_EVERY_S)


def run(name: str, about: str | None, serve: Callable[[int, bool], Awaitable[None]]) -> None:
    """Read the command line of `python -m NAME` and serve: `serve` takes the port, and whether it ends with its parent."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when whoever started it is gone")
    given = parser.parse_args()

    async def work() -> None:
        await serve(given.port, given.with_parent)

    asyncio.run(work())
