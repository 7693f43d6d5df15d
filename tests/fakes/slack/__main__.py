"""Starts the stand-in of Slack as a process of its own, prints its address, and serves until it is ended."""

from __future__ import annotations

from tests.fakes.common.faults import Faults
from tests.fakes.common.serving import ended, run, served
from tests.fakes.slack.acks import apply
from tests.fakes.slack.api import Api
from tests.fakes.slack.control import Control
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.deeds import Deeds
from tests.fakes.slack.deeds_events import EventDeeds
from tests.fakes.slack.events import Events
from tests.fakes.slack.limits import Limits
from tests.fakes.slack.signed import SignedSender
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.world import World

BODY_BYTES = 1_100_000_000


async def serve(port: int, with_parent: bool) -> None:
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
    routes = [*Api(world, limits, faults).routes(), *sockets.routes(), *control.routes()]
    async with served(world, routes, port=port, body_bytes=BODY_BYTES):
        await ended(with_parent=with_parent)
        await courier.reset()
        sockets.drop()


if __name__ == "__main__":
    run("tests.fakes.slack", __doc__, serve)
