"""Garbage for HTTP: headers that do not fit their body, and requests that are hardly any."""

import contextlib
import json

from hypothesis import strategies as st
from mcp.shared.inbound import encode_header_value

from tests.contract.garbage import MODERN, PARAMS, ids, object_of, odd_frames, params_of

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods with the parameter that the header Mcp-Name repeats."""

header_values = st.one_of(
    st.sampled_from(
        ["", "tools/call", "conversation_echo", "=?base64?!?=", "=?base64?7aCA?=", "1"]
    ),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=9
    ),
)


@st.composite
def modern_posts(draw: st.DrawFn) -> tuple[dict[str, str], bytes]:
    """Headers and body of a modern request; the headers mostly agree with the body."""
    method = draw(st.sampled_from([*PARAMS, "tools/nonsense"]))
    params = draw(params_of(method, modern=True))
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    with contextlib.suppress(AttributeError, KeyError, RecursionError, TypeError, ValueError):
        headers["Mcp-Name"] = encode_header_value(json.loads(params)[NAMED[method]])
    if draw(st.integers(0, 9)) == 0:
        headers[draw(st.sampled_from([*headers, "Mcp-Name"]))] = draw(header_values)
    members = [("jsonrpc", '"2.0"'), ("id", draw(ids)), ("method", json.dumps(method))]
    return headers, object_of([*members, ("params", params)]).encode()


STARTS = [
    "POST /mcp HTTP/1.1",
    "POST /messages/ HTTP/1.1",
    f"POST /messages/?session_id={'0' * 32} HTTP/1.1",
    "POST /messages/?session_id=\xe9",
    "PUT /mcp HTTP/1.1",
    "DELETE /mcp HTTP/1.1",
    "GET /sse HTTP/9.9",
    "GET /ws HTTP/1.1",
    "\0 \0 \0",
    "",
]


@st.composite
def torn_requests(draw: st.DrawFn, host: str) -> bytes:
    """HTTP requests that are wrong as such, cut somewhere or not."""
    body = draw(odd_frames.filter(lambda frame: len(frame) < 10_000))
    headers = {
        "Host": [host, "", "evil.example", f"{host}\0"],
        "Content-Type": ["application/json", "text/plain", "\xff"],
        "Accept": ["application/json, text/event-stream"],
        "Content-Length": ["0", "-1", "x", "5", str(len(body) + 9), "9" * 30, ""],
        "Transfer-Encoding": ["chunked"],
        "MCP-Protocol-Version": [MODERN, "2025-11-25", "", "x" * 99],
        "Mcp-Session-Id": ["", "x", "\xe9", "0" * 32, "y" * 70_000],
    }
    names = [*draw(st.permutations([*headers]))]
    names.remove(draw(st.sampled_from(["Content-Length", "Transfer-Encoding"])))
    lines = [f"{name}: {draw(st.sampled_from(headers[name]))}" for name in names]
    whole = "\r\n".join([draw(st.sampled_from(STARTS)), *lines, "", ""]).encode("latin-1") + body
    return whole[: draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))]
