"""The relay and the starter, as far as no other process is needed to see what they do."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcpkit.core.errors import ServeError
from mcpkit.core.peers import ASK, JOIN, peer
from mcpkit.shared import knocking, looking, relay, starting
from mcpkit.shared.hosting import OPTION, Inherited, tell_exit
from mcpkit.shared.knocking import Start, knock
from mcpkit.shared.places import Place

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of a server, in a runtime folder of its own and with a short path."""
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        Path(folder, "mcpkit").mkdir(mode=0o700)
        yield Place(f"{folder}/mcpkit", "0123456789")


@pytest.fixture
def listen(place: Place) -> Iterator[Callable[[Callable[[socket.socket], None]], None]]:
    """Listen there, and do something with each connection."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place.socket)
    kept = [listener]
    threads: list[threading.Thread] = []

    def start(behave: Callable[[socket.socket], None]) -> None:
        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                behave(connection)

        listener.listen()
        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)
    for item in kept:
        item.close()


@pytest.mark.parametrize(
    ("arguments", "is_wanted"),
    [
        (["serve", "--shared"], True),
        (["serve", "-C", "x", "--shared", "--strict"], True),
        (["serve"], False),
        (["--shared", "serve"], False),
        (["serve", "--", "--shared"], False),
        (["serve", "--shared", "--help"], False),
        (["serve", "-h", "--shared"], False),
        ([], False),
    ],
)
def test_the_command_line_asks_for_sharing(arguments: list[str], is_wanted: bool) -> None:
    assert relay.is_wanted(arguments) is is_wanted


def test_no_system_but_posix_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay.os, "name", "nt")
    wanted = relay.is_wanted(["serve", "--shared"])
    monkeypatch.undo()

    assert not wanted


def test_every_way_to_name_the_directory_is_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(path: str, word: bytes) -> None:
        asked.append(path)
        raise ServeError("Enough", hint="Go home")

    monkeypatch.setattr(relay, "knock", refuse)
    folder = str(Path(place.socket).parent)
    told = []
    for options in (["-C", folder], [f"-C{folder}"], ["--directory", folder], []):
        monkeypatch.chdir("/")
        told.append(relay.run(["serve", *options, "--shared"]))
        assert Path.cwd() == Path("/")  # the plain command goes there itself
    told.append(relay.run(["serve", f"--directory={folder}", "--shared"]))

    assert [str(reason) for reason in told] == ["Enough"] * 5
    assert (len(set(asked)), asked.count(asked[0])) == (2, 4)


def test_an_interrupted_start_is_none(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: str, word: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(relay, "knock", interrupt)

    assert relay.run(["serve", "--shared"]) == 130


def test_nobody_waits_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "START", 0)

    reason = relay.run(["serve", "--shared"])

    assert "No shared server has started within 0 s" in str(reason)


def test_a_system_that_refuses_is_told_of(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, word: bytes) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(relay, "knock", refuse)

    assert "Too many open files" in str(relay.run(["serve", "--shared"]))


def test_nobody_is_there(place: Place) -> None:
    assert knock(place.socket, JOIN) is None


def test_a_dead_socket_is_nobody(place: Place, listen: object) -> None:
    assert knock(place.socket, JOIN) is None


def test_a_server_that_leaves_is_nobody(place: Place, listen: Callable[..., None]) -> None:
    listen(socket.socket.close)

    assert knock(place.socket, JOIN) is None


def test_a_server_that_does_not_answer_is_told_of(
    place: Place, listen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knocking, "ANSWER", 0.05)
    listen(lambda connection: None)

    with pytest.raises(ServeError, match="does not answer"):
        knock(place.socket, JOIN)


def test_a_server_with_a_full_queue_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knocking, "ANSWER", 0.5)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place.socket)
        listener.listen(0)
        first = knock(place.socket, ASK)
        with pytest.raises(ServeError, match="does not answer"):
            knock(place.socket, ASK)
        threading.Timer(0.1, lambda: listener.accept()[0].close()).start()
        second = knock(place.socket, ASK)

    assert first is not None
    assert second is not None
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("behave", "is_alive"),
    [
        (lambda connection: connection.sendall(b"{}"), True),
        (lambda connection: None, False),
        (socket.socket.close, True),
    ],
)
def test_a_server_that_answers_is_alive(
    place: Place,
    listen: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    behave: Callable[[socket.socket], None],
    is_alive: bool,
) -> None:
    monkeypatch.setattr(knocking, "ANSWER", 0.2)
    listen(behave)

    assert knocking.is_alive(place.socket) is is_alive


@pytest.mark.parametrize("ending", ["lock", "log"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_files_that_are_no_files_are_refused(place: Place, ending: str, kind: str) -> None:
    path = Path(getattr(place, ending))
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(ServeError, match="Refusing") as told:
        starting.start(place, Start(["serve"], {}, "/"))

    assert str(path) in str(told.value)
    starting.remove_old()


def test_the_server_of_somebody_else_is_refused(
    place: Place, listen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knocking, "peer", lambda connection: (1, os.geteuid() + 1))
    listen(lambda connection: None)

    with pytest.raises(ServeError, match="somebody else"):
        knock(place.socket, JOIN)


def test_what_is_no_socket_is_told_of(place: Place) -> None:
    Path(place.socket).mkdir()
    loop = Path(place.log)
    loop.symlink_to(loop)

    assert knock(place.socket, JOIN) is None
    with pytest.raises(ServeError, match="Cannot connect"):
        knock(place.log, JOIN)


def test_the_other_side_is_known(place: Place, listen: Callable[..., None]) -> None:
    listen(lambda connection: None)
    connection = knock(place.socket, ASK)
    assert connection is not None
    with connection:
        assert peer(connection) == (os.getpid(), os.geteuid())


def test_a_server_that_hangs_is_listed_as_one(
    place: Place, listen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", 0.05)
    listen(lambda connection: None)

    (found,) = looking.look()

    assert found.told == {"pid": os.getpid(), "log": place.log}


def test_one_starts_and_the_others_wait(place: Place, listen: Callable[..., None]) -> None:
    wanted = Start(["serve"], {}, "/")
    lock = starting.take_lock(place)
    assert lock is not None

    assert starting.take_lock(place) is None
    assert starting.start(place, wanted) is None
    os.close(lock)
    listen(lambda connection: None)
    assert starting.start(place, wanted) is None
    assert not Path(place.log).exists()


def test_a_server_that_never_starts_is_told_of(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(starting, "interpreter_arguments", lambda: ["-c", "import time; 1 / 0"])

    code = starting.start(place, Start(["serve"], dict(os.environ), "/"))
    monkeypatch.setattr(starting.sys, "executable", "/nowhere/python")
    code_of_nothing = starting.start(place, Start(["serve"], {}, "/"))

    assert (code, code_of_nothing) == (1, 1)
    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "Error: Cannot start the shared server: " in said
    monkeypatch.undo()


def test_a_server_that_takes_too_long_is_told_of(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "START", 0.05)
    code = "import sys, time; time.sleep(1)"
    monkeypatch.setattr(starting, "interpreter_arguments", lambda: ["-c", code])

    with pytest.raises(ServeError, match="has not started"):
        starting.start(place, Start(["serve"], dict(os.environ), "/"))


def test_logs_of_long_ago_are_removed(place: Place) -> None:
    old = time.time() - 2 * starting.OLD
    other = Place(str(Path(place.socket).parent), "abc")
    for path in (place.log, place.lock, other.log):
        Path(path).touch()
    os.utime(place.log, (old, old))

    starting.remove_old()

    assert [Path(path).exists() for path in (place.log, place.lock, other.log)] == [False] * 2 + [
        True
    ]


def test_the_exit_code_is_told_by_a_shared_server_alone() -> None:
    reading, writing = os.pipe()
    inherited = Inherited(writing, 5, "/run/a,b.sock")

    tell_exit(["serve", OPTION, str(inherited), "--strict"], 2)
    tell_exit(["serve", OPTION, "nonsense"], 3)
    tell_exit(["serve"], 4)
    os.close(writing)

    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"2\n"
    assert Inherited.parse(str(inherited)).log == "/run/a,b.log"
