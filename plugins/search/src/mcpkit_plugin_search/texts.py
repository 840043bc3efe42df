"""Texts: what a file says, and what it is called.

Markdown, plain text and HTML need nothing; PDF needs the extra `mcpkit-plugin-search[pdf]`.
"""

import importlib.util
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

MIME_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
}
SILENT = frozenset({"script", "style", "template", "noscript", "svg"})
BLOCKS = frozenset({"p", "div", "li", "br", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section"})


class UnreadableError(Exception):
    """The file has no text that could be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Text:
    """Title and text of a document."""

    title: str
    body: str


def can_read(path: Path) -> bool:
    """Whether the text of such a file can be read here."""
    return path.suffix.lower() != ".pdf" or importlib.util.find_spec("pypdf") is not None


def read_text(path: Path) -> Text:
    """Read a document.

    Raises:
        UnreadableError: It cannot be opened, is binary, or is a broken PDF.
    """
    try:
        if path.suffix.lower() == ".pdf":
            return _pdf(path)
        raw = path.read_bytes()
    except (OSError, ValueError) as exc:
        raise UnreadableError(getattr(exc, "strerror", None) or str(exc)) from exc
    if b"\0" in raw[:8192]:
        raise UnreadableError("it is binary")
    content = raw.decode("utf-8-sig", errors="replace")
    if path.suffix.lower() in {".html", ".htm"}:
        return _html(content, path.stem)
    return Text(_heading(content) or path.stem, content)


def _heading(content: str) -> str:
    """The first heading of Markdown or reStructuredText, else nothing."""
    lines = content.splitlines()[:50]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#"):
            return line.lstrip("#").strip()
        underline = following.strip()
        if line.strip() and len(underline) >= 3 and set(underline) in ({"="}, {"-"}):
            return line.strip()
    return ""


class _Reader(HTMLParser):
    """Collects the visible text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.parts: list[str] = []
        self._silent = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT
        self._in_title = self._in_title or tag == "title"
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT and self._silent:
            self._silent -= 1
        if tag == "title":
            self._in_title = False
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._silent:
            self.parts.append(data)


def _html(content: str, fallback: str) -> Text:
    reader = _Reader()
    try:
        reader.feed(content)
        reader.close()
    except (AssertionError, ValueError) as exc:
        raise UnreadableError(f"the page is broken: {exc}") from exc
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    title = " ".join("".join(reader.title).split())
    return Text(title or fallback, "\n".join(line for line in lines if line))


def _pdf(path: Path) -> Text:
    try:
        from pypdf import PdfReader  # noqa: PLC0415  # an optional dependency
    except ImportError as exc:
        raise UnreadableError("PDF needs mcpkit-plugin-search[pdf]") from exc
    try:
        reader = PdfReader(path)
        body = "\n\n".join(page.extract_text() for page in reader.pages)
        title = (reader.metadata.title or "").strip() if reader.metadata else ""
    except OSError:
        raise
    except Exception as exc:  # a broken file makes a reader raise anything
        raise UnreadableError(f"the PDF is broken: {type(exc).__name__}") from exc
    return Text(title or path.stem, body)
