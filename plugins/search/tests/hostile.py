"""Files that cost a reader far more than their size."""

import zlib

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(*objects: bytes) -> bytes:
    """A PDF of objects that are numbered from 1."""
    content, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return bytes(content + b"startxref\n%d\n%%%%EOF" % start)


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), more, data)


def pages(count: int, contents: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    """A PDF of pages that are all the same one; the font is object 5."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> %s >> >>" % resources
    )
    tree = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, b"3 0 R " * count)
    return pdf(CATALOG, tree, page, contents, FONT, *more)


def text_pdf(text: str) -> bytes:
    """A good one."""
    return pages(1, stream(b"BT /F1 12 Tf 50 100 Td (%s) Tj ET" % text.encode()))


def deflated(data: bytes) -> bytes:
    return stream(zlib.compress(data), b"/Filter /FlateDecode")


def many_pages() -> bytes:
    """300 kB: one page, 50,000 times."""
    return pages(50_000, deflated(b"BT /F1 12 Tf %sET" % (b"(word) Tj " * 2000)))


def nested_forms(depth: int = 28) -> bytes:
    """6 kB: each form shows the next one twice."""
    forms = []
    for number in range(depth):
        following = b"/XObject << /X %d 0 R >>" % (7 + number)
        content = b"/X Do /X Do"
        if number == depth - 1:
            following, content = b"", b"BT /F1 12 Tf (ha) Tj ET"
        resources = b"/Resources << /Font << /F1 5 0 R >> %s >>" % following
        forms.append(stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 1 1] " + resources))
    return pages(1, stream(b"/X Do /X Do"), b"/XObject << /X 6 0 R >>", *forms)


def deflate_bomb() -> bytes:
    """150 kB: 60 MB of text operators on each of 200 pages."""
    return pages(200, deflated(b"BT /F1 12 Tf " + b"(wordwordword) Tj " * 3_500_000))


PDFS = {"many pages": many_pages, "nested forms": nested_forms, "deflate bomb": deflate_bomb}

SIZE = 100_000


def repeated(text: str, size: int = SIZE) -> str:
    return (text * (size // len(text) + 1))[:size]


PAGES: dict[str, str] = {
    "open tags": repeated("<a "),
    "comments": repeated("<!--"),
    "open attributes": repeated('<a x="'),
    "processing instructions": repeated("<?"),
    "closing": repeated("</"),
    "declarations": repeated("<!doctype "),
    "character data": repeated("<![CDATA["),
    "entities": repeated("&amp"),
    "numbers": repeated("&#x"),
    "nested": repeated("<div>", 1_000_000),
    "misnested": repeated("<a><b><i><p></a>", 1_000_000),
    "formatting": "".join(f"<b a{number}>" for number in range(100_000)),
    "options": "<select>" + repeated("<option>x", 1_000_000),
    "tables": repeated("<table><tr><td>", 1_000_000),
    "attributes": "<a " + " ".join(f"a{number}=1" for number in range(100_000)) + ">",
    "one attribute": f'<a x="{repeated("y", 1_000_000)}">',
    "silent": repeated("<svg>", 1_000_000),
    "plain": "<plaintext>" + repeated("x<", 1_000_000),
    "one line": repeated("word ", 9_000_000),
}
"""HTML on which at least one of the usual parsers takes time that grows with the square."""
