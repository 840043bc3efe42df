"""What is a message, and how what is none is answered."""

import pytest
from mcp.shared.message import SessionMessage

from mcpkit.core.transports.messages import MOST_VALUES, read_message

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
    ],
)
def test_what_is_no_message_is_answered_under_its_id_if_it_has_one(
    text: str | bytes, code: int, request_id: int | None
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
    message = read_message(f'{{"jsonrpc":"2.0","method":"ping"{extra}}}')

    assert isinstance(message, SessionMessage)


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
