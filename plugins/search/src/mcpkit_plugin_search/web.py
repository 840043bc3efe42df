"""Web search: asks a backend, and lets only results through that are harmless to show."""

from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from mcpkit import Fetched, FetchError, FetchLimits, fetch

from .backends import Backend, WebResult

MAX_TITLE = 300
MAX_SNIPPET = 2000
"""Most characters of what a backend says about one page."""

MAX_URL = 2048
"""Longest address of a page that is passed on."""


class WebSearchError(Exception):
    """The backend did not deliver; the message is for the model and holds no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Limits of one web search.

    Attributes:
        seconds: Longest time for everything, retries included.
        max_bytes: Largest response.
        retries: How often a search that failed in passing is tried again.
    """

    seconds: float
    max_bytes: int
    retries: int


@dataclass(frozen=True, slots=True)
class WebSearch:
    """Asks a backend."""

    backend: Backend
    http: httpx2.AsyncClient
    limits: WebLimits

    async def search(self, query: str, count: int) -> list[WebResult]:
        """Find pages, the best first.

        Raises:
            WebSearchError: The backend did not deliver.
        """
        fetched = await self._ask(query, count)
        if fetched.status != httpx2.codes.OK:
            raise WebSearchError(self._refused(fetched.status))
        try:
            results = self.backend.read(fetched.body)
        except ValidationError as exc:
            raise self._nonsense() from exc
        return [_cleaned(result) for result in results if _is_web_page(result.url)][:count]

    async def _ask(self, query: str, count: int) -> Fetched:
        question = self.backend.ask(query, count)
        request = self.http.build_request(
            question.method,
            question.url,
            params=question.params,
            json=question.json,
            headers=question.headers,
        )
        limits = FetchLimits(
            seconds=self.limits.seconds,
            max_bytes=self.limits.max_bytes,
            content_types=frozenset({"application/json"}),
            redirects=2,
            retries=self.limits.retries,
        )
        try:
            return await fetch(self.http, request, limits)
        except FetchError as exc:
            raise self._failed(exc) from exc

    def _failed(self, error: FetchError) -> WebSearchError:
        if error.reason == "timeout":
            return WebSearchError(f"{self.backend.name} did not answer in time; try again")
        if error.reason == "connection":
            return WebSearchError(
                f"{self.backend.name} cannot be reached; tell the user that web search is down"
            )
        return self._nonsense()

    def _nonsense(self) -> WebSearchError:
        return WebSearchError(
            f"{self.backend.name} gave an answer that cannot be understood; try again later"
        )

    def _refused(self, status: int) -> str:
        if status == 429:
            return f"{self.backend.name} is rate limited; use what you have, or wait a minute"
        if status in {401, 403}:
            return (
                f"{self.backend.name} refused the request (HTTP {status}): the operator has to "
                "check its key, or for SearXNG that the JSON format is allowed"
            )
        if status >= 500:
            return f"{self.backend.name} has a problem on its side (HTTP {status}); try again later"
        return f"{self.backend.name} refused the query (HTTP {status}); write it more simply"


def _is_web_page(url: str) -> bool:
    """Whether it is an address of the web: `javascript:` and `data:` run what they hold."""
    if len(url) > MAX_URL or not url.isprintable():
        return False
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)


def _cleaned(result: WebResult) -> WebResult:
    return WebResult(
        title=_line(result.title, MAX_TITLE),
        url=result.url,
        snippet=_line(result.snippet, MAX_SNIPPET),
        published=_line(result.published, MAX_TITLE) if result.published else None,
    )


def _line(text: str, limit: int) -> str:
    """A text on one line, without control characters, cut to a length."""
    words = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * limit]).split()
    line = " ".join(words)
    return line if len(line) <= limit else line[: limit - 1] + "…"
