"""The modern protocol over HTTP: every POST is a whole request, answered without a session.

It serves what the SDK's own entry serves, on the SDK's dispatching (`mcp.server.runner.serve_one`)
and its checks of headers, and runs the handler in the task of the request: nothing is opened for
streaming before something streams.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_one
from mcp.shared.inbound import (
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
    validate_mcp_param_headers,
)
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp_types.jsonrpc import HEADER_MISMATCH
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from mcpkit.core.encoding import encode
from mcpkit.core.transports.exchanges import Company, Exchange, answer
from mcpkit.core.transports.guard import refuse
from mcpkit.core.transports.messages import failure, read_message

logger = logging.getLogger(__name__)

LISTEN = "subscriptions/listen"
"""The request whose response is a stream by nature (specification, basic/utilities)."""


class ModernRequests:
    """ASGI application that answers the POSTs of the modern protocol.

    Args:
        server: The SDK server that answers.
        state: What its lifespan yielded.
        company: Looks after requests that last.
        json_response: Whether every response is JSON, and what would stream is dropped.
    """

    def __init__(
        self, server: Server[Any], state: Any, company: Company, *, json_response: bool
    ) -> None:
        self._server = server
        self._state = state
        self._company = company
        self._json_response = json_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST; its body is limited in size before it comes here."""
        fields = _fields(scope)
        if not fields.get("content-type", "").lower().startswith("application/json"):
            refusal = refuse(400, "The body is not JSON", "Send Content-Type: application/json")
            await refusal(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return  # nobody waits for an answer
        message = read_message(body)
        if isinstance(message, types.JSONRPCError):
            await _reject(send, message.error, message.id)
            return
        request = message.message
        takes_json, takes_stream = _accepted(fields.get("accept", ""))
        if isinstance(request, types.JSONRPCNotification):
            await answer(send, 202, b"")  # none is defined; clients in the field send some
        elif not isinstance(request, types.JSONRPCRequest):
            error = failure(types.INVALID_REQUEST, "Invalid request: nothing was asked").error
            await _reject(send, error, None)
        elif not takes_json or not (takes_stream or self._may_be_json(request)):
            hint = "Send Accept: application/json, text/event-stream"
            await refuse(406, "The response would not be accepted", hint)(scope, receive, send)
        else:
            streams = takes_stream and not self._may_be_json(request)
            exchange = Exchange(scope, _rest(body, receive), send, request, streams=streams)
            await self._answer(exchange, request, self._route(scope, fields, request))

    def _may_be_json(self, request: types.JSONRPCRequest) -> bool:
        """Whether the settings want JSON, and the request allows it."""
        return self._json_response and request.method != LISTEN

    def _route(
        self, scope: Scope, fields: Mapping[str, str], request: types.JSONRPCRequest
    ) -> InboundModernRoute | InboundLadderRejection:
        """Check that header fields, envelope and arguments agree (specification, SEP-2243)."""
        if len(fields) < len(scope["headers"]):
            repeated = find_duplicated_routing_header(Headers(scope=scope).items())
            if repeated is not None:
                text = f"{repeated} header appears more than once"
                return InboundLadderRejection(code=HEADER_MISMATCH, message=text)
        body = {"method": request.method, "params": request.params}
        route = classify_inbound_request(body, headers=fields)
        if isinstance(route, InboundLadderRejection) or request.method != "tools/call":
            return route
        return self._disagreement(scope, request.params or {}) or route

    def _disagreement(
        self, scope: Scope, params: Mapping[str, Any]
    ) -> InboundLadderRejection | None:
        """Compare the arguments of a call with the header fields that repeat them."""
        name, arguments = params.get("name"), params.get("arguments") or {}
        lookup = self._server.get_tool_input_schema
        if lookup is None or not isinstance(name, str) or not isinstance(arguments, Mapping):
            return None  # it is refused when it is dispatched
        schema = lookup(name)
        if schema is None:
            return None
        return validate_mcp_param_headers(schema, arguments, Headers(scope=scope))

    async def _answer(
        self,
        exchange: Exchange,
        request: types.JSONRPCRequest,
        route: InboundModernRoute | InboundLadderRejection,
    ) -> None:
        """Let the SDK dispatch it, until it is answered or the client leaves."""
        if isinstance(route, InboundLadderRejection):
            await exchange.fail(
                types.ErrorData(code=route.code, message=route.message, data=route.data)
            )
            return
        connection = Connection.from_envelope(
            route.protocol_version, route.client_info, route.client_capabilities
        )
        self._company.add(exchange)
        try:
            with exchange.scope:
                try:
                    result = await serve_one(
                        self._server,
                        exchange,
                        request.method,
                        request.params,
                        connection=connection,
                        lifespan_state=self._state,
                    )
                except Exception as exc:  # noqa: BLE001  # plugin code: anything may come
                    await exchange.fail(_error(exc))
                else:
                    await exchange.finish(result)
        finally:
            exchange.is_over = True
            self._company.remove(exchange)


def _error(exc: Exception) -> types.ErrorData:
    """What a client learns of an exception; what is not meant for it stays in the log."""
    error = handler_exception_to_error_data(exc)
    if error is None:
        logger.error("A request failed", exc_info=exc)
        return types.ErrorData(code=types.INTERNAL_ERROR, message="Internal server error")
    return error


async def _reject(send: Send, error: types.ErrorData, request_id: types.RequestId | None) -> None:
    told = error.model_dump(by_alias=True, exclude_none=True)
    await answer(send, 400, encode({"jsonrpc": "2.0", "id": request_id, "error": told}))


def _fields(scope: Scope) -> dict[str, str]:
    """Header fields by lower-case name; of a repeated one the first."""
    pairs = reversed(scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


@lru_cache(maxsize=32)
def _accepted(accept: str) -> tuple[bool, bool]:
    """Whether an Accept header takes JSON, and an event stream (RFC 9110, section 12.5.1)."""
    kinds = {kind.partition(";")[0].strip().lower() for kind in accept.split(",")}
    takes_json = kinds & {"*/*", "application/*", "application/json"}
    takes_stream = kinds & {"*/*", "text/*", "text/event-stream"}
    return bool(takes_json), bool(takes_stream)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client left before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _rest(body: bytes, receive: Receive) -> Receive:
    """The body once more, for a handler that reads the request itself, then what comes after."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def rest() -> Message:
        return messages.pop() if messages else await receive()

    return rest
