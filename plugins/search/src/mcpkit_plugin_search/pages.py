"""Web pages: the visible text of HTML, read by lxml in time that grows with the size alone.

The parser tells elements and texts as it meets them and builds no tree: the tree builders of
html.parser, lxml and lexbor take minutes for 100 kB of `<a `, of attributes or of nested elements.
"""

import codecs
import re

from lxml import etree

from .texts import Content, UnreadableError, decode

SILENT = frozenset({"script", "style", "template", "noscript", "svg"})
BLOCKS = frozenset({"p", "div", "li", "br", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section"})

DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)
PRESCAN = 1024
"""Bytes in which a page declares its encoding (HTML standard, section 13.2.3.2)."""

NOT_IN_XML = re.compile("[\ud800-\udfff]")


class _Target:
    """Collects the visible text of a page, as lxml's parser tells it."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.parts: list[str] = []
        self._silent = 0
        self._in_title = False

    def start(self, tag: str, attributes: object) -> None:
        self._silent += tag in SILENT
        self._in_title = self._in_title or (tag == "title" and not self._silent)
        if tag in BLOCKS:
            self.parts.append("\n")

    def end(self, tag: str) -> None:
        if tag in SILENT and self._silent:
            self._silent -= 1
        if tag == "title":
            self._in_title = False
        if tag in BLOCKS:
            self.parts.append("\n")

    def data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._silent:
            self.parts.append(data)

    def close(self) -> None:
        return


def read_page(content: Content) -> tuple[str, str]:
    """Title and visible text of a page.

    Raises:
        UnreadableError: It cannot be parsed.
    """
    target = _Target()
    parser = etree.HTMLParser(target=target, huge_tree=True)
    try:
        parser.feed(NOT_IN_XML.sub("\ufffd", decode(content.data, _encoding(content))))
        parser.close()
    except (etree.LxmlError, AssertionError, ValueError) as exc:
        raise UnreadableError(f"the page is broken: {exc}") from exc
    lines = (" ".join(line.split()) for line in "".join(target.parts).splitlines())
    return "".join(target.title), "\n".join(line for line in lines if line)


def _encoding(content: Content) -> str:
    """The encoding that the page declares, else the operator's."""
    declared = DECLARED.search(content.data[:PRESCAN])
    if declared is None:
        return content.encoding
    try:
        return codecs.lookup(declared[1].decode("ascii")).name
    except (LookupError, UnicodeDecodeError):
        return content.encoding
