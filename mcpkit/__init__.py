"""mcpkit: the MCP server that plugins make.

Plugin authors import from here and from `mcpkit.testing`; nothing else is public to them. The
names of the protocol that plugins use are the SDK's own.
Importing this module is cheap: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing `typing` costs as much as a relay to a shared server

if TYPE_CHECKING:  # each name is imported on first use: see `__getattr__`
    from mcp.server.apps import client_supports_apps
    from mcp.server.caching import CacheHint
    from mcp.server.mcpserver import (
        AcceptedElicitation,
        AssistantMessage,
        Audio,
        CancelledElicitation,
        DeclinedElicitation,
        Elicit,
        ElicitationResult,
        Image,
        ListRoots,
        Message,
        Resolve,
        ResourceSecurity,
        Sample,
        UserMessage,
    )
    from mcp.shared.exceptions import MCPError
    from mcp_types import (
        Annotations,
        AudioContent,
        CallToolResult,
        Completion,
        CompletionArgument,
        CompletionContext,
        CreateMessageResult,
        EmbeddedResource,
        GetPromptResult,
        Icon,
        ImageContent,
        InputRequiredResult,
        ModelPreferences,
        PromptMessage,
        PromptReference,
        ReadResourceResult,
        RequestParams,
        ResourceLink,
        ResourceTemplateReference,
        SamplingMessage,
        TextContent,
        TextResourceContents,
        ToolAnnotations,
    )

    from mcpkit.core.changes import Changes
    from mcpkit.core.context import Context
    from mcpkit.core.contributions import (
        Call,
        CallNext,
        Endpoint,
        Extension,
        Health,
        Method,
        Middleware,
        Transport,
    )
    from mcpkit.core.declarations import ReadyDeclaration
    from mcpkit.core.errors import (
        FetchError,
        MCPKitError,
        PromptError,
        RateLimitedError,
        ResourceError,
        ResourceNotFoundError,
        ToolError,
        UnavailableError,
    )
    from mcpkit.core.fetching import Fetched, FetchLimits, fetch
    from mcpkit.core.hookspecs import hookimpl, hookspec
    from mcpkit.core.plugin import Plugin
    from mcpkit.core.progress import ProgressBar
    from mcpkit.core.sampling import Sampled
    from mcpkit.core.settings import PluginSettings
    from mcpkit.core.threads import WorkerThreads
    from mcpkit.core.transports.lines import serve_lines

__version__ = "0.1.0"

__all__ = [
    "AcceptedElicitation",
    "Annotations",
    "AssistantMessage",
    "Audio",
    "AudioContent",
    "CacheHint",
    "Call",
    "CallNext",
    "CallToolResult",
    "CancelledElicitation",
    "Changes",
    "Completion",
    "CompletionArgument",
    "CompletionContext",
    "Context",
    "CreateMessageResult",
    "DeclinedElicitation",
    "Elicit",
    "ElicitationResult",
    "EmbeddedResource",
    "Endpoint",
    "Extension",
    "FetchError",
    "FetchLimits",
    "Fetched",
    "GetPromptResult",
    "Health",
    "Icon",
    "Image",
    "ImageContent",
    "InputRequiredResult",
    "ListRoots",
    "MCPError",
    "MCPKitError",
    "Message",
    "Method",
    "Middleware",
    "ModelPreferences",
    "Plugin",
    "PluginSettings",
    "ProgressBar",
    "PromptError",
    "PromptMessage",
    "PromptReference",
    "RateLimitedError",
    "ReadResourceResult",
    "ReadyDeclaration",
    "RequestParams",
    "Resolve",
    "ResourceError",
    "ResourceLink",
    "ResourceNotFoundError",
    "ResourceSecurity",
    "ResourceTemplateReference",
    "Sample",
    "Sampled",
    "SamplingMessage",
    "TextContent",
    "TextResourceContents",
    "ToolAnnotations",
    "ToolError",
    "Transport",
    "UnavailableError",
    "UserMessage",
    "WorkerThreads",
    "__version__",
    "client_supports_apps",
    "fetch",
    "hookimpl",
    "hookspec",
    "serve_lines",
]

_MODULES = {
    "mcp.server.apps": "client_supports_apps",
    "mcp.server.caching": "CacheHint",
    "mcp.server.mcpserver": "AcceptedElicitation AssistantMessage Audio CancelledElicitation "
    "DeclinedElicitation Elicit ElicitationResult Image ListRoots Message Resolve ResourceSecurity "
    "Sample UserMessage",
    "mcp.shared.exceptions": "MCPError",
    "mcp_types": "Annotations AudioContent CallToolResult Completion CompletionArgument "
    "CompletionContext CreateMessageResult EmbeddedResource GetPromptResult Icon ImageContent "
    "InputRequiredResult ModelPreferences PromptMessage PromptReference ReadResourceResult "
    "RequestParams ResourceLink ResourceTemplateReference SamplingMessage TextContent "
    "TextResourceContents ToolAnnotations",
    "mcpkit.core.changes": "Changes",
    "mcpkit.core.context": "Context",
    "mcpkit.core.contributions": "Call CallNext Endpoint Extension Health Method Middleware "
    "Transport",
    "mcpkit.core.declarations": "ReadyDeclaration",
    "mcpkit.core.errors": "FetchError MCPKitError PromptError RateLimitedError ResourceError "
    "ResourceNotFoundError ToolError UnavailableError",
    "mcpkit.core.fetching": "FetchLimits Fetched fetch",
    "mcpkit.core.hookspecs": "hookimpl hookspec",
    "mcpkit.core.plugin": "Plugin",
    "mcpkit.core.progress": "ProgressBar",
    "mcpkit.core.sampling": "Sampled",
    "mcpkit.core.settings": "PluginSettings",
    "mcpkit.core.threads": "WorkerThreads",
    "mcpkit.core.transports.lines": "serve_lines",
}
"""Modules, and the names that are imported from them on first use."""


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names.split():
            value: object = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
