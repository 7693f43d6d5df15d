"""Starts the stand-in of Discord as a process of its own, prints its address, and serves until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tests.fakes.discord.api import Api
from tests.fakes.discord.control import Control
from tests.fakes.discord.courier import Courier
from tests.fakes.discord.deeds import Deeds
from tests.fakes.discord.deeds_events import EventDeeds
from tests.fakes.discord.faults import Faults
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.limits import Limits
from tests.fakes.discord.schema import Schema
from tests.fakes.discord.things import Event
from tests.fakes.discord.world import World

BODY_BYTES = 120_000_000
LOOK_EVERY_S = 1.0


async def serve(port: int, *, with_parent: bool) -> None:
    """Put the parts together and serve on loopback; port 0 takes a free one."""
    world, schema = World(), Schema()
    schema.warm()
    faults, limits, gateway = Faults(world), Limits(world), Gateway(world)

    def tell(event: Event) -> None:
        gateway.tell(event)

    world.on_event = tell
    api, courier = Api(world, limits, faults, schema), Courier(world, gateway)
    deeds = Deeds(world, courier)
    control = Control(
        world=world,
        schema=schema,
        api=api,
        limits=limits,
        faults=faults,
        gateway=gateway,
        courier=courier,
        deeds=deeds,
        event_deeds=EventDeeds(world, deeds),
    )
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[own_faults(world)])
    app.add_routes([*api.routes(), *gateway.routes(), *control.routes()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    world.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(world.address, flush=True)
    await ended(with_parent=with_parent)
    gateway.drop()
    await runner.cleanup()


def own_faults(world: World) -> Middleware:
    """Return the outer door: a fault of the stand-in itself is a violation too, so that no test passes over it."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (web.HTTPException, ConnectionError):
            # The second: whoever asked has gone, by a test's wish or the bot's end.
            raise
        except Exception as error:
            world.violate("stand_in_fault", request.path, repr(error))
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when whoever started it is gone")
    given = parser.parse_args()
    asyncio.run(serve(given.port, with_parent=given.with_parent))


if __name__ == "__main__":
    main()
