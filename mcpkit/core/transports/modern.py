"""The modern protocol over HTTP: every POST is a whole request, answered without a session.

It serves what the SDK's own entry serves, on the SDK's dispatching (`mcp.server.runner.serve_one`)
and its checks of headers, and runs the handler in the task of the request: nothing is opened for
streaming before something streams.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_one
from mcp.shared.inbound import (
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp_types.jsonrpc import HEADER_MISMATCH
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mcpkit.core.middleware import LISTEN
from mcpkit.core.transports.bodies import Posted, reject, reject_unaccepted, reject_with
from mcpkit.core.transports.exchanges import Exchange
from mcpkit.core.transports.responses import Company, Response, answer
from mcpkit.core.versions import naming_all

logger = logging.getLogger(__name__)

LONGEST_LISTEN = 256 * 1024
"""Bytes of a request that is kept as long as its client listens."""


class ModernRequests:
    """Answers the messages of the modern protocol.

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

    async def post(self, scope: Scope, receive: Receive, send: Send, posted: Posted) -> None:
        """Answer one message."""
        request = posted.message
        if isinstance(request, types.JSONRPCNotification):
            await _acknowledge(send, posted)
            return
        if not isinstance(request, types.JSONRPCRequest):
            await reject(send, 400, types.INVALID_REQUEST, "Invalid request: nothing was asked")
            return
        if request.method == LISTEN and len(posted.body) > LONGEST_LISTEN:
            text = "The request to subscribe is too large"
            await reject(send, 413, types.INVALID_PARAMS, text, request.id)
            return
        json_only = self._json_response and request.method != LISTEN  # that one is a stream
        if not posted.is_answerable(json_only=json_only):
            await reject_unaccepted(send, posted)
            return
        streams = posted.takes_stream and not json_only
        response = Response(scope, receive, send)
        exchange = Exchange(scope, posted.again(receive), response, request, streams=streams)
        route = self._route(scope, posted.fields, request)
        if isinstance(route, InboundLadderRejection):
            await exchange.fail(_told(route))
        else:
            await self._serve(exchange, request, route)

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

    async def _serve(
        self, exchange: Exchange, request: types.JSONRPCRequest, route: InboundModernRoute
    ) -> None:
        """Let the SDK dispatch it, until it is answered or the client leaves."""
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
            exchange.response.is_over = True
            self._company.remove(exchange)


async def _acknowledge(send: Send, posted: Posted) -> None:
    """Take a notification of a version that is served: none is defined, but some clients post."""
    version = posted.fields.get(MCP_PROTOCOL_VERSION_HEADER, "")
    unsupported = unsupported_protocol_version_rejection(version)
    if unsupported is None:
        await answer(send, 202, b"")
    else:
        await reject_with(send, 400, _told(unsupported), None)


def _told(rejection: InboundLadderRejection) -> types.ErrorData:
    return naming_all(
        types.ErrorData(code=rejection.code, message=rejection.message, data=rejection.data)
    )


def _error(exc: Exception) -> types.ErrorData:
    """What a client learns of an exception; what is not meant for it stays in the log."""
    error = handler_exception_to_error_data(exc)
    if error is None:
        logger.error("A request failed", exc_info=exc)
        return types.ErrorData(code=types.INTERNAL_ERROR, message="Internal server error")
    return error
