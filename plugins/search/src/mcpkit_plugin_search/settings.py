"""What the operator may set under `[plugins.search]`."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from mcpkit import PluginSettings

WebBackend = Literal["none", "searxng", "brave", "tavily"]

DEFAULT_INCLUDE = ("*.md", "*.markdown", "*.rst", "*.txt", "*.html", "*.htm", "*.pdf")


def _labelled(value: Any) -> Any:
    """Accept a list of folders beside a mapping: each is labelled with its own name."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return value
    labelled: dict[str, Any] = {}
    for folder in value:
        label = Path(str(folder)).expanduser().resolve().name
        if label in labelled:
            raise ValueError(
                f"two folders are called {label!r}: write them as a table of label = path"
            )
        labelled[label] = folder
    return labelled


class SearchSettings(PluginSettings):
    """Settings of the search plugin; without any, web search and documents say what to set."""

    folders: Annotated[dict[str, Path], BeforeValidator(_labelled)] = Field(
        default_factory=dict,
        description="Folders to search: a list of paths, or a table of label = path",
    )
    include: tuple[str, ...] = Field(
        DEFAULT_INCLUDE, min_length=1, description="Names of files that are indexed, as globs"
    )
    exclude: tuple[str, ...] = Field(
        ("node_modules", "__pycache__"),
        description="Names of folders and files that are not; hidden ones never are",
    )
    max_file_size: int = Field(
        10_000_000, ge=1, description="Largest file that is indexed, in bytes"
    )
    max_files: int = Field(100_000, ge=1, description="Most files that are indexed")
    max_text: int = Field(
        10_000_000,
        ge=1,
        le=500_000_000,
        description="Most characters of text in a file that is indexed",
    )
    encoding: str = Field(
        "windows-1252",
        description="Encoding of text that is not Unicode, such as windows-1251 or shift_jis",
    )
    read_timeout: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Seconds of processor time that reading one file may take; three times as long "
        "by the clock",
    )
    read_memory: int = Field(
        1_000_000_000,
        ge=200_000_000,
        description="Memory that reading one file may take, in bytes; bounds it on Linux only",
    )
    index_path: Path | None = Field(
        None, description="The index file; in the user's cache folder by default"
    )
    index_at_start: bool = Field(
        True, description="Whether the index is brought up to date when the server starts"
    )
    first_index_wait: float = Field(
        5.0, ge=0, le=60, description="Seconds that a search waits for the first index"
    )
    refresh_wait: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds that a search waits for new and changed files to be indexed; 0 looks "
        "for none",
    )
    search_timeout: float = Field(
        10.0, gt=0, le=600, description="Seconds that a search of documents may take"
    )
    max_searches: int = Field(
        4, ge=1, le=64, description="Searches of documents that run at once; further ones wait"
    )
    web_backend: WebBackend = Field(
        "none", description="Who answers web searches: searxng, brave, tavily or none"
    )
    searxng_url: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Base URL of a SearXNG instance"
    )
    brave_api_key: SecretStr | None = Field(None, description="Key of the Brave Search API")
    brave_url: str = Field(
        "https://api.search.brave.com",
        pattern=r"^https?://\S+$",
        description="Base URL of the Brave Search API",
    )
    tavily_api_key: SecretStr | None = Field(None, description="Key of the Tavily API")
    tavily_url: str = Field(
        "https://api.tavily.com",
        pattern=r"^https?://\S+$",
        description="Base URL of the Tavily API",
    )
    timeout: float = Field(
        10.0, gt=0, le=120, description="Seconds that a web search may take, retries included"
    )
    max_response_bytes: int = Field(
        2_000_000, ge=1000, description="Largest response of a web search, in bytes"
    )
    retries: int = Field(
        1, ge=0, le=5, description="How often a web search that failed in passing is tried again"
    )

    @field_validator("folders")
    @classmethod
    def _real_folders(cls, folders: dict[str, Path]) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for label, folder in folders.items():
            if "/" in label or not label or label in {".", ".."}:
                raise ValueError(f"{label!r} cannot label a folder")
            resolved = folder.expanduser().resolve()
            if not resolved.is_dir():
                raise ValueError(f"the folder labelled {label!r} does not exist")
            found[label] = resolved
        return found

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            b"".decode(encoding)
        except (LookupError, ValueError) as exc:
            raise ValueError(f"there is no encoding {encoding!r}") from exc
        return encoding

    @field_validator("index_path")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser()

    @field_validator("brave_api_key", "tavily_api_key")
    @classmethod
    def _fit_for_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError("the key has spaces, line ends or letters that no HTTP header carries")
        return key

    @property
    def missing_for_web(self) -> str | None:
        """The setting that the chosen web backend lacks; None when it lacks nothing."""
        needs = {
            "searxng": ("searxng_url", self.searxng_url),
            "brave": ("brave_api_key", self.brave_api_key),
            "tavily": ("tavily_api_key", self.tavily_api_key),
        }
        name, value = needs.get(self.web_backend, ("", "set"))
        return None if value else name
