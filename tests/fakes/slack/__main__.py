"""Starts the stand-in of Slack as a process of its own, prints its address, and serves until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tests.fakes.slack.acks import apply
from tests.fakes.slack.api import Api
from tests.fakes.slack.control import Control
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.deeds import Deeds
from tests.fakes.slack.deeds_events import EventDeeds
from tests.fakes.slack.events import Events
from tests.fakes.slack.faults import Faults
from tests.fakes.slack.limits import Limits
from tests.fakes.slack.signed import SignedSender
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.world import World

BODY_BYTES = 1_100_000_000
LOOK_EVERY_S = 1.0


async def serve(port: int, *, with_parent: bool) -> None:
    """Put the parts together and serve on loopback; port 0 takes a free one."""
    world = World()
    faults, limits, sender = Faults(world), Limits(world), SignedSender(world)
    sockets = Sockets(world)
    courier = Courier(world, sockets, sender, lambda record: apply(world, record))
    events = Events(world, courier)
    deeds = Deeds(world, courier)
    control = Control(
        world=world,
        limits=limits,
        faults=faults,
        sockets=sockets,
        sender=sender,
        courier=courier,
        deeds=deeds,
        event_deeds=EventDeeds(world, deeds, events, courier),
    )
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[own_faults(world)])
    app.add_routes([*Api(world, limits, faults).routes(), *sockets.routes(), *control.routes()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    world.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(world.address, flush=True)
    await ended(with_parent=with_parent)
    await courier.reset()
    sockets.drop()
    await runner.cleanup()


def own_faults(world: World) -> Middleware:
    """Return the outer door: a fault of the stand-in itself is a violation too, so that no test passes over it."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
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
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.slack", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when whoever started it is gone")
    given = parser.parse_args()
    asyncio.run(serve(given.port, with_parent=given.with_parent))


if __name__ == "__main__":
    main()
