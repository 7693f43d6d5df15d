"""A dialog of a page is answered at once: nothing in the page goes on before."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from adapters.chromium_browser.devtools import connected
from adapters.chromium_browser.process import END_OF_MESSAGE, Pipes


class Writer:
    """What was said to the browser."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.spoken = asyncio.Event()

    def write(self, content: bytes) -> None:
        self.said.append(json.loads(content.removesuffix(END_OF_MESSAGE)))
        self.spoken.set()


@pytest.mark.parametrize(("kind", "accept"), [("beforeunload", True), ("alert", False), ("confirm", False)])
async def test_a_page_that_asks_whether_it_may_be_left_is_left(kind: str, accept: bool) -> None:
    """The question before leaving is answered with a yes, as by a person; a page's own questions with a no."""
    reader, writer = asyncio.StreamReader(), Writer()
    async with connected(
        Pipes(reader=reader, writer=cast("asyncio.WriteTransport", writer)), lambda *_: None
    ):
        opened = {"method": "Page.javascriptDialogOpening", "params": {"type": kind}}
        reader.feed_data(json.dumps(opened).encode() + END_OF_MESSAGE)
        async with asyncio.timeout(60):
            await writer.spoken.wait()
    (told,) = writer.said
    assert (told["method"], told["params"]) == ("Page.handleJavaScriptDialog", {"accept": accept})
