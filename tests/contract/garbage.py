"""Garbage: what a broken or hostile client may send, as hypothesis strategies of JSON text.

JSON is written as text, not dumped, so that it can be what no writer would produce: too deep,
with a key twice, with NaN or half of a character.
"""

import json

from hypothesis import strategies as st

MODERN = "2026-07-28"

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "fuzz", "version": "1"},
}
"""Parameters that open a connection of the 2025 protocols."""

META = (
    f'{{"io.modelcontextprotocol/protocolVersion":"{MODERN}",'
    '"io.modelcontextprotocol/clientCapabilities":{}}'
)
"""What each request of the modern protocol carries as `_meta`."""

MODERN_PARAMS = f'{{"_meta":{META}}}'

PARAMS: dict[str, dict[str, str]] = {
    "initialize": {key: json.dumps(value) for key, value in INITIALIZE.items()},
    "ping": {},
    "tools/list": {"cursor": '"next"'},
    "tools/call": {"name": '"conversation_echo"', "arguments": '{"text":"hello"}'},
    "resources/list": {"cursor": '"next"'},
    "resources/templates/list": {},
    "resources/read": {"uri": '"conversation://people/Kari"'},
    "resources/subscribe": {"uri": '"conversation://topic"'},
    "resources/unsubscribe": {"uri": '"conversation://topic"'},
    "prompts/list": {},
    "prompts/get": {"name": '"conversation_discuss"', "arguments": '{"subject":"snow"}'},
    "completion/complete": {
        "ref": '{"type":"ref/prompt","name":"conversation_discuss"}',
        "argument": '{"name":"subject","value":"x"}',
    },
    "subscriptions/listen": {"notifications": '{"toolsListChanged":true}'},
    "logging/setLevel": {"level": '"debug"'},
    "server/discover": {},
    "notifications/initialized": {},
    "notifications/cancelled": {"requestId": "1"},
    "notifications/progress": {"progressToken": "1", "progress": "1"},
    "notifications/roots/list_changed": {},
}
"""Methods, each with parameters that are right."""


def nested(depth: int, opening: str, inner: str) -> str:
    """A value of some depth, `[[[…]]]` or `{"a":{"a":…}}`."""
    closing = "]" if opening == "[" else "}"
    return opening * depth + inner + closing * depth


depths = st.sampled_from([100, 190, 256, 600, 900, 990, 1100, 5000])
openings = st.sampled_from(["[", '{"a":'])
deep = st.builds(nested, depths, openings, st.just("1"))
huge = st.builds(
    lambda size, character: json.dumps(character * size),
    st.sampled_from([5_000, 100_000, 1_000_000]),
    st.sampled_from(["x", "é", "\0"]),
).filter(lambda text: len(text) < 1_100_000)

numbers = st.sampled_from(
    ["0", "-1", "1.5", "1e999", "-0.0", "9" * 19, "9" * 400, "9" * 5000, "NaN", "Infinity"]
)
strings = st.sampled_from(
    [
        *(
            '""',
            '"x"',
            '"\\u0000"',
            '"\\ud800"',
            '"\\udc00\\ud800"',
            '"a\\nb\\r\\n"',
            '"%ed%a0%80"',
        ),
        *('"../../etc/passwd"', '"conversation://people/%00"', '"{}"', '"__class__"', '"\u202e"'),
        *(
            '"conversation_fail"',
            '"conversation_rename"',
            '"http://[::1"',
            '"\ufeff"',
            '"=?base64?!?="',
        ),
    ]
)
scalars = st.one_of(st.sampled_from(["null", "true", "false"]), numbers, strings)
values = st.one_of(
    scalars,
    st.sampled_from(["[]", "{}", "[null]", '{"":null}', '{"_meta":null}', '{"name":{}}']),
    st.text(max_size=20).map(json.dumps),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ).map(json.dumps),
    deep,
)
"""Values that are legal JSON, nearly, and mostly of the wrong type."""

wrong_ids = st.one_of(
    st.sampled_from(
        ["null", "true", "false", "1.5", "1e999", "NaN", "{}", "[]", "[1]", "9" * 5000]
    ),
    st.just('"\\ud800"'),
    deep,
)
ids = st.one_of(
    st.integers(0, 3).map(str),
    st.sampled_from(['"1"', '"x"', '""', "-1", "9" * 19, "9" * 400, json.dumps("x" * 5000)]),
)


def object_of(members: list[tuple[str, str]]) -> str:
    """An object, in which a key may stand twice."""
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in members) + "}"


@st.composite
def params_of(draw: st.DrawFn, method: str, *, modern: bool) -> str:
    """Parameters of a known method, with something wrong about them."""
    members = dict(PARAMS.get(method, {}))
    if modern:
        members["_meta"] = META
    for name in draw(st.lists(st.sampled_from(sorted({*members, "extra", "_meta"})), max_size=2)):
        members[name] = draw(st.one_of(values, huge) if name != "_meta" else metas)
    pairs = list(members.items())
    if pairs and draw(st.integers(0, 4)) == 0:
        pairs.pop(draw(st.integers(0, len(pairs) - 1)))
    return object_of(pairs)


metas = st.one_of(
    values,
    st.builds(
        lambda key, value: f'{{"{key}":{value}}}',
        st.sampled_from(
            [
                *("progressToken", "io.modelcontextprotocol/protocolVersion"),
                *("io.modelcontextprotocol/clientCapabilities", "io.modelcontextprotocol/logLevel"),
            ]
        ),
        values,
    ),
    st.builds(lambda value: META[:-1] + f',"progressToken":{value}}}', values),
    st.builds(lambda value: META[:-1] + f',"io.modelcontextprotocol/clientInfo":{value}}}', values),
)


@st.composite
def odd_messages(draw: st.DrawFn, *, modern: bool = False) -> str:
    """Messages with the right envelope and odd contents; some are right."""
    method = draw(st.sampled_from([*PARAMS, "tools/nonsense", "", "rpc.discover", "x" * 5000]))
    members = [("jsonrpc", '"2.0"'), ("method", json.dumps(method))]
    if draw(st.integers(0, 9)):
        members.append(("id", draw(ids)))
    if draw(st.integers(0, 9)):
        members.append(("params", draw(params_of(method, modern=modern))))
    if draw(st.integers(0, 9)) == 0:
        members.append((draw(st.sampled_from(["id", "result", "params", "x"])), draw(values)))
    return object_of(draw(st.permutations(members)))


broken_messages = st.one_of(
    # the envelope itself is wrong
    st.builds(
        lambda version, id_: object_of([("jsonrpc", version), ("id", id_), ("method", '"ping"')]),
        st.sampled_from(['"1.0"', "2.0", "null", "[]", '"2.00"']),
        ids,
    ),
    st.builds(lambda id_: object_of([("id", id_), ("method", '"ping"')]), ids),
    st.builds(
        lambda id_, method: object_of(
            [("jsonrpc", '"2.0"'), ("id", id_), ("method", method), ("params", MODERN_PARAMS)]
        ),
        wrong_ids,
        st.sampled_from(['"ping"', '"tools/list"']),
    ),
    st.builds(
        lambda id_, method: object_of([("jsonrpc", '"2.0"'), ("id", id_), ("method", method)]),
        ids,
        st.one_of(st.sampled_from(["1", "null", "{}", '["ping"]', '"\\ud800"']), deep),
    ),
    st.builds(
        lambda id_, params: object_of(
            [("jsonrpc", '"2.0"'), ("id", id_), ("method", '"ping"'), ("params", params)]
        ),
        ids,
        st.one_of(st.sampled_from(["1", "[]", '"x"', "false", "[{}]"]), huge),
    ),
    # batches, and what is no object at all
    st.lists(odd_messages(), max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
    scalars,
    deep,
    st.builds(lambda depth, opening: opening * depth, depths, openings),
    st.sampled_from(["{}", "{,}", "{'a':1}", '{"a"', "nul", "\ufeff{}", "//", "{}{}", "\x00\x00"]),
    huge,
).map(lambda text: text.encode("utf-8"))
"""Frames of which none is a JSON-RPC message."""


@st.composite
def torn_frames(draw: st.DrawFn) -> bytes:
    """A message that was damaged on its way: cut, with bytes that are no UTF-8, with NULs."""
    frame = draw(odd_messages().filter(lambda text: len(text) < 10_000)).encode()
    at = draw(st.integers(1, len(frame) - 1))
    return draw(
        st.sampled_from(
            [
                frame[:at],
                frame[at:],
                frame[:at] + b"\0" + frame[at:],
                frame[:at] + b"\xff\xfe" + frame[at:],
                frame[:at] + b"\xed\xa0\x80" + frame[at:],
                frame.decode().encode("utf-16"),
                frame * 2,
                b" \t" + frame + b" \r",
            ]
        )
    )


odd_frames = st.one_of(odd_messages(), odd_messages(modern=True)).map(str.encode)
frames = st.one_of(
    broken_messages, odd_frames, torn_frames(), st.sampled_from([b"", b" ", b"\r", b"\0"])
)
"""Anything."""
