"""The house: imports go down, files stay small, the public names are what they are."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mcpkit
from tests.conftest import ROOT

CORE = ROOT / "mcpkit" / "core"

FLOORS: tuple[frozenset[str], ...] = (
    frozenset(
        [
            "changes",
            "colours",
            "content",
            "deferred",
            "descriptors",
            "distributions",
            "encoding",
            "environment_reads",
            "errors",
            "escaping",
            "extensions",
            "frontmatter",
            "groups",
            "locations",
            "log_limits",
            "naming",
            "peers",
            "plain",
            "retrying",
            "settings.keys",
            "settings.section",
            "tasks",
            "tasks.workers",
            "threads",
            "transports.channels",
            "transports.events",
            "transports.principals",
            "user_folders",
            "versions",
        ]
    ),
    frozenset(
        [
            "containment",
            "fetching",
            "input_requests",
            "own_files",
            "prompt_arguments",
            "resolvers",
            "sdk_notifications",
            "settings.auth",
            "settings.calls",
            "settings.http",
            "settings.plugins",
            "settings.tasks",
            "signatures",
            "skills",
            "suggestions",
            "tasks.records",
            "terminal",
            "transports.messages",
            "transports.pipes",
        ]
    ),
    frozenset(
        [
            "sampling",
            "schemas",
            "settings.dotenv",
            "settings.origins",
            "settings.server",
            "tasks.changes",
            "tasks.database",
            "tasks.session",
            "transports.files",
            "wording",
        ]
    ),
    frozenset(["settings", "settings.files"]),
    frozenset(
        [
            "clients",
            "identity",
            "logs",
            "middleware",
            "plan",
            "route_claims",
            "settings.environment",
            "settings.masking",
            "tasks.owners",
            "tasks.quotas",
            "transports.api_keys",
            "transports.http_connections",
            "transports.names",
            "transports.tls",
            "transports.unsent",
        ]
    ),
    frozenset(
        [
            "contributions",
            "draining",
            "loop_watch",
            "progress",
            "settings.describing",
            "settings.schema",
            "settings.variables",
            "tasks.memory",
            "tasks.sqlite",
            "transports.access_log",
            "transports.cors",
            "transports.port",
            "transports.responses",
            "watchdog",
        ]
    ),
    frozenset(
        [
            "calls",
            "components",
            "jobs",
            "settings.template",
            "settings.trust",
            "tasks.failover",
            "transports.batches",
            "transports.probes",
            "transports.refusals",
            "transports.streams",
            "transports.websocket_protocol",
        ]
    ),
    frozenset(
        [
            "adopted",
            "call_watch",
            "extensions.apps",
            "handlers",
            "manifest_records",
            "options",
            "settings.sources",
            "status",
            "transports.bodies",
            "transports.exchanges",
            "transports.guard",
            "transports.lines",
            "transports.shares",
            "transports.spare",
            "transports.websocket",
            "wire",
        ]
    ),
    frozenset(
        [
            "arguments",
            "connections",
            "declarations",
            "discovery",
            "import_failures",
            "nested",
            "outcomes",
            "pending",
            "registry",
            "relisting",
            "sdk_requests",
            "tasks.jobs",
            "transports.http_protocol",
            "transports.modern",
            "transports.sessions",
            "transports.sse",
            "transports.stdio",
            "transports.unix",
            "written",
        ]
    ),
    frozenset(
        [
            "catalogues",
            "context",
            "hookspecs",
            "lists",
            "option_kinds",
            "outputs",
            "prompts",
            "resources",
            "subscriptions",
            "tasks.running",
            "transports.http_listener",
            "transports.legacy",
        ]
    ),
    frozenset(
        [
            "adoption",
            "building",
            "composition",
            "extensions.skills",
            "extensions.tasks",
            "hooks",
            "inventory",
            "plugin",
            "transports.http",
            "transports.streamable_http",
        ]
    ),
    frozenset(
        [
            "answers",
            "extensions.following",
            "filling",
            "health",
            "lifespan",
            "registration",
            "transports",
        ]
    ),
    frozenset(["running", "server", "validation"]),
    frozenset(["loading", "sdk_servers"]),
    frozenset(["activation"]),
    frozenset(["app"]),
    frozenset(["assembly", "stopping"]),
    frozenset(["serving"]),
)
"""Modules of the core by floor, the lowest first: each imports from lower floors only."""

FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}

OURS = sorted(
    path
    for folder in ("mcpkit", "plugins/*/src")
    for root in ROOT.glob(folder)
    for path in root.rglob("*.py")
)


def module_name(path: Path) -> str:
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


DEFERRED = re.compile(r'deferred\("([\w.]+):(\w+)"\)')
"""What a file imports when it is first called: module and function."""


def imported(path: Path) -> set[str]:
    """Modules of the core that a file imports, now or later, by name or out of their package."""
    text = path.read_text("utf-8")
    modules = [module for module, _ in DEFERRED.findall(text)]
    found = {
        module.removeprefix("mcpkit.core.") for module in modules if module.startswith("mcpkit.")
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcpkit.core"):
            module = str(node.module).removeprefix("mcpkit.core").lstrip(".")
            names = {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {name for name in names if name in FLOOR} or {module}
    return found


CORE_FILES = [path for path in sorted(CORE.rglob("*.py")) if module_name(path)]


def test_every_module_of_the_core_has_a_floor() -> None:
    assert {module_name(path) for path in CORE_FILES} == set(FLOOR)


@pytest.mark.parametrize("path", CORE_FILES, ids=module_name)
def test_imports_of_the_core_go_down_only(path: Path) -> None:
    own = FLOOR[module_name(path)]

    for name in imported(path):
        assert FLOOR[name] < own, f"{module_name(path)} imports {name}"


@pytest.mark.parametrize(
    ("module", "name"),
    sorted({target for path in OURS for target in DEFERRED.findall(path.read_text("utf-8"))}),
)
def test_what_is_imported_later_is_there(module: str, name: str) -> None:
    assert callable(getattr(import_module(module), name))


def test_the_core_knows_neither_the_commands_nor_the_tests() -> None:
    for path in CORE.rglob("*.py"):
        text = path.read_text("utf-8")
        assert "mcpkit.cli" not in text, path
        assert "mcpkit.testing" not in text.replace("`mcpkit.testing`", ""), path


def test_commands_print_by_the_functions_that_escape() -> None:
    for path in (ROOT / "mcpkit" / "cli").glob("*.py"):
        if path.name not in {"main.py", "output.py"}:
            assert "click.echo(" not in path.read_text("utf-8"), path


def test_files_stay_under_300_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in OURS}

    assert {name: lines for name, lines in long.items() if lines >= 300} == {}


def test_the_public_names_are_these() -> None:
    assert mcpkit.__all__ == [
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
    assert all(getattr(mcpkit, name) is not None for name in mcpkit.__all__)
    assert dir(mcpkit) == sorted(mcpkit.__all__)
    with pytest.raises(AttributeError):
        mcpkit.nonsense  # noqa: B018


def imports_of(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running some code."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_mcpkit_is_cheap() -> None:
    assert not {"mcp", "pydantic", "pluggy", "click", "anyio"} & imports_of("import mcpkit")


def test_declaring_a_plugin_needs_no_sdk() -> None:
    assert "mcp" not in imports_of("from mcpkit import Plugin, PluginSettings, ToolError")


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["serve", "--help"], ["settings", "schema", "--no-plugins"]],
)
def test_commands_that_need_no_sdk_do_not_import_it(arguments: list[str]) -> None:
    code = (
        "import io, contextlib\nfrom mcpkit.cli.main import run\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n  assert run({arguments}) == 0"
    )

    modules = imports_of(code)

    assert not {"mcp", "mcp_types", "uvicorn", "mcpkit_plugin_timeutil"} & modules


def test_pytest_is_not_slowed_by_our_fixtures() -> None:
    assert "mcp" not in imports_of("import mcpkit.testing.fixtures")
