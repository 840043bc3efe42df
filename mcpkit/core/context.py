"""`Context`: what a handler may ask while it runs.

It extends the SDK's context, so progress, elicitation, `Resolve(...)` and the session work as the
SDK documents them; on top of that it knows the plugin's settings and state.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, cast

import mcp_types as types
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.server.elicitation import ElicitationResult
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.context import Context as SDKContext
from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.exceptions import NoBackChannelError
from pydantic import AnyUrl, BaseModel
from typing_extensions import TypeVar

from mcpkit.core.errors import ToolError
from mcpkit.core.input_requests import NEEDS_SESSION
from mcpkit.core.nested import Nested
from mcpkit.core.sampling import Messages, Sampled, sample

SettingsT = TypeVar("SettingsT", default=Any)
StateT = TypeVar("StateT", default=Any)
AnswerT = TypeVar("AnswerT", bound=BaseModel)

ExposedName = Callable[[str, str], str]
"""Tells what clients call a tool or prompt, by its plugin and the name that the plugin uses."""

LOG_LEVELS: tuple[types.LoggingLevel, ...] = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
"""Log levels of MCP, least severe first (RFC 5424)."""


@dataclass(frozen=True, slots=True)
class _Own:
    """What our context knows beyond the SDK's; one attribute, because setting them costs."""

    params: Any
    settings: Any
    plugin: str
    nested: Nested | None
    log_level: types.LoggingLevel | None
    exposed_name: ExposedName | None


class Context(SDKContext[StateT, Any], Generic[SettingsT, StateT]):
    """What a handler may ask: annotate a parameter with it and it is passed in.

    `Context[WeatherSettings, WeatherState]` types `settings` and `state`.
    """

    _own: Any = None

    @classmethod
    def for_request(
        cls,
        request_context: ServerRequestContext[Any, Any],
        *,
        plugin: str,
        settings: Any,
        params: Any = None,
        subscriptions: SubscriptionBus | None = None,
        nested: Nested | None = None,
        log_level: types.LoggingLevel | None = None,
        exposed_name: ExposedName | None = None,
    ) -> Context[Any, Any]:
        """Make the context of one call.

        Args:
            request_context: The SDK's; its `lifespan_context` is the plugin's state.
            plugin: Name of the plugin that owns the handler.
            settings: The plugin's filled settings model.
            params: Parameters of the request; in a multi-round call they carry answers.
            subscriptions: Where changes are published.
            nested: Calls any tool and reads any resource of the server.
            log_level: Least severe level that this connection asked for (2025 protocols).
            exposed_name: Tells what clients call a tool or prompt.
        """
        context = cls(
            request_context=request_context, input_params=params, subscriptions=subscriptions
        )
        context._own = _Own(params, settings, plugin, nested, log_level, exposed_name)
        return context

    @property
    def settings(self) -> SettingsT:
        """The plugin's settings."""
        return cast(SettingsT, self._own.settings)

    @property
    def state(self) -> StateT:
        """What the plugin's lifespan yielded; None without one."""
        return self.request_context.lifespan_context

    @property
    def params(self) -> Any:
        """Parameters of the request as `mcp_types` spells them, such as `CallToolRequestParams`."""
        return self._own.params

    @property
    def plugin(self) -> str:
        """Name of the plugin that owns the handler."""
        return str(self._own.plugin)

    @property
    def principal(self) -> str | None:
        """Who calls: the name of the API key in `auth.api_keys`.

        None where clients have no keys: over stdio, in memory, and on a server without keys.
        """
        token = get_access_token()
        return None if token is None else token.client_id

    def exposed_name(self, name: str) -> str:
        """Tell what clients call a tool or prompt of this plugin, for messages that name it.

        Operators change the prefix, so that `now` may be `timeutil_now`, `time_now` or `now`.

        Args:
            name: What the plugin calls it.

        Raises:
            ValueError: The plugin has no tool or prompt of that name.
        """
        if self._own is None or self._own.exposed_name is None:
            raise ValueError("Context is not available outside of a request")
        return str(self._own.exposed_name(self.plugin, name))

    async def elicit(self, message: str, schema: type[AnswerT]) -> ElicitationResult[AnswerT]:
        """Ask the user, as the SDK documents it; in a task the question waits for the client.

        Raises:
            ToolError: The client answered something else than was asked, did not declare that it
                can be asked, or cannot be asked now: in 2026-07-28 only before a call, by
                `Resolve`, or in a task.
        """
        declared = self.client_capabilities
        if declared is None or declared.elicitation is None:
            raise ToolError(f"The client cannot ask its user: {message}")
        try:
            return await super().elicit(message, schema)
        except NoBackChannelError as exc:
            raise ToolError(
                f"The user cannot be asked in the middle of this call ({message!r}): "
                f"{NEEDS_SESSION}"
            ) from exc
        except ValueError as exc:
            raise ToolError(f"The answer to {message!r} does not fit what was asked") from exc

    async def read_resource(self, uri: str | AnyUrl) -> Iterable[ReadResourceContents]:
        """Read a resource of this server by its URI, whichever plugin owns it.

        Raises:
            MCPError: No such resource, or reading it failed.
        """
        result = await self._nested.read(str(uri))
        return [_contents(item) for item in result.contents]

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None
    ) -> types.CallToolResult:
        """Call a tool of this server, whichever plugin owns it, as the client would.

        Its arguments are checked, middleware and time limits apply. It runs within this call, also
        if it could become a task.

        Args:
            name: What clients call it; see `exposed_name` for a tool of this plugin.
            arguments: Its arguments.

        Raises:
            ToolError: There is no such tool, it failed, or it asks the user a question between
                rounds (2026-07-28). Tools may call each other eight deep.
            MCPError: It refused the call for a while (429, 503), raised one itself, or needs what
                the client did not declare; the client gets it unless it is caught.
        """
        return await self._nested.call(name, arguments or {})

    async def sample(
        self,
        messages: Messages,
        *,
        system_prompt: str | None = None,
        max_tokens: int = 512,
        temperature: float | None = None,
        model_preferences: types.ModelPreferences | None = None,
    ) -> Sampled:
        """Ask the model of the client, in a session of the 2025 protocols or in a task.

        A client of 2026-07-28 is asked before the call, by a parameter with `Resolve(…)` whose
        function returns a `Sample`: that works in both eras.

        Args:
            messages: A text of the user, or a conversation.
            system_prompt: What the model is told first.
            max_tokens: Most tokens of the answer.
            temperature: How much the answer may vary.
            model_preferences: Hints which model to take.

        Raises:
            ToolError: The client offers no model, cannot be asked now, or refused.
        """
        options = {
            "system_prompt": system_prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "model_preferences": model_preferences,
        }
        return await sample(self.request_context, messages, options)

    async def log(
        self, level: types.LoggingLevel, data: Any, *, logger_name: str | None = None
    ) -> None:
        """Send a log message to the client, if it asked for this level.

        Args:
            level: One of the eight levels of RFC 5424.
            data: Anything JSON-serialisable.
            logger_name: Name shown with it; the plugin's by default.
        """
        if not self._wants(level):
            return
        request = self.request_context
        await request.session.send_notification(
            types.LoggingMessageNotification(
                params=types.LoggingMessageNotificationParams(
                    level=level, data=data, logger=logger_name or self._own.plugin
                )
            ),
            related_request_id=request.request_id,
        )

    async def debug(self, data: Any, *, logger_name: str | None = None) -> None:
        """Send a debug message."""
        await self.log("debug", data, logger_name=logger_name)

    async def info(self, data: Any, *, logger_name: str | None = None) -> None:
        """Send an info message."""
        await self.log("info", data, logger_name=logger_name)

    async def warning(self, data: Any, *, logger_name: str | None = None) -> None:
        """Send a warning message."""
        await self.log("warning", data, logger_name=logger_name)

    async def error(self, data: Any, *, logger_name: str | None = None) -> None:
        """Send an error message."""
        await self.log("error", data, logger_name=logger_name)

    @property
    def _nested(self) -> Nested:
        if self._own is None or self._own.nested is None:
            raise ValueError("Context is not available outside of a request")
        return cast(Nested, self._own.nested)

    def _wants(self, level: types.LoggingLevel) -> bool:
        request = self.request_context
        if level not in allowed_log_levels(request.protocol_version, request.meta):
            return False
        if self._own.log_level is None:
            return True
        return LOG_LEVELS.index(level) >= LOG_LEVELS.index(self._own.log_level)


context_for = Context.for_request
"""Makes the context of one call; the first call of a plugin imports it."""


def _contents(item: Any) -> ReadResourceContents:
    """One content of a `resources/read` result as the SDK's context returns it."""
    content = (
        item.text if isinstance(item, types.TextResourceContents) else base64.b64decode(item.blob)
    )
    return ReadResourceContents(content=content, mime_type=item.mime_type, meta=item.meta)
