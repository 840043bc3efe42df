"""`fetch`, against local servers that send whatever they like."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream

from mcpkit import FetchError, FetchLimits, fetch
from mcpkit.core.fetching import parse_retry_after

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Send = Callable[[SocketStream], Awaitable[None]]


@dataclass
class Site:
    """A local server: what it was asked, and what it sends, in order; the last one again and again.

    Sending stops when the client is gone, and the connection is closed after each response.
    """

    url: str
    sends: list[bytes | Send]
    requests: list[str] = field(default_factory=list)

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += await stream.receive()
                self.requests.append(request.decode("latin-1"))
                send = self.sends.pop(0) if len(self.sends) > 1 else self.sends[0]
                if isinstance(send, bytes):
                    await stream.send(send)
                else:
                    await send(stream)


@asynccontextmanager
async def site(*sends: bytes | Send) -> AsyncIterator[Site]:
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        port = listener.extra(SocketAttribute.local_port)
        served = Site(f"http://127.0.0.1:{port}", list(sends))
        tasks.start_soon(listener.serve, served.serve)
        yield served
        tasks.cancel_scope.cancel()


def response(body: bytes = b"{}", status: int = 200, **headers: str) -> bytes:
    given = {"Content-Type": "application/json", "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def get(url: str, headers: dict[str, str] | None = None, **limits: object) -> object:
    """Status and body, or the reason why there are none."""
    async with httpx2.AsyncClient() as http:
        request = http.build_request("GET", url, headers=headers)
        with anyio.fail_after(10):
            try:
                fetched = await fetch(http, request, FetchLimits(**limits))  # type: ignore[arg-type]
            except FetchError as exc:
                return exc.reason if url not in str(exc) else str(exc)
    return fetched.status, fetched.body


async def test_a_response_comes_with_status_headers_and_decoded_body() -> None:
    packed = gzip.compress(b'{"a": 1}')
    async with (
        site(response(packed, 404, Content_Encoding="gzip")) as served,
        httpx2.AsyncClient(headers={"Accept-Encoding": "br"}) as http,
    ):
        fetched = await fetch(http, http.build_request("GET", f"{served.url}/x?a=b"))

    assert (fetched.status, fetched.body) == (404, b'{"a": 1}')
    assert fetched.url == f"{served.url}/x?a=b"
    assert fetched.headers["content-type"] == "application/json"
    assert "accept-encoding: gzip\r\n" in served.requests[0].lower()


@pytest.mark.parametrize("size", [999, 1000])
async def test_a_body_up_to_the_limit_passes(size: int) -> None:
    async with site(response(b"x" * size), response(gzip.compress(b"x" * size))) as served:
        assert await get(served.url, max_bytes=1000) == (200, b"x" * size)


def zeros(size: int) -> bytes:
    return gzip.compress(b"\0" * size)


LARGE: dict[str, tuple[bytes, str]] = {
    "one byte over": (response(b"x" * 1_000_001), "size"),
    "announced": (response(b"x" * 1_000_001, Content_Length="1000001"), "size"),
    "gzip": (response(zeros(1_000_001), Content_Encoding="gzip"), "size"),
    "gzip bomb": (response(zeros(300_000_000), Content_Encoding="gzip"), "size"),
    "double gzip": (
        response(gzip.compress(zeros(100_000_000)), Content_Encoding="gzip, gzip"),
        "encoding",
    ),
    "junk after gzip": (response(zeros(10) + b"x" * 100, Content_Encoding="gzip"), "encoding"),
    "cut gzip": (response(zeros(100)[:-5], Content_Encoding="gzip"), "encoding"),
    "no gzip": (response(b"plain", Content_Encoding="gzip"), "encoding"),
    "deflate": (response(zlib.compress(b"x"), Content_Encoding="deflate"), "encoding"),
}


@pytest.mark.parametrize("name", LARGE)
async def test_a_body_that_is_too_large_or_packed_otherwise_is_refused(name: str) -> None:
    sent, reason = LARGE[name]
    async with site(sent) as served:
        tracemalloc.start()
        got = await get(served.url, max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert got == reason
    assert peak < 10_000_000


async def drip(stream: SocketStream) -> None:
    """Send a byte now and then, for ever: no read ever times out."""
    await stream.send(response(b""))
    while True:
        await stream.send(b"x")
        await anyio.sleep(0.01)


async def drip_headers(stream: SocketStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X: x\r\n")
        await anyio.sleep(0.01)


async def silence(stream: SocketStream) -> None:
    await anyio.sleep_forever()


@pytest.mark.parametrize("send", [drip, drip_headers, silence])
@pytest.mark.parametrize("retries", [0, 3])
async def test_the_deadline_holds_whatever_the_server_does(send: Send, retries: int) -> None:
    async with site(send) as served:
        begun = anyio.current_time()
        got = await get(served.url, seconds=0.3, retries=retries)
        took = anyio.current_time() - begun

    assert got == "timeout"
    assert took < 2


async def test_the_type_of_a_success_is_checked() -> None:
    page = response(b"<html>", Content_Type="text/html; charset=utf-8")
    wanted = frozenset({"application/json"})
    async with site(page, response(b"<html>", 500, Content_Type="text/html"), response()) as served:
        html = await get(served.url, content_types=wanted)
        error = await get(served.url, content_types=wanted)
        json = await get(served.url, content_types=wanted)

    assert html == "content_type"
    assert error == (500, b"<html>")
    assert json == (200, b"{}")


def redirect(location: str, status: int = 302) -> bytes:
    return response(b"x" * 10, status, Location=location)


async def test_redirects_are_followed_as_far_as_allowed() -> None:
    sends = redirect("/1"), redirect("/2"), response(b"there")
    for redirects, expected in ((0, "redirect"), (1, "redirect"), (2, (200, b"there"))):
        async with site(*sends) as served:
            assert await get(served.url, redirects=redirects) == expected
            assert len(served.requests) == redirects + 1


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "file:///etc/passwd", "javascript:1"])
async def test_only_http_is_fetched(location: str) -> None:
    async with site(redirect(location)) as served:
        redirected = await get(served.url, redirects=3)

    assert redirected in {"scheme", "redirect"}
    assert await get("ftp://127.0.0.1/x") == "scheme"


async def test_another_origin_gets_no_header_of_the_request() -> None:
    async with site(response(b"there")) as other, site(redirect("x")) as first:
        first.sends = [redirect("/again"), redirect(f"{other.url}/x")]
        got = await get(first.url, {"X-Api-Key": "secret", "Accept": "text/*"}, redirects=2)

    assert got == (200, b"there")
    assert all("secret" in request for request in first.requests)
    assert "secret" not in other.requests[0]
    assert "accept: text/*" in other.requests[0].lower()


@pytest.mark.parametrize("back", [False, True])
async def test_another_origin_gets_no_authentication_of_the_client(back: bool) -> None:
    async with (
        site(response(b"there")) as other,
        site(redirect("x")) as first,
        httpx2.AsyncClient(auth=("me", "secret")) as http,
    ):
        first.sends = [redirect("/again"), redirect(f"{other.url}/x"), response(b"there")]
        if back:
            other.sends = [redirect(f"{first.url}/back")]
        request = http.build_request("GET", first.url)
        fetched = await fetch(http, request, FetchLimits(redirects=3))

    assert fetched.body == b"there"
    sent = ["authorization:" in request.lower() for request in first.requests]
    assert sent == [True, True, False][: len(sent)]
    assert "authorization:" not in other.requests[0].lower()


async def test_a_redirect_from_https_to_http_is_refused() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"Location": "http://example.org/x"})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        request = http.build_request("GET", "https://example.org/")
        with pytest.raises(FetchError) as caught:
            await fetch(http, request, FetchLimits(redirects=3))

    assert caught.value.reason == "redirect"


async def broken(stream: SocketStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")


@pytest.mark.parametrize("first", [response(status=503), response(status=429), broken])
async def test_what_failed_in_passing_is_tried_again(first: bytes | Send) -> None:
    async with site(first, response(b"there")) as served:
        assert await get(served.url, retries=1) == (200, b"there")


@pytest.mark.parametrize(
    ("sends", "retries", "expected", "requests"),
    [
        ([response(status=404)], 3, (404, b"{}"), 1),
        ([response(status=503)], 2, (503, b"{}"), 3),
        ([response(status=503, Retry_After="60")], 3, (503, b"{}"), 1),
        ([broken], 1, "connection", 2),
        ([response(b"x" * 3_000_000)], 3, "size", 1),
    ],
)
async def test_what_failed_for_good_is_told(
    sends: Sequence[bytes | Send], retries: int, expected: object, requests: int
) -> None:
    async with site(*sends) as served:
        assert await get(served.url, retries=retries) == expected
        assert len(served.requests) == requests


async def test_a_plugin_says_which_statuses_pass() -> None:
    limits = {"retries": 1, "retry_statuses": frozenset({500})}
    async with site(response(status=429), response(b"there")) as served:
        assert await get(served.url, **limits) == (429, b"{}")
    async with site(response(status=500), response(b"there")) as served:
        assert await get(served.url, **limits) == (200, b"there")


async def test_a_response_tells_how_long_its_server_asks_to_wait() -> None:
    async with (
        site(response(status=429, Retry_After="7"), response()) as served,
        httpx2.AsyncClient() as http,
    ):
        first = await fetch(http, http.build_request("GET", served.url))
        second = await fetch(http, http.build_request("GET", served.url))

    assert (first.retry_after, second.retry_after) == (7, None)


async def test_retry_after_is_waited_for() -> None:
    async with site(response(status=503, Retry_After="1"), response(b"there")) as served:
        begun = anyio.current_time()
        got = await get(served.url, retries=1)
        took = anyio.current_time() - begun

    assert got == (200, b"there")
    assert took >= 1


async def test_a_server_that_is_not_there_is_told() -> None:
    assert await get("http://127.0.0.1:1") == "connection"


@pytest.mark.parametrize("retries", [0, 3])
async def test_cancelling_is_no_timeout(retries: int) -> None:
    async with site(silence) as served, httpx2.AsyncClient() as http:
        request = http.build_request("GET", served.url)
        with anyio.move_on_after(0.1) as scope:
            await fetch(http, request, FetchLimits(retries=retries))

    assert scope.cancelled_caught


def test_retry_after_is_a_number_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30))

    assert parse_retry_after("7") == 7
    assert 25 < (parse_retry_after(later) or 0) <= 30
    assert parse_retry_after("Mon, 01 Jan 2001 00:00:00 GMT") == 0
    assert parse_retry_after("soon") is None
    assert parse_retry_after(None) is None
    assert parse_retry_after("9" * 5000) == 999_999_999
