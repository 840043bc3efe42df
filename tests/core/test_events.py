"""The log of a session: what it keeps, what it forgets, and whose it is."""

from mcpkit.core.transports.events import EventLog, Kept


def test_what_came_after_an_event_on_its_stream_is_found() -> None:
    log = EventLog(10)
    first = log.add("a", b"")
    log.add("b", b"elsewhere")
    second = log.add("a", b"said")
    last = log.add("a", b"done", is_last=True)

    assert log.after(first.name) == (first, [second, last])
    assert log.after(last.name) == (last, [])


def test_old_events_are_forgotten_and_those_of_other_sessions_unknown() -> None:
    log, other = EventLog(2), EventLog(2)
    names = [log.add("a", b"said").name for _ in range(3)]

    assert log.after(names[0]) is None
    assert log.after(names[1]) is not None
    assert other.after(names[1]) is None


def test_events_are_framed_with_their_name() -> None:
    log = EventLog(2)
    opening, message = log.add("a", b""), log.add("a", b"{}")

    assert (
        opening.framed(1500) == b"id: %b\r\nretry: 1500\r\ndata: \r\n\r\n" % opening.name.encode()
    )
    assert (
        message.framed() == b"id: %b\r\nevent: message\r\ndata: {}\r\n\r\n" % message.name.encode()
    )


def test_no_more_bytes_are_kept_than_allowed() -> None:
    log = EventLog(10, most=100)
    names = [log.add("a", b"x" * 40).name for _ in range(4)]

    assert log.after(names[1]) is None
    assert log.after(names[2]) is not None


def test_a_message_that_is_too_large_to_keep_is_sent_and_replaced() -> None:
    log = EventLog(10, most=100)
    first = log.add("a", b"said")
    large = log.add("a", b"x" * 1000, is_last=True, instead=b"lost")

    found = log.after(first.name)

    assert large.data == b"x" * 1000
    assert found is not None
    assert [event.data for event in found[1]] == [b"lost"]


def test_all_sessions_of_a_client_keep_no_more_than_allowed() -> None:
    kept = Kept(most=100)
    one, other = EventLog(10, kept=kept), EventLog(10, kept=kept)
    old = one.add("a", b"x" * 60)
    new = other.add("a", b"x" * 60)
    one.clear()
    last = other.add("a", b"x" * 60)

    assert one.after(old.name) is None
    assert other.after(new.name) is None
    assert other.after(last.name) is not None
