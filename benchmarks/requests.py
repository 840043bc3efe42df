"""Requests of both protocol eras, as they go over streamable HTTP, and what answers them."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

MODERN = "2026-07-28"
LEGACY = "2025-11-25"

ACCEPT = {"Accept": "application/json, text/event-stream"}
CLIENT = {"name": "bench", "version": "1"}

Check = Callable[[dict[str, Any]], bool]
"""Whether a result is the one that was asked for."""


@dataclass(frozen=True)
class Request:
    """What is sent over and over.

    Attributes:
        method: Of the JSON-RPC request.
        params: Of the JSON-RPC request; its id differs each time, as the protocol wants it.
        check: Tells the right result.
        headers: Of HTTP: one set for each session, which take turns; one set without sessions.
    """

    method: str
    params: dict[str, Any]
    check: Check
    headers: tuple[dict[str, str], ...]

    def body(self, number: int | str) -> str:
        """The JSON-RPC request with an id."""
        return json.dumps(_message(self.method, self.params, number))


def modern(method: str, check: Check, **params: Any) -> Request:
    """A request of the stateless protocol."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {**ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    return Request(method, {**params, "_meta": meta}, check, (headers,))


def legacy(url: str, sessions: int, method: str, check: Check, **params: Any) -> Request:
    """A request in some sessions, which are opened for it."""
    with httpx2.Client() as http:
        headers = tuple(open_session(http, url) for _ in range(sessions))
    return Request(method, params, check, headers)


def open_session(http: httpx2.Client, url: str) -> dict[str, str]:
    """Shake hands as a client of the 2025 protocols does.

    Returns:
        The headers that belong to the session.
    """
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
    opened = http.post(url, json=_message("initialize", hello, 0), headers=ACCEPT)
    if opened.status_code != 200 or "mcp-session-id" not in opened.headers:
        sys.exit(f"{url} opens no session: {opened.status_code} {opened.text[:500]}")
    session = {"MCP-Protocol-Version": LEGACY, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    http.post(url, json=ready, headers=ACCEPT | session).raise_for_status()
    return ACCEPT | session


@dataclass(frozen=True)
class Answer:
    """What a good answer looks like.

    Attributes:
        is_stream: Whether it is an event stream, not JSON.
        size: Bytes of its body.
    """

    is_stream: bool
    size: int


def probe(url: str, request: Request) -> Answer:
    """Ask once; fail loudly when the answer is not what was asked for."""
    with httpx2.Client(timeout=60) as http:
        headers = {**request.headers[0], "Content-Type": "application/json"}
        answer = http.post(url, content=request.body(0), headers=headers)
    result = _result(answer) if answer.status_code == 200 else None
    if result is None or result.get("isError") or not request.check(result):
        sys.exit(f"{url} answers {answer.status_code}: {answer.text[:500]}")
    return Answer(_is_stream(answer), len(answer.content))


def _is_stream(answer: httpx2.Response) -> bool:
    return answer.headers["content-type"].startswith("text/event-stream")


def _result(answer: httpx2.Response) -> dict[str, Any] | None:
    """The result in a JSON body, or in the last event of a stream."""
    text = answer.text
    if _is_stream(answer):
        events = [line for line in text.splitlines() if line.startswith("data: {")]
        text = events[-1].removeprefix("data: ") if events else "{}"
    result = json.loads(text).get("result")
    return result if isinstance(result, dict) else None


def _message(method: str, params: dict[str, Any], number: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
