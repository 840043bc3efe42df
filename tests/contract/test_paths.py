"""Paths of the HTTP port: streamable HTTP may have the root."""

from typing import Any

import httpx2
import mcp
import pytest

from tests.conftest import Serve

pytestmark = [pytest.mark.contract, pytest.mark.anyio]


async def test_streamable_http_is_served_at_the_root_beside_all_else(serve: Serve) -> None:
    transports = ("-t", "streamable-http", "-t", "sse", "-t", "websocket")
    server = serve(*transports, "--port", "0", "--path", "/")
    url = server.url()
    modes: list[Any] = ["auto", "legacy"]
    names = []

    for mode in modes:
        for address in (url, url.removesuffix("/")):
            async with mcp.Client(address, mode=mode) as client:
                names += [tool.name for tool in (await client.list_tools()).tools]
    async with httpx2.AsyncClient() as http:
        alive = await http.get(f"{url}livez")
        missing = await http.get(f"{url}nothing")

    assert url.count("/") == 3
    assert names.count("conversation_echo") == 4
    assert (alive.status_code, missing.status_code) == (200, 404)
