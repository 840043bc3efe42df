"""Web search: one question, a choice of who answers it.

SearXNG (one's own instance, no key), Brave and Tavily (with a key). Each backend turns a query into
one HTTP request and its answer into results.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import httpx2
from pydantic import BaseModel, Field, SecretStr, ValidationError

from .settings import SearchSettings

PASSING = frozenset({429, 500, 502, 503, 504})
"""HTTP status codes after which the same request may succeed."""

MAX_WAIT = 5.0
"""Longest wait before a retry, in seconds; who asks for a longer one is not asked again."""


class WebSearchError(Exception):
    """The backend did not deliver; the message is for the model and holds no key."""


class WebResult(BaseModel):
    """One page that was found."""

    title: str = Field(description="Title of the page")
    url: str = Field(description="Address of the page")
    snippet: str = Field("", description="What it says about the query")
    published: str | None = Field(None, description="When it was published, as the backend says")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One HTTP request."""

    method: str
    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Who answers web searches."""

    @property
    def name(self) -> str:
        """What the backend is called."""
        ...

    def ask(self, query: str, count: int) -> Question:
        """The request for a query."""
        ...

    def read(self, body: bytes) -> list[WebResult]:
        """The results in an answer.

        Raises:
            ValidationError: The answer is not of the documented shape.
        """
        ...


class _SearxngResult(BaseModel):
    title: str
    url: str
    content: str | None = None
    publishedDate: str | None = None  # noqa: N815  # as the API spells it


class _SearxngAnswer(BaseModel):
    results: list[_SearxngResult]


@dataclass(frozen=True, slots=True)
class Searxng:
    """https://docs.searxng.org/dev/search_api.html; the instance must allow `format=json`."""

    base: str
    name: str = "SearXNG"

    def ask(self, query: str, count: int) -> Question:
        """GET /search."""
        return Question(
            method="GET",
            url=f"{self.base.rstrip('/')}/search",
            params={"q": query, "format": "json"},
        )

    def read(self, body: bytes) -> list[WebResult]:
        """`results` with title, url and content."""
        return [
            WebResult(
                title=item.title,
                url=item.url,
                snippet=item.content or "",
                published=item.publishedDate,
            )
            for item in _SearxngAnswer.model_validate_json(body).results
        ]


class _BraveResult(BaseModel):
    title: str
    url: str
    description: str | None = None
    age: str | None = None


class _BraveWeb(BaseModel):
    results: list[_BraveResult] = []


class _BraveAnswer(BaseModel):
    web: _BraveWeb = _BraveWeb()


@dataclass(frozen=True, slots=True)
class Brave:
    """https://api-dashboard.search.brave.com/app/documentation/web-search."""

    base: str
    key: SecretStr
    name: str = "Brave Search"

    def ask(self, query: str, count: int) -> Question:
        """GET /res/v1/web/search, at most 20 results."""
        return Question(
            method="GET",
            url=f"{self.base.rstrip('/')}/res/v1/web/search",
            params={"q": query, "count": min(count, 20), "text_decorations": "false"},
            headers={"X-Subscription-Token": self.key.get_secret_value()},
        )

    def read(self, body: bytes) -> list[WebResult]:
        """`web.results` with title, url and description."""
        return [
            WebResult(
                title=item.title, url=item.url, snippet=item.description or "", published=item.age
            )
            for item in _BraveAnswer.model_validate_json(body).web.results
        ]


class _TavilyResult(BaseModel):
    title: str
    url: str
    content: str | None = None
    published_date: str | None = None


class _TavilyAnswer(BaseModel):
    results: list[_TavilyResult]


@dataclass(frozen=True, slots=True)
class Tavily:
    """https://docs.tavily.com/documentation/api-reference/endpoint/search."""

    base: str
    key: SecretStr
    name: str = "Tavily"

    def ask(self, query: str, count: int) -> Question:
        """POST /search, at most 20 results."""
        return Question(
            method="POST",
            url=f"{self.base.rstrip('/')}/search",
            json={"query": query, "max_results": min(count, 20)},
            headers={"Authorization": f"Bearer {self.key.get_secret_value()}"},
        )

    def read(self, body: bytes) -> list[WebResult]:
        """`results` with title, url and content."""
        return [
            WebResult(
                title=item.title,
                url=item.url,
                snippet=item.content or "",
                published=item.published_date,
            )
            for item in _TavilyAnswer.model_validate_json(body).results
        ]


def choose(settings: SearchSettings) -> Backend | None:
    """The backend of the settings; None when there is none, or it lacks a setting."""
    if settings.web_backend == "searxng" and settings.searxng_url:
        return Searxng(settings.searxng_url)
    if settings.web_backend == "brave" and settings.brave_api_key:
        return Brave(settings.brave_url, settings.brave_api_key)
    if settings.web_backend == "tavily" and settings.tavily_api_key:
        return Tavily(settings.tavily_url, settings.tavily_api_key)
    return None


@dataclass(frozen=True, slots=True)
class WebSearch:
    """Asks a backend, again when it failed in passing."""

    backend: Backend
    http: httpx2.AsyncClient
    retries: int

    async def search(self, query: str, count: int) -> list[WebResult]:
        """Find pages, the best first.

        Raises:
            WebSearchError: The backend did not deliver.
        """
        question = self.backend.ask(query, count)
        response = await self._send(question)
        for retry in range(self.retries):
            wait = _wait(response, retry)
            if wait > MAX_WAIT or (response is not None and response.status_code not in PASSING):
                break
            await anyio.sleep(wait)
            response = await self._send(question)
        if response is None:
            raise WebSearchError(
                f"{self.backend.name} cannot be reached; tell the user that web search is down"
            )
        if response.status_code != httpx2.codes.OK:
            raise WebSearchError(self._refused(response.status_code))
        try:
            return self.backend.read(response.content)[:count]
        except ValidationError as exc:
            raise WebSearchError(
                f"{self.backend.name} gave an answer that cannot be understood; try again later"
            ) from exc

    async def _send(self, question: Question) -> httpx2.Response | None:
        """Ask once; None when the backend cannot be reached."""
        try:
            return await self.http.request(
                question.method,
                question.url,
                params=question.params,
                json=question.json,
                headers=question.headers,
            )
        except httpx2.TimeoutException as exc:
            raise WebSearchError(f"{self.backend.name} did not answer in time; try again") from exc
        except httpx2.HTTPError:
            return None

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


def _wait(response: httpx2.Response | None, retry: int) -> float:
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    jitter = random.uniform(0, 0.3 * 2**retry)  # noqa: S311 - not for secrets
    return float(asked) + jitter if asked.isdecimal() else jitter
