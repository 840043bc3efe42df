"""`fetch`: an HTTP request whose response is limited in time, size, type and redirects.

In: an httpx2 client and a request of it. Out: the response with its whole body, or a `FetchError`.
A plugin asks servers that it does not control; none of them may keep it waiting, fill the memory
or lead it elsewhere.
"""

from __future__ import annotations

import zlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import cast

import anyio
import httpx2

from mcpkit.core.deferred import deferred
from mcpkit.core.errors import FetchError

retrying = deferred("mcpkit.core.retrying:retrying")

PASSING = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed, unless the limits say otherwise."""

KEPT = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""Headers that another origin gets after a redirect: keys stand in others of any name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Limits of one `fetch`, whatever it leads to.

    Attributes:
        seconds: Longest time for everything: connections, redirects, retries and waits.
        max_bytes: Largest body, as it is sent and as it is decoded.
        content_types: Media types that a successful response may have, such as
            `application/json`; all when empty. A response that names none passes.
        redirects: Most redirects that are followed. Only http and https are, never from https to
            http, and another origin gets neither the headers of the request nor `auth` of the
            client.
        retries: How often a request is sent again that failed in passing: the connection broke, or
            the status is one of `retry_statuses`. `Retry-After` is obeyed if there is time.
        retry_statuses: HTTP statuses after which the same request may succeed.
    """

    seconds: float = 10.0
    max_bytes: int = 2_000_000
    content_types: frozenset[str] = frozenset()
    redirects: int = 0
    retries: int = 0
    retry_statuses: frozenset[int] = PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A response, with any status.

    Attributes:
        status: HTTP status.
        headers: Its headers.
        url: Where it came from, after redirects.
        body: The whole body, decoded.
    """

    status: int
    headers: httpx2.Headers = field(repr=False)
    url: str
    body: bytes = field(repr=False)

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait (`Retry-After`); None if it asks for nothing."""
        return parse_retry_after(self.headers.get("Retry-After"))


async def fetch(
    http: httpx2.AsyncClient, request: httpx2.Request, limits: FetchLimits | None = None
) -> Fetched:
    """Send a request and read the response, within limits.

    Args:
        http: The client; its own timeouts hold for each attempt.
        request: Made by `http.build_request`; sent again for each retry, so its body is no stream.
        limits: The limits; `FetchLimits()` by default.

    Raises:
        FetchError: There is no response within the limits.
    """
    limits = limits or FetchLimits()
    try:
        with anyio.fail_after(limits.seconds):
            return await _with_retries(http, request, limits)
    except TimeoutError as exc:
        raise FetchError("timeout", f"No response within {limits.seconds:g} s") from exc


async def _with_retries(
    http: httpx2.AsyncClient, request: httpx2.Request, limits: FetchLimits
) -> Fetched:
    if not limits.retries:
        return await _attempt(http, request, limits)
    attempts = retrying(limits.retries, limits.seconds, partial(_passing, limits))
    return cast(Fetched, await attempts(_attempt, http, request, limits))


def _passing(limits: FetchLimits, outcome: Future[Fetched]) -> float | None:
    """Seconds that an outcome asks to wait before another attempt; None if it is final."""
    error = outcome.exception()
    if error is not None:
        is_passing = isinstance(error, FetchError) and error.reason in {"timeout", "connection"}
        return 0.0 if is_passing else None
    fetched = outcome.result()
    return (fetched.retry_after or 0.0) if fetched.status in limits.retry_statuses else None


async def _attempt(
    http: httpx2.AsyncClient, request: httpx2.Request, limits: FetchLimits
) -> Fetched:
    """Send a request and follow its redirects."""
    origin, is_elsewhere = _origin(request.url), False
    try:
        for _ in range(limits.redirects + 1):
            _check_scheme(request.url)
            request.headers["Accept-Encoding"] = "gzip"
            is_elsewhere = is_elsewhere or _origin(request.url) != origin
            response = await http.send(
                request,
                stream=True,
                auth=None if is_elsewhere else httpx2.USE_CLIENT_DEFAULT,
                follow_redirects=False,
            )
            try:
                if not response.has_redirect_location:
                    return await _read(response, limits)
            finally:
                await response.aclose()
            request = _redirected(request, response.next_request)
    except httpx2.InvalidURL as exc:
        raise FetchError("redirect", "A redirect leads to no URL") from exc
    except httpx2.TimeoutException as exc:
        raise FetchError("timeout", "The server did not respond in time") from exc
    except httpx2.RequestError as exc:
        raise FetchError("connection", "The server cannot be reached") from exc
    raise FetchError("redirect", f"More than {limits.redirects} redirects")


async def _read(response: httpx2.Response, limits: FetchLimits) -> Fetched:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_wanted = not media_type or not limits.content_types or media_type in limits.content_types
    if response.is_success and not is_wanted:
        raise FetchError("content_type", f"The response is of type {media_type[:100]!r}")
    return Fetched(
        status=response.status_code,
        headers=response.headers,
        url=str(response.url),
        body=await _body(response, limits),
    )


async def _body(response: httpx2.Response, limits: FetchLimits) -> bytes:
    if response.is_stream_consumed:  # made with its body, by `httpx2.MockTransport`
        if len(response.content) > limits.max_bytes:
            raise _too_large(limits)
        return response.content
    raw = bytearray()
    # Raw: the decoders of httpx2 count neither what they drop nor what they are fed.
    async for chunk in response.aiter_raw():
        raw += chunk
        if len(raw) > limits.max_bytes:
            raise _too_large(limits)
    return _decode(bytes(raw), response.headers.get("Content-Encoding", ""), limits)


def _decode(raw: bytes, encoding: str, limits: FetchLimits) -> bytes:
    """Undo the one encoding that was asked for."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not raw:
        return raw
    if encoding not in {"gzip", "x-gzip"}:
        raise FetchError("encoding", f"The response is encoded as {encoding[:100]!r}")
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = decoder.decompress(raw, limits.max_bytes + 1)
    except zlib.error as exc:
        raise FetchError("encoding", "The encoding of the response is broken") from exc
    if len(body) > limits.max_bytes:
        raise _too_large(limits)
    if not decoder.eof or decoder.unused_data:
        raise FetchError("encoding", "The encoding of the response is broken")
    return body


def _redirected(request: httpx2.Request, following: httpx2.Request | None) -> httpx2.Request:
    """The request that a redirect leads to."""
    if following is None:
        raise FetchError("redirect", "A redirect leads to no URL")
    _check_scheme(following.url)
    if request.url.scheme == "https" and following.url.scheme == "http":
        raise FetchError("redirect", "A redirect leads from https to http")
    if _origin(request.url) != _origin(following.url):
        for name in [name for name in following.headers if name.lower() not in KEPT | {"host"}]:
            del following.headers[name]
    return following


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _check_scheme(url: httpx2.URL) -> None:
    if url.scheme not in {"http", "https"} or not url.host:
        raise FetchError("scheme", f"Only http and https are fetched, not {url.scheme[:20]!r}")


def _too_large(limits: FetchLimits) -> FetchError:
    return FetchError("size", f"The response is larger than {limits.max_bytes} bytes")


def parse_retry_after(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header (RFC 9110, section 10.2.3); None if it has none.

    It is a number of seconds or an HTTP date; a date in the past means 0.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header.strip()[:9])
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
