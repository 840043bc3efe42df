"""Every exception of mcpkit, as a tree.

Two readers. The *operator* reads `MCPKitError`: what failed, then a hint what to do.
The *model* reads `ToolError`, `ResourceError` and `PromptError`: what to try instead.

    MCPKitError                 the operator can act; `hint` says how
    ├─ SettingsError            a setting is wrong, or misspelt
    ├─ PluginError              one plugin failed; `plugin`, `distribution`, `version`, `stage`
    │  ├─ PluginImportError     its module cannot be imported
    │  ├─ PluginContractError   what it declares breaks the contract
    │  ├─ PluginSettingsError   its section does not fit its model
    │  └─ PluginLifespanError   its lifespan raised, hung or ended
    ├─ NotFoundError            a name the operator gave is not there
    ├─ ServeError               the server cannot listen: port, certificate, authentication
    └─ TaskStoreError           tasks cannot be written or read at the moment
       └─ UnreadableTaskError   the record of one task is damaged, or another version wrote it
    HandlerError                what a client or its model can act on
    ├─ ToolError
    ├─ ResourceError
    │  └─ ResourceNotFoundError
    ├─ PromptError
    ├─ ArgumentsError           the arguments do not fit
    ├─ CallTimeoutError         the call took too long
    └─ RefusedError             not now; `code` and `retry_after`, in seconds
       ├─ RateLimitedError      this client asks too often: 429
       └─ UnavailableError      nobody is served: 503
    FetchError                  an HTTP request of a plugin has no response within its limits
    CrashError                  a handler is broken; clients learn only that it is
    ├─ HandlerExitedError       it called sys.exit, or cancelled itself
    ├─ MiddlewareCrashError     a middleware around it is broken
    └─ OutputError              it returned what its schema forbids
"""

LONGEST_REASON = 1000
"""Characters of the longest text of an exception that messages repeat."""

RETRY_AFTER = "retryAfter"
"""Member of the `data` of a JSON-RPC error: seconds after which a client may try again."""


def reason_of(error: BaseException) -> str:
    """Class and text of an exception that plugin code raised, whatever its `__str__` does."""
    name, text = type(error).__name__, text_of(error)
    if text is None:
        return f"{name} (its text cannot be read)"
    if len(text) > LONGEST_REASON:
        text = f"{text[:LONGEST_REASON]}… ({len(text)} characters)"
    return f"{name}: {text}" if text else name


def text_of(error: BaseException) -> str | None:
    """The text of an exception that plugin code raised; None when reading it raises."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  # plugin code: anything may come
        return None


class MCPKitError(Exception):
    """Something the operator can act on.

    Args:
        message: One sentence, capital first, no final period.
        hint: What to do about it, in one sentence.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(MCPKitError):
    """A setting is wrong or misspelt; the message names its source."""


class NotFoundError(MCPKitError):
    """A name the operator gave (a plugin, tool, transport, …) does not exist."""


class ServeError(MCPKitError):
    """The server cannot listen as asked: port in use, missing certificate, no authentication."""


class TaskStoreError(MCPKitError):
    """Tasks cannot be written or read at the moment."""


class UnreadableTaskError(TaskStoreError):
    """The record of one task is damaged, or another version of mcpkit wrote it.

    Args:
        owner: Who made the task, as far as that can be read.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(
            "This task cannot be read: its record is damaged, or another version of mcpkit wrote it"
        )
        self.owner = owner


class PluginError(MCPKitError):
    """One plugin failed; the rest of the server goes on.

    Args:
        message: What failed, without naming the plugin: the record does.
        hint: What to do about it.
    """


class PluginImportError(PluginError):
    """A plugin's entry point cannot be imported."""


class PluginContractError(PluginError):
    """What a plugin declares breaks the plugin contract."""


class PluginSettingsError(PluginError):
    """The settings section of a plugin does not fit the model it declares."""


class PluginLifespanError(PluginError):
    """The lifespan of a plugin raised, hung, or ended while the server ran."""


class HandlerError(Exception):
    """What a handler tells the client: one sentence that says what to try instead."""


class ToolError(HandlerError):
    """Raised by a tool: the model reads the message in an `isError` result."""


class ResourceError(HandlerError):
    """Raised by a resource: the client reads the message as JSON-RPC error -32603."""


class ResourceNotFoundError(ResourceError):
    """Raised by a resource that does not exist: JSON-RPC error -32602 (SEP-2164)."""


class PromptError(HandlerError):
    """Raised by a prompt: the client reads the message as JSON-RPC error -32602."""


class ArgumentsError(HandlerError):
    """The arguments of a call do not fit what the component takes."""


class CallTimeoutError(HandlerError):
    """A call took longer than it may."""


class RefusedError(HandlerError):
    """A call that is not answered now, whatever its arguments.

    Clients get a JSON-RPC error with the `code` of the class, over HTTP as the status of the
    response with `Retry-After` where no event stream has begun.

    Args:
        message: One sentence for the client: what is short, and for how long.
        retry_after: Seconds after which the client may try again; None if nobody knows.
    """

    code = 503

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitedError(RefusedError):
    """Raised by a handler or middleware when a client asks too often: error 429."""

    code = 429


class UnavailableError(RefusedError):
    """Raised by a handler or middleware when it can serve nobody for a while: error 503."""


class FetchError(Exception):
    """An HTTP request has no response within its limits.

    Args:
        reason: `timeout`, `connection`, `size`, `content_type`, `encoding`, `redirect` or `scheme`.
        message: One sentence; it holds neither the URL nor a header.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CrashError(Exception):
    """A handler is broken: the operator reads why in the log, clients only that it is."""


class HandlerExitedError(CrashError):
    """A handler tried to end the process, or cancelled itself."""


class MiddlewareCrashError(CrashError):
    """A middleware is broken; `__cause__` is what it raised.

    Args:
        plugin: Name of the plugin that the middleware belongs to.
    """

    def __init__(self, plugin: str) -> None:
        super().__init__(f"The middleware of plugin {plugin!r} crashed")
        self.plugin = plugin


class OutputError(CrashError):
    """A handler returned what its output schema forbids."""
