"""What is a message, and how what is none is answered."""

import json
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.message import SessionMessage

from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.transports.messages import (
    BUSY_WAIT,
    MOST_VALUES,
    NO_BATCHES,
    bad_batch,
    busy,
    failure,
    is_batch,
    read_batch,
    read_message,
    taken,
    write_message,
)

DEEP = '{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":' + "[" * 300 + "]" * 300 + "}}"

LONG_ID = '{"jsonrpc":"2.0","id":"%s","method":"ping"}'
LONG_TOKEN = '{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"progressToken":%s}}}'


@pytest.mark.parametrize(
    ("text", "code", "request_id"),
    [
        ("{", -32700, None),
        (b'{"jsonrpc":"2.0","id":7,"method":"\xff"}', -32700, None),
        ('{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":NaN}}', -32700, None),
        ("[" * 5000, -32700, None),
        ("[]", -32600, None),
        ('[{"jsonrpc":"2.0","id":7,"method":"ping"}]', -32600, None),
        ('{"id":7,"method":"ping"}', -32600, 7),
        ('{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}', -32600, 7),
        ('{"jsonrpc":"2.0","id":7,"method":"\\ud800"}', -32600, 7),
        (DEEP, -32600, 7),
        (LONG_ID % ("x" * 257), -32600, None),
        (LONG_TOKEN % f'"{"x" * 257}"', -32602, 7),
        (LONG_TOKEN % ("9" * 257), -32602, 7),
        (LONG_TOKEN % f"1{'0' * 256}", -32602, 7),
        (LONG_TOKEN % f"-1{'0' * 256}", -32602, 7),
        ('{"id":"a","method":"ping"}', -32600, "a"),
        ("17", -32600, None),
    ],
)
def test_what_is_no_message_is_answered_under_its_id_if_it_has_one(
    text: str | bytes, code: int, request_id: int | str | None
) -> None:
    answer = read_message(text)

    assert not isinstance(answer, SessionMessage)
    assert (answer.error.code, answer.id) == (code, request_id)


@pytest.mark.parametrize("wrong", ["null", "true", "1.5", "{}", "[]", '"\\ud800"'])
def test_a_request_with_a_wrong_id_is_no_notification(wrong: str) -> None:
    answer = read_message(f'{{"jsonrpc":"2.0","id":{wrong},"method":"ping"}}')

    assert not isinstance(answer, SessionMessage)
    assert (answer.error.code, answer.id) == (-32600, None)


@pytest.mark.parametrize("extra", ["", ',"id":1', ',"id":"1"', ',"id":-1', ',"more":null'])
def test_messages_are_read(extra: str) -> None:
    text = f'{{"jsonrpc":"2.0","method":"ping"{extra}}}'
    message = read_message(text)

    assert isinstance(message, SessionMessage)
    kind = types.JSONRPCRequest if '"id"' in extra else types.JSONRPCNotification
    assert type(message.message) is kind
    assert message.message.method == "ping"


@pytest.mark.parametrize(
    "text", [LONG_ID % ("x" * 256), LONG_TOKEN % f'"{"x" * 256}"', LONG_TOKEN % ("9" * 256)]
)
def test_ids_and_progress_tokens_at_the_limit_are_taken(text: str) -> None:
    assert isinstance(read_message(text), SessionMessage)


MESSAGE = '{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":%s}}'
OWN = 6
"""Separators of values in `MESSAGE`, and the bracket of a list."""


@pytest.mark.parametrize(
    ("value", "count"),
    [("1", 1), ("[]", 2), ("{}", 2), ('"a"', 1), (r'"\"[\\"', 1)],
    ids=["numbers", "lists", "objects", "texts", "escapes"],
)
def test_a_message_holds_a_limited_number_of_values(value: str, count: int) -> None:
    most = (MOST_VALUES - OWN) // count
    assert isinstance(read_message(MESSAGE % f"[{','.join([value] * most)}]"), SessionMessage)
    refused = read_message(MESSAGE % f"[{','.join([value] * (most + 2))}]")
    assert not isinstance(refused, SessionMessage)
    assert refused.error.message == "Invalid request: it holds more than 250,000 values"


@pytest.mark.parametrize("part", ["1,", "[", r"\",", r"\\,", "{é"])
def test_what_text_says_is_no_value(part: str) -> None:
    text = MESSAGE % f'"{part * MOST_VALUES}"'
    assert isinstance(read_message(text), SessionMessage)
    assert isinstance(read_message(text.encode()), SessionMessage)


def counted(values: int) -> str:
    """A message of exactly so many values, told by its punctuation."""
    return MESSAGE % f"[{','.join(['1'] * (values - OWN + 1))}]"


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_one_value_over_the_limit_is_too_many(more: int, fits: bool) -> None:
    text = counted(MOST_VALUES + more)

    assert sum(map(text.count, ",[{")) == MOST_VALUES + more
    assert isinstance(read_message(text), SessionMessage) is fits
    assert isinstance(read_message(text.encode()), SessionMessage) is fits
    assert isinstance(read_message(text.replace("ping", "p,ng")), SessionMessage) is fits


@pytest.mark.parametrize("first", [r"\\", r"\"", r"\\\"", ""])
def test_texts_end_where_json_ends_them(first: str) -> None:
    commas = "," * MOST_VALUES

    assert isinstance(read_message(MESSAGE % f'["{first}","{commas}"]'), SessionMessage)
    many = ",".join(["1"] * MOST_VALUES)
    assert not isinstance(read_message(MESSAGE % f'["{first}",{many}]'), SessionMessage)


TOKEN = "Invalid params: progressToken has more than 256 characters"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Parse error: the message is not valid JSON in UTF-8"),
        ("{}", "Invalid request: not a JSON-RPC 2.0 message, or nested too deeply"),
        ("[]", NO_BATCHES),
        (LONG_ID % ("x" * 257), "Invalid request: the id has more than 256 characters"),
        (LONG_TOKEN % ("9" * 257), TOKEN),
    ],
)
def test_an_answer_tells_what_is_wrong(text: str, told: str) -> None:
    answer = read_message(text)

    assert not isinstance(answer, SessionMessage)
    assert answer.error.message == told
    assert is_batch(answer) is (text == "[]")


PING = '{"jsonrpc":"2.0","id":%s,"method":"%s"}'


def test_a_batch_is_read_message_by_message() -> None:
    parts = [PING % (1, "ping"), "17", PING % ('"a"', "initialize"), PING % (3, "initialized")]
    notice = '{"jsonrpc":"2.0","method":"initialize"}'

    found = read_batch(f"[{','.join([*parts, notice])}]", 5)

    messages = [one.message for one in found if isinstance(one, SessionMessage)]
    assert [getattr(one, "method", None) for one in messages] == [
        "ping", "initialized", "initialize",
    ]  # fmt: skip
    wrong, handshake = (one for one in found if isinstance(one, types.JSONRPCError))
    assert (wrong.id, wrong.error.code) == (None, -32600)
    assert (handshake.id, handshake.error.code) == ("a", -32600)
    assert handshake.error.message == "Invalid request: initialize is not part of a batch"


@pytest.mark.parametrize(
    ("text", "most"),
    [("[]", 3), ("{}", 3), ("[", 3), ("[1,2,3,4]", 3), ("[NaN]", 3), ("17", 3), ('"abc"', 3)],
)
def test_what_is_no_batch_or_a_long_one_holds_nothing(text: str, most: int) -> None:
    assert list(read_batch(text, most)) == []


def test_a_batch_may_hold_as_many_messages_as_allowed() -> None:
    assert len(read_batch(f"[{PING % (1, 'ping')},1,2]", 3)) == 3


def wire(error: types.JSONRPCError) -> dict[str, Any]:
    return dict(json.loads(write_message(SessionMessage(error))))


def test_refusals_are_written_as_they_stand_in_the_protocol() -> None:
    told = "Too many requests in flight: wait for an answer before you send the next one"
    assert wire(busy(7)) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": 429,
            "message": told,
            "data": {RETRY_AFTER: BUSY_WAIT},
        },
    }
    assert wire(taken("a")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {
            "code": -32600,
            "message": "Invalid request: another one with this id is not answered yet",
        },
    }
    told = "Invalid request: a batch holds 1 to 9 messages"
    assert wire(bad_batch(9))["error"] == {"code": -32600, "message": told}
    assert wire(failure(5, "x")) == {
        "jsonrpc": "2.0", "id": None, "error": {"code": 5, "message": "x"},
    }  # fmt: skip


def test_results_and_requests_are_written_without_what_was_not_set() -> None:
    result = types.JSONRPCResponse(jsonrpc="2.0", id=1, result={"a": [None, "\ud800"]})
    asked = types.JSONRPCRequest(jsonrpc="2.0", id="b", method="ping")

    assert write_message(SessionMessage(result)) == (
        b'{"jsonrpc":"2.0","id":1,"result":{"a":[null,"?"]}}'
    )
    assert json.loads(write_message(SessionMessage(asked))) == {
        "jsonrpc": "2.0", "id": "b", "method": "ping",
    }  # fmt: skip
