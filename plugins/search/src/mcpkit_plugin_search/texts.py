"""Texts: title and text of a document, from the bytes of its file.

Nothing here bounds time or memory: the process that `reader.Reader` starts does. Markdown, plain
text and HTML need nothing else; PDF needs the extra `mcpkit-plugin-search[pdf]`.
"""

import codecs
import importlib.util
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import PurePath

HTML = frozenset({".html", ".htm"})
PDF = frozenset({".pdf"})

MAX_TITLE = 200
"""Most characters of a title; a file may be one heading."""

HEAD = 20_000
"""Characters from the beginning in which a heading is looked for."""

UNICODE_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the next one does
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnreadableError(Exception):
    """The file has no text that could be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Text:
    """Title and text of a document."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a file.

    Attributes:
        name: Its name; the suffix tells the format.
        data: All its bytes.
        encoding: Encoding of text that is not Unicode and names no encoding itself.
        max_text: Most characters of text.
    """

    name: str
    data: bytes
    encoding: str
    max_text: int

    @property
    def suffix(self) -> str:
        """The suffix of the name, in lower case."""
        return PurePath(self.name).suffix.lower()

    @property
    def is_plain(self) -> bool:
        """Whether decoding is all that it needs."""
        return self.suffix not in HTML | PDF


def is_slow(name: str) -> bool:
    """Whether reading such a file may take seconds."""
    return name.lower().endswith(".pdf")


def missing_for(name: str) -> str | None:
    """What has to be installed to read such a file; None when nothing is missing."""
    if name.lower().endswith(".pdf") and not _has_pypdf():
        return "PDF needs mcpkit-plugin-search[pdf]"
    return None


@cache
def _has_pypdf() -> bool:
    return importlib.util.find_spec("pypdf") is not None


def read_text(content: Content) -> Text:
    """Read a document.

    Raises:
        UnreadableError: It is binary, broken, or has more text than is allowed.
    """
    stem = PurePath(content.name).stem
    if content.suffix in PDF:
        title, body = _pdf(content)
    elif content.suffix in HTML:
        title, body = _html(content)
    else:
        body = decode(content.data, content.encoding)
        title = _heading(body)
    if len(body) > content.max_text:
        raise too_much(content)
    return Text(title=" ".join(title.split())[:MAX_TITLE].strip() or stem, body=body)


def too_much(content: Content) -> UnreadableError:
    """The error of a document with more text than is allowed."""
    return UnreadableError(f"it has more than {content.max_text} characters of text (max_text)")


def decode(data: bytes, encoding: str) -> str:
    """Decode text: Unicode if it is, with or without a byte order mark, else as told.

    Raises:
        UnreadableError: It is binary.
    """
    for mark, name in UNICODE_MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if b"\0" in data:
        return _decode_utf_16(data)
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if broken:
        ascii_bytes = len(data.translate(None, bytes(range(128, 256))))
        sound = len(text) - ascii_bytes - broken
        if sound < 10 * broken:  # else it is UTF-8 with a few broken places
            return data.decode(encoding, errors="replace")
    return text


def _decode_utf_16(data: bytes) -> str:
    """Decode UTF-16 without a byte order mark: every other byte of plain letters is zero."""
    head = data[:8192]
    even, odd = head[::2].count(0), head[1::2].count(0)
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > len(head) * 0.1 and others < len(head) * 0.005:
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                break
    raise UnreadableError("it is binary")


def _heading(content: str) -> str:
    """The first heading of Markdown or reStructuredText, else nothing."""
    lines = content[:HEAD].splitlines()[:50]
    for number, line in enumerate(lines):
        if line.startswith("#"):
            return line.lstrip("#").strip()
        underline = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if line.strip() and len(underline) >= 3 and set(underline) in ({"="}, {"-"}):
            return line.strip()
    return ""


def _html(content: Content) -> tuple[str, str]:
    from .pages import read_page  # noqa: PLC0415  # lxml: only where pages are read

    return read_page(content)


def _pdf(content: Content) -> tuple[str, str]:
    try:
        from pypdf import PdfReader  # noqa: PLC0415  # an optional dependency
    except ImportError as exc:
        raise UnreadableError("PDF needs mcpkit-plugin-search[pdf]") from exc
    try:
        reader = PdfReader(BytesIO(content.data))
        parts: list[str] = []
        room = content.max_text
        for page in reader.pages:
            parts.append(page.extract_text())
            room -= len(parts[-1]) + 2
            if room < 0:
                raise too_much(content)
        title = (reader.metadata.title or "").strip() if reader.metadata else ""
    except (UnreadableError, MemoryError):
        raise
    except Exception as exc:  # a broken file makes a reader raise anything
        raise UnreadableError(f"the PDF is broken: {type(exc).__name__}") from exc
    return title, "\n\n".join(parts)
