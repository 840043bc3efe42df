"""Reading documents: whatever stands in one file costs no more than that file."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mcpkit_plugin_search.reader import Reader, ReaderClosedError, ReaderError, ReadLimits
from mcpkit_plugin_search.texts import Content, UnreadableError, read_text

from .hostile import PAGES, PDFS, many_pages, text_pdf

LIMITS = ReadLimits(seconds=10, memory=1_000_000_000)


def content(name: str, data: bytes | str, *, max_text: int = 10_000_000) -> Content:
    raw = data.encode() if isinstance(data, str) else data
    return Content(name=name, data=raw, encoding="windows-1252", max_text=max_text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_in_time_that_grows_with_its_size(name: str) -> None:
    with Reader(LIMITS) as reader:
        reader.read(content("page.html", PAGES[name]))  # else an UnreadableError after 10 s


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_that_takes_too_much_costs_itself(name: str) -> None:
    data = PDFS[name]()
    with Reader(ReadLimits(seconds=2, memory=300_000_000)) as reader:
        begun = time.monotonic()
        with pytest.raises(UnreadableError, match=r"\((read_timeout|read_memory|max_text)\)"):
            reader.read(content("odd.pdf", data, max_text=1_000_000))
        took = time.monotonic() - begun
    with Reader(LIMITS) as reader:
        good = reader.read(content("good.pdf", text_pdf("Anchors")))

    assert took < 10
    assert good.body == "Anchors"


def test_the_next_file_is_read_by_a_new_process() -> None:
    with Reader(ReadLimits(seconds=2, memory=1_000_000_000)) as reader:
        with pytest.raises(UnreadableError, match="longer than 2 s"):
            reader.read(content("odd.pdf", many_pages()))
        good = reader.read(content("good.html", "<title>Good</title><p>Anchors"))

    assert (good.title, good.body) == ("Good", "Anchors")


def test_memory_is_limited() -> None:
    with (
        Reader(ReadLimits(seconds=10, memory=150_000_000)) as reader,
        pytest.raises(UnreadableError, match="read_memory"),
    ):
        reader.read(content("large.txt", b"\xe6\x97\xa5" * 30_000_000))


def test_a_document_with_too_much_text_is_refused() -> None:
    with Reader(LIMITS) as reader:
        for name in ("page.html", "note.txt"):
            with pytest.raises(UnreadableError, match="more than 1000 characters"):
                reader.read(content(name, "word " * 300, max_text=1000))


def test_closing_ends_a_read_that_is_under_way() -> None:
    reader = Reader(ReadLimits(seconds=60, memory=1_000_000_000))
    raised: list[Exception] = []

    def read() -> None:
        try:
            reader.read(content("odd.pdf", many_pages()))
        except Exception as exc:
            raised.append(exc)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join(1)
    is_reading = thread.is_alive()
    reader.close()
    thread.join(5)

    assert is_reading
    assert [type(error) for error in raised] == [ReaderClosedError]
    with pytest.raises(ReaderClosedError):
        reader.read(content("page.html", "<p>x"))


@pytest.mark.parametrize("interpreter", ["/bin/false", "/no/such/python"])
def test_a_process_that_cannot_start_is_nobodys_file(
    interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    with Reader(LIMITS) as reader, pytest.raises(ReaderError, match="does not start"):
        reader.read(content("page.html", "<p>x"))


def test_the_process_sees_neither_keys_nor_modules_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lxml").mkdir()
    (tmp_path / "lxml" / "__init__.py").write_text("raise SystemExit('imported')", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCPKIT_PLUGINS__SEARCH__BRAVE_API_KEY", "secret-key")
    with Reader(LIMITS) as reader:
        page = reader.read(content("page.html", "<p>Anchors"))
        (child,) = children(os.getpid())
        environment = Path(f"/proc/{child}/environ").read_bytes()

    assert page.body == "Anchors"
    assert b"secret-key" not in environment


def children(process: int) -> list[int]:
    """Process ids of the processes that read documents for a process (Linux)."""
    found: list[str] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # threads end meanwhile
            found += task.read_text("ascii").split()
    return [int(child) for child in found if is_reader(child)]


def is_reader(process: str) -> bool:
    try:
        return b"mcpkit_plugin_search.child" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # processes end meanwhile
        return False


ENCODINGS = {
    "utf-8": "Tromsø".encode(),
    "utf-8 with mark": "Tromsø".encode("utf-8-sig"),
    "utf-16 with mark": "Tromsø".encode("utf-16"),
    "utf-16-le": "Tromsø".encode("utf-16-le"),
    "utf-16-be": "Tromsø".encode("utf-16-be"),
    "utf-32 with mark": "Tromsø".encode("utf-32"),
    "latin-1": "Tromsø".encode("latin-1"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_text_is_read_in_its_encoding(name: str) -> None:
    assert read_text(content("a.txt", ENCODINGS[name])).body == "Tromsø"


def test_a_few_broken_bytes_do_not_make_utf_8_something_else() -> None:
    text = read_text(content("a.txt", "Tromsø ".encode() * 20 + b"\xff"))

    assert text.body == "Tromsø " * 20 + "\ufffd"


@pytest.mark.parametrize("declared", ["shift_jis", "no-such-encoding"])
def test_a_page_may_declare_its_encoding(declared: str) -> None:
    page = f"<meta charset='{declared}'><title>東京</title>".encode("shift_jis")

    title = read_text(content("page.html", page)).title

    assert (title == "東京") is (declared == "shift_jis")


EMPTY = [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"   ", b"#", b"<", b"=="]


@pytest.mark.parametrize("suffix", [".md", ".txt", ".rst", ".html"])
@pytest.mark.parametrize("data", EMPTY)
def test_a_file_with_next_to_nothing_in_it_is_read(data: bytes, suffix: str) -> None:
    assert read_text(content(f"empty{suffix}", data)).title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# First\n# Second", "First"),
        ("Top\n===\ntext", "Top"),
        ("text\nTop\n---", "Top"),
        ("no heading", "note"),
        ("#" + " x" * 1_000_000, ("x " * 100).strip()),
        ("\n" * 100 + "# Late", "note"),
    ],
)
def test_a_text_is_called_by_its_first_heading(text: str, title: str) -> None:
    assert read_text(content("note.md", text)).title == title


@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")),
        st.text(alphabet="<>/!?&;#-=[]'\" ab\0", max_size=200).map(str.encode),
        st.binary(max_size=100).map(lambda data: b"%PDF-1.4\n" + data),
    ),
    suffix=st.sampled_from([".md", ".txt", ".rst", ".html", ".pdf"]),
)
@examples(max_examples=200, deadline=None)
def test_nothing_in_a_file_raises_anything_else(data: bytes, suffix: str) -> None:
    try:
        text = read_text(content(f"odd{suffix}", data))
    except UnreadableError:
        return
    assert text.title


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_stops_while_it_reads_a_hostile_file(tmp_path: Path, number: int) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "odd.pdf").write_bytes(many_pages())
    settings = {
        "folders": f'["{tmp_path}/notes"]',
        "index_path": str(tmp_path / "index.sqlite"),
        "read_timeout": "60",
    }
    arguments = [f"--set=plugins.search.{name}={value}" for name, value in settings.items()]
    server = subprocess.Popen(
        [sys.executable, "-m", "mcpkit", "serve", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        cwd=tmp_path,
    )
    try:
        (reader,) = until_children(server)
        server.send_signal(number)
        _, errors = server.communicate(timeout=30)
    finally:
        server.kill()
        server.wait()

    assert server.returncode == 0, errors.decode()
    assert not Path(f"/proc/{reader}").exists()


def until_children(server: "subprocess.Popen[Any]") -> list[int]:
    """Wait until a server has started a process that reads documents."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and server.poll() is None:
        found = children(server.pid)
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("the server read nothing")
