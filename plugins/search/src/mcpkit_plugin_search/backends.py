"""Backends of web search: SearXNG (one's own instance, no key), Brave and Tavily (with a key).

Each turns a query into one HTTP request, and the body of its response into results.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, Field, SecretStr

from .settings import SearchSettings


class WebResult(BaseModel):
    """A page that was found."""

    title: str = Field(description="Title of the page")
    url: str = Field(description="Address of the page")
    snippet: str = Field("", description="Passage about the query")
    published: str | None = Field(None, description="Date of publication, as the backend writes it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One HTTP request."""

    method: str
    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """A service that answers web searches."""

    @property
    def name(self) -> str:
        """Name of the service."""
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
