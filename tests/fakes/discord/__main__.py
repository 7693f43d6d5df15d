"""Starts the stand-in of Discord as a process of its own, prints its address, and serves until it is ended."""

from __future__ import annotations

from tests.fakes.common.faults import Faults
from tests.fakes.common.serving import ended, run, served
from tests.fakes.discord.api import Api
from tests.fakes.discord.control import Control
from tests.fakes.discord.courier import Courier
from tests.fakes.discord.deeds import Deeds
from tests.fakes.discord.deeds_events import EventDeeds
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.limits import Limits
from tests.fakes.discord.schema import Schema
from tests.fakes.discord.things import Event
from tests.fakes.discord.world import World

BODY_BYTES = 120_000_000


async def serve(port: int, with_parent: bool) -> None:
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
    routes = [*api.routes(), *gateway.routes(), *control.routes()]
    async with served(world, routes, port=port, body_bytes=BODY_BYTES):
        await ended(with_parent=with_parent)
        gateway.drop()


if __name__ == "__main__":
    run("tests.fakes.discord", __doc__, serve)
