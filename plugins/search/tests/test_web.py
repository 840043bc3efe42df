"""Web search, against a local API that answers in the backends' documented shapes."""

import gzip
import tracemalloc
from typing import Any

import anyio
import pytest
from mcpkit_plugin_search import plugin

from mcpkit.testing import connect

pytestmark = pytest.mark.anyio

KEY = "secret-key-of-the-operator"
SHAPES: dict[str, Any] = {
    "searxng": {
        "query": "boats",
        "results": [
            {
                "title": "Boats",
                "url": "https://example.org/boats",
                "content": "All about boats",
                "engine": "duckduckgo",
                "publishedDate": "2026-01-02T00:00:00",
            },
            {"title": "More", "url": "https://example.org/more", "content": None},
        ],
    },
    "brave": {
        "type": "search",
        "web": {
            "type": "search",
            "results": [
                {
                    "title": "Boats",
                    "url": "https://example.org/boats",
                    "description": "All about boats",
                    "age": "2 days ago",
                },
                {"title": "More", "url": "https://example.org/more"},
            ],
        },
    },
    "tavily": {
        "query": "boats",
        "results": [
            {
                "title": "Boats",
                "url": "https://example.org/boats",
                "content": "All about boats",
                "score": 0.9,
            },
            {"title": "More", "url": "https://example.org/more", "content": ""},
        ],
    },
}


def section(backend: str, url: str, **more: Any) -> dict[str, Any]:
    keys = {"brave": {"brave_api_key": KEY}, "tavily": {"tavily_api_key": KEY}}
    return {"web_backend": backend, f"{backend}_url": url, **keys.get(backend, {}), **more}


async def ask(settings: dict[str, Any], **arguments: Any) -> Any:
    async with connect(search=plugin, settings={"search": settings}) as client:
        return await client.call_tool("search_web", {"query": "boats", **arguments})


@pytest.mark.parametrize("backend", SHAPES)
async def test_every_backend_gives_titles_addresses_and_snippets(
    web_api: Any, backend: str
) -> None:
    web_api.answers = [(200, {}, SHAPES[backend])]

    result = await ask(section(backend, web_api.url), count=1)

    assert result.structured_content is not None
    (found,) = result.structured_content["results"]
    assert found["title"] == "Boats"
    assert found["url"] == "https://example.org/boats"
    assert found["snippet"] == "All about boats"


async def test_requests_are_as_the_backends_document_them(web_api: Any) -> None:
    for backend, shape in SHAPES.items():
        web_api.answers = [(200, {}, shape)]
        await ask(section(backend, web_api.url), count=3)

    searxng, brave, tavily = web_api.requests
    assert searxng[:2] == ("GET", "/search?q=boats&format=json")
    assert brave[:2] == ("GET", "/res/v1/web/search?q=boats&count=3&text_decorations=false")
    assert brave[2]["X-Subscription-Token"] == KEY
    assert tavily[:2] == ("POST", "/search")
    assert tavily[2]["Authorization"] == f"Bearer {KEY}"
    assert tavily[3] == {"query": "boats", "max_results": 3}


BAD: dict[str, tuple[list[Any], str, int]] = {
    "key": ([(401, {}, {"detail": KEY})], "check its key", 1),
    "json off": ([(403, {}, b"")], "JSON format is allowed", 1),
    "limit": ([(429, {"Retry-After": "60"}, {})], "rate limited", 1),
    "down": ([(503, {}, b"")], "has a problem on its side", 2),
    "garbage": ([(200, {}, b"<html>")], "cannot be understood", 1),
    "shape": ([(200, {}, {"results": "none"})], "cannot be understood", 1),
    "query": ([(422, {}, {})], "write it more simply", 1),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("backend", ["searxng", "tavily"])
async def test_a_failing_backend_gives_the_model_a_usable_error(
    web_api: Any, name: str, backend: str
) -> None:
    web_api.answers, said, requests = list(BAD[name][0]), BAD[name][1], BAD[name][2]

    result = await ask(section(backend, web_api.url))

    assert result.is_error
    assert said in result.content[0].text
    assert KEY not in result.content[0].text
    assert len(web_api.requests) == requests


async def test_a_failure_in_passing_is_retried(web_api: Any) -> None:
    web_api.answers = [(502, {}, b""), (200, {}, SHAPES["searxng"])]

    result = await ask(section("searxng", web_api.url))

    assert not result.is_error
    assert len(web_api.requests) == 2


async def test_a_backend_that_is_not_there_is_told() -> None:
    result = await ask(section("searxng", "http://127.0.0.1:1"))

    assert result.is_error
    assert "cannot be reached" in result.content[0].text


async def test_a_connection_that_breaks_is_tried_again(web_api: Any) -> None:
    web_api.answers = [(0, {}, b""), (200, {}, SHAPES["searxng"])]

    result = await ask(section("searxng", web_api.url))

    assert not result.is_error
    assert len(web_api.requests) == 2


async def test_a_backend_that_is_too_slow_is_told(web_api: Any) -> None:
    web_api.answers = [(-1, {}, b"")]

    result = await ask(section("searxng", web_api.url, timeout=0.2))

    assert result.is_error
    assert "did not answer in time" in result.content[0].text


def packed(times: int) -> bytes:
    body = b'{"results": []}' + b" " * 30_000_000
    for _ in range(times):
        body = gzip.compress(body)
    return body


HOSTILE: dict[str, tuple[dict[str, str], bytes, str]] = {
    "gzip bomb": ({"Content-Encoding": "gzip"}, packed(1), "cannot be understood"),
    "double gzip bomb": ({"Content-Encoding": "gzip, gzip"}, packed(2), "cannot be understood"),
    "large": ({}, b" " * 3_000_000, "cannot be understood"),
    "page": ({"Content-Type": "text/html"}, b'{"results": []}', "cannot be understood"),
    "elsewhere": ({"Location": "file:///etc/passwd"}, b"", "cannot be understood"),
    "drip": ({"X-Drip": "1", "Content-Length": "1000000"}, b"{", "did not answer in time"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_backend_costs_neither_memory_nor_time(web_api: Any, name: str) -> None:
    headers, body, said = HOSTILE[name]
    web_api.answers = [(302 if "Location" in headers else 200, headers, body)]
    async with connect(
        search=plugin, settings={"search": section("searxng", web_api.url, timeout=1)}
    ) as client:
        await client.call_tool("search_status", {})
        tracemalloc.start()
        with anyio.fail_after(5):
            result = await client.call_tool("search_web", {"query": "boats"})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert result.is_error
    assert said in result.content[0].text  # type: ignore[union-attr]
    assert peak < 20_000_000


async def test_only_addresses_of_the_web_are_passed_on(web_api: Any) -> None:
    good = ["https://example.org/a?b=c#d", "http://[::1]:80/", "HTTPS://EXAMPLE.ORG"]
    bad = [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "file:///etc/passwd",
        "ftp://example.org",
        "//example.org",
        "https://",
        "https:/example.org",
        " javascript:alert(1)",
        "https://example.org/\nx",
        "https://example.org/" + "x" * 3000,
        "",
    ]
    results = [
        {"title": "A\x1b[31m\n page", "url": url, "content": "x" * 9999} for url in bad + good
    ]
    web_api.answers = [(200, {}, {"results": results})]

    result = await ask(section("searxng", web_api.url), count=3)

    found = result.structured_content["results"]
    assert [page["url"] for page in found] == good
    assert {page["title"] for page in found} == {"A [31m page"}
    assert {len(page["snippet"]) for page in found} == {2000}


async def test_a_backend_without_its_key_takes_nothing_else_down() -> None:
    async with connect(search=plugin, settings={"search": {"web_backend": "brave"}}) as client:
        result = await client.call_tool("search_web", {"query": "boats"})
        status = await client.call_tool("search_status", {})

    assert result.is_error
    assert "plugins.search.brave_api_key" in result.content[0].text  # type: ignore[union-attr]
    assert not status.is_error


async def test_without_a_backend_the_model_learns_what_is_missing() -> None:
    result = await ask({})

    assert result.is_error
    assert "plugins.search.web_backend" in result.content[0].text
