"""The 2025 protocols over HTTP: clients shake hands, and name their session in every request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from anyio.abc import TaskGroup
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context
from mcp_types.jsonrpc import HEADER_MISMATCH
from starlette.types import Receive, Scope, Send

from mcpkit.core.contributions import Endpoint
from mcpkit.core.errors import RETRY_AFTER
from mcpkit.core.transports.bodies import Posted, reject, reject_unaccepted, reject_with
from mcpkit.core.transports.messages import BATCHES, NO_BATCHES, bad_batch, read_batch
from mcpkit.core.transports.principals import principal_of
from mcpkit.core.transports.refusals import SESSION_WAIT
from mcpkit.core.transports.responses import Company, accepted, answer, fields_of
from mcpkit.core.transports.sessions import Session

logger = logging.getLogger(__name__)

SESSION = "mcp-session-id"
"""The header field that names a session."""


class LegacyRequests:
    """Answers the requests of the 2025 protocols.

    Args:
        endpoint: The server that answers.
        state: What its lifespan yielded.
        company: Looks after requests that last.
        tasks: Where sessions live.
    """

    def __init__(self, endpoint: Endpoint, state: Any, company: Company, tasks: TaskGroup) -> None:
        self._server = endpoint.server
        self._clients = endpoint.clients
        self._settings = endpoint.settings
        self._state = state
        self._company = company
        self._tasks = tasks
        self._sessions: dict[str, Session] = {}

    async def post(self, scope: Scope, receive: Receive, send: Send, posted: Posted) -> None:
        """Answer one message."""
        request = posted.message
        is_request = isinstance(request, types.JSONRPCRequest)
        if isinstance(request, types.JSONRPCRequest) and _is_modern(request):
            text = "The header MCP-Protocol-Version does not match the protocol version in _meta"
            await reject(send, 400, HEADER_MISMATCH, text, request.id)
        elif is_request and not posted.is_answerable(json_only=self._settings.http.json_response):
            await reject_unaccepted(send, posted)
        elif SESSION not in posted.fields:
            await self._open(scope, receive, send, posted)
        else:
            session = await self._find(scope, send, posted.fields)
            if session is not None:
                with session.used():
                    await session.post(scope, receive, send, posted)

    async def post_batch(self, scope: Scope, receive: Receive, send: Send, posted: Posted) -> None:
        """Answer a batch of messages, in a session whose protocol has such."""
        session = await self._find(scope, send, posted.fields)
        if session is None:
            return
        most = self._settings.calls.max_batch
        if session.version != BATCHES:
            await reject(send, 400, types.INVALID_REQUEST, NO_BATCHES)
        elif not posted.is_answerable(json_only=self._settings.http.json_response):
            await reject_unaccepted(send, posted)
        elif messages := read_batch(posted.body, most):
            with session.used():
                await session.post_batch(scope, receive, send, posted, messages)
        else:
            await reject_with(send, 400, bad_batch(most).error, None)

    async def get(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events: what belongs to no request, or what a client has missed."""
        fields = fields_of(scope)
        if not accepted(fields.get("accept", ""))[1]:
            await reject(send, 406, types.INVALID_REQUEST, "Send Accept: text/event-stream")
            return
        session = await self._find(scope, send, fields)
        if session is None:
            return
        with session.used():
            if "last-event-id" in fields:
                await session.resume(scope, receive, send, fields["last-event-id"])
            else:
                await session.listen(scope, receive, send)

    async def delete(self, scope: Scope, send: Send) -> None:
        """End a session."""
        session = await self._find(scope, send, fields_of(scope))
        if session is not None:
            session.end()
            await answer(send, 200, b"")

    async def _find(self, scope: Scope, send: Send, fields: Mapping[str, str]) -> Session | None:
        """The session that a request names; None when that was answered with an error."""
        name = fields.get(SESSION)
        if name is None:
            text = "Bad request: the header Mcp-Session-Id is missing"
            await reject(send, 400, types.INVALID_REQUEST, text)
            return None
        session = self._sessions.get(name)
        if session is None or session.is_ended or session.owner != _owner(scope):
            await reject(send, 404, types.INVALID_REQUEST, "Session not found")
            return None
        return session

    async def _open(self, scope: Scope, receive: Receive, send: Send, posted: Posted) -> None:
        """Begin a session, if the request shakes hands and succeeds."""
        request = posted.message
        if not isinstance(request, types.JSONRPCRequest) or request.method != "initialize":
            await self._find(scope, send, posted.fields)
            return
        place = self._clients.enter(principal_of(scope))
        if place is None:
            text = "Too many open sessions: end another one with DELETE, or try again later"
            error = types.ErrorData(code=503, message=text, data={RETRY_AFTER: SESSION_WAIT})
            await reject_with(send, 503, error, request.id)
            return
        session = Session(_owner(scope), place, self._settings, self._company)
        self._sessions[session.name] = session
        self._tasks.start_soon(self._run, session)
        answered = None
        try:
            with session.used():
                answered = await session.post(scope, receive, send, posted)
        finally:
            if isinstance(answered, types.JSONRPCResponse):
                session.version = answered.result.get("protocolVersion")
            else:
                session.end()

    async def _run(self, session: Session) -> None:
        try:
            await session.run(self._server, self._state)
        except Exception:
            logger.exception("A session failed")
        finally:
            self._sessions.pop(session.name, None)
            self._clients.leave(session.place)


def _owner(scope: Scope) -> Any:
    """Who asks, as sessions are bound to; None where nobody is known."""
    user = scope.get("user")
    return authorization_context(user) if isinstance(user, AuthenticatedUser) else None


def _is_modern(request: types.JSONRPCRequest) -> bool:
    """Whether a request without a header of the modern protocol is one all the same.

    It is not answered as one of the 2025 protocols (specification of 2026-07-28,
    basic/transports/streamable-http: 400 and -32020).
    """
    meta = (request.params or {}).get("_meta")
    is_modern = isinstance(meta, dict) and types.PROTOCOL_VERSION_META_KEY in meta
    return is_modern and request.method != "initialize"
