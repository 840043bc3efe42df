"""Clients: nobody takes the sessions that others need."""

import pytest

from mcpkit.core.clients import Clients, Place, RequestLimit
from mcpkit.core.settings import HttpSettings


def clients(**settings: int) -> Clients:
    return Clients(HttpSettings.model_validate(settings))


def opened(all_clients: Clients, name: str, ended: list[str], *, idle: bool = True) -> Place:
    """Enter a session that tells when it is ended."""
    place = all_clients.enter(name)
    assert place is not None
    place.end = lambda: ended.append(name)
    place.use()
    if idle:
        place.release()
    return place


def test_a_client_with_too_many_sessions_loses_the_one_that_is_idle_for_longest() -> None:
    ended: list[str] = []
    known = clients(max_sessions_per_client=2)
    oldest, other = opened(known, "a", ended), opened(known, "a", ended)
    oldest.use()
    oldest.release()

    third = known.enter("a")

    assert third is not None
    assert ended == ["a"]
    assert (oldest.is_open, other.is_open) == (True, False)


def test_a_session_that_is_used_is_not_ended_and_one_more_is_refused() -> None:
    ended: list[str] = []
    known = clients(max_sessions_per_client=1, max_sessions=2)
    opened(known, "a", ended, idle=False)

    assert known.enter("a") is None
    assert known.enter("b") is not None
    assert known.enter("c") is None
    assert ended == []


def test_when_all_are_too_many_the_client_with_the_most_makes_room() -> None:
    ended: list[str] = []
    known = clients(max_sessions=4)
    opened(known, "small", ended)
    for _ in range(3):
        opened(known, "large", ended)

    assert known.enter("new") is not None
    assert ended == ["large"]


def test_who_leaves_makes_room_once() -> None:
    known = clients(max_sessions=2, max_sessions_per_client=1)
    with known.connected("a") as place:
        assert place is not None
        with known.connected("a") as second:
            assert second is None
        known.leave(place)

    assert known.enter("a") is not None
    assert known.enter("b") is not None
    assert known.enter("c") is None


def test_requests_of_one_client_have_a_size_and_one_is_always_taken() -> None:
    known = clients(max_requests_size_per_client=2048)
    place, other = known.enter("a"), known.enter("a")
    assert place is not None
    assert other is not None
    first, second = RequestLimit(9, place), RequestLimit(9, other)

    taken = [first.take(5000), second.take(10)]
    first.give(5000)
    taken += [first.take(1000), second.take(1000), second.take(1000)]
    known.leave(place)
    taken.append(second.take(1000))

    assert taken == [True, False, True, True, False, True]


def test_requests_are_taken_up_to_the_limit_of_a_session_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limit = RequestLimit(2)

    taken = [limit.take(10), limit.take(10), limit.take(0), limit.take(0)]
    limit.give(10)
    taken += [limit.take(), limit.take()]

    assert taken == [True, True, False, False, True, False]
    (record,) = caplog.records
    assert record.getMessage().startswith("A session has 2 requests in flight")
    assert "calls.limit_per_connection" in record.getMessage()


def test_requests_of_all_sessions_of_a_client_are_taken_up_to_its_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = clients(max_requests_per_client=2)
    limits = [RequestLimit(9, known.enter("a")) for _ in range(3)]
    stranger = RequestLimit(9, known.enter("b"))

    taken = [limit.take(1) for limit in limits]
    limits[0].give(1)
    taken += [stranger.take(1), limits[2].take(1), limits[0].take(1)]

    assert taken == [True, True, False, True, True, False]
    assert ["a has 2" in record.getMessage() for record in caplog.records] == [True, True]
    assert "http.max_requests_per_client" in caplog.text


@pytest.mark.parametrize(("size", "taken"), [(1024, True), (1025, False)])
def test_a_request_of_one_byte_over_the_size_limit_is_refused(size: int, taken: bool) -> None:
    known = clients(max_requests_size_per_client=2048)
    first, second = RequestLimit(9, known.enter("a")), RequestLimit(9, known.enter("a"))
    assert first.take(1024)

    assert second.take(size) is taken


def test_requests_of_a_session_that_was_ended_count_until_they_have_ended() -> None:
    known = clients(max_sessions_per_client=1, max_requests_per_client=5)
    first = opened(known, "a", [])
    taken = [RequestLimit(9, first).take(10) for _ in range(5)]
    second = known.enter("a")
    assert second is not None
    assert not first.is_open
    limit = RequestLimit(9, second)

    refused = limit.take(10)
    known.leave(first)

    assert taken == [True] * 5
    assert refused is False
    assert limit.take(10) is True


def entered(known: Clients, name: str) -> Place:
    place = known.enter(name)
    assert place is not None
    return place


def test_a_session_that_was_ended_is_not_ended_again() -> None:
    ended: list[str] = []
    known = clients(max_sessions_per_client=1)
    opened(known, "a", ended)

    assert known.enter("a") is not None
    assert known.enter("a") is None
    assert ended == ["a"]


def test_a_session_with_two_connections_is_idle_when_both_have_gone() -> None:
    known = clients(max_sessions_per_client=1)
    place = entered(known, "a")
    place.use()
    place.use()

    assert place.release() is False
    assert known.enter("a") is None
    assert place.release() is True
    assert known.enter("a") is not None


def test_a_session_that_was_ended_is_not_idle_when_its_last_connection_goes() -> None:
    known = clients(max_sessions_per_client=1)
    place = entered(known, "a")
    place.use()
    known.leave(place)

    assert place.release() is True
    assert known.enter("a") is not None
    assert known.enter("a") is None


def test_a_client_without_sessions_is_forgotten_and_one_with_any_is_not() -> None:
    known = clients(max_sessions_per_client=2)
    first, second = entered(known, "a"), entered(known, "a")
    known.leave(first)

    third = entered(known, "a")
    assert third.client is second.client
    assert known.enter("a") is None
    known.leave(second)
    known.leave(third)
    new = entered(known, "a")
    assert new.client is not second.client
    known.leave(second)  # of the client that was
    assert entered(known, "a").client is new.client


def test_who_leaves_twice_makes_room_for_one() -> None:
    known = clients(max_sessions_per_client=2)
    first, _ = entered(known, "a"), entered(known, "a")
    known.leave(first)
    known.leave(first)

    assert known.enter("a") is not None
    assert known.enter("a") is None


def test_requests_of_a_session_that_has_left_count_no_more() -> None:
    known = clients(max_requests_per_client=2)
    first, second = entered(known, "a"), entered(known, "a")
    gone, limit = RequestLimit(9, first), RequestLimit(9, second)
    assert [gone.take(10), gone.take(20), limit.take(0)] == [True, True, False]

    known.leave(first)
    assert (second.client.requests, second.client.requests_size) == (0, 0)
    gone.give(20)
    gone.give(10)

    assert [limit.take(), limit.take(), limit.take()] == [True, True, False]
    assert second.client.requests_size == 0
    limit.give()
    assert (second.client.requests, second.client.requests_size) == (1, 0)


def test_answers_may_be_kept_up_to_the_size_of_all_requests() -> None:
    place = entered(clients(max_requests_size_per_client=2048), "a")
    assert RequestLimit(9, place).take(1024)

    assert place.has_room(1024)
    assert not place.has_room(1025)


def test_what_a_client_may_resume_has_a_size() -> None:
    known = clients(resumable_size_per_client=4096)

    assert entered(known, "a").client.kept.most == 4096


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("calls", "A session has 1 requests in flight, as many as calls.limit_per_connection"),
        ("count", "a has 1 requests in flight, as many as http.max_requests_per_client"),
        ("size", "a has 1 requests in flight, as many as http.max_requests_size_per_client"),
    ],
)
def test_a_limit_that_is_reached_is_named(
    name: str, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    http = {"count": {"max_requests_per_client": 1}, "size": {"max_requests_size_per_client": 1024}}
    limit = RequestLimit(1 if name == "calls" else 9, entered(clients(**http.get(name, {})), "a"))
    assert limit.take(1024)

    assert not limit.take(1)
    assert caplog.messages == [f"{setting} allows: refused one more"]
