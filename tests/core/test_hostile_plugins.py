"""Plugins whose objects do anything but what is expected: each costs itself, and says why."""

import time
from typing import Any

import anyio
import pytest

from mcpkit import Plugin, ToolError
from mcpkit.core.assembly import build
from mcpkit.core.settings import Settings
from mcpkit.core.status import Status
from mcpkit.testing import connect

pytestmark = pytest.mark.slow

GOOD = """
    from mcpkit import Plugin
    plugin = Plugin()

    @plugin.tool()
    def answer() -> int:
        "Answer."
        return 42
"""

HOOK = "from mcpkit import hookimpl\n@hookimpl\ndef {}: {}"

HOSTILE = {
    "text": (
        "class Odd(Exception):\n  def __str__(self): raise RuntimeError('no text')\nraise Odd",
        "Odd (its text cannot be read)",
    ),
    "text_exits": (
        "class Odd(Exception):\n  def __str__(self): raise SystemExit(6)\nraise Odd",
        "Odd (its text cannot be read)",
    ),
    "long_text": ("raise RuntimeError('x' * 1_000_000)", "(1000000 characters)"),
    "interrupt": ("raise KeyboardInterrupt", "Cannot import it: KeyboardInterrupt"),
    "generator_exit": ("raise GeneratorExit", "Cannot import it: GeneratorExit"),
    "odd_exit": (
        "class Code:\n  def __repr__(self): raise SystemExit(7)\nraise SystemExit(Code())",
        "SystemExit",
    ),
    "names_exit": ("import sys\ndef __dir__(): sys.exit(6)", "SystemExit: 6"),
    "names_interrupt": ("def __dir__(): raise KeyboardInterrupt", "KeyboardInterrupt"),
    "kind_raises": (
        "class Odd:\n  @property\n  def __class__(self): raise SystemExit(5)\nplugin = Odd()",
        "SystemExit: 5",
    ),
    "settings_exit": (HOOK.format("mcpkit_settings()", "raise SystemExit(3)"), "SystemExit: 3"),
    "components_interrupt": (
        HOOK.format("mcpkit_components()", "raise KeyboardInterrupt"),
        "Its hook 'mcpkit_components' raised KeyboardInterrupt",
    ),
    "components_end": (
        HOOK.format("mcpkit_components()", "\n  yield from ()\n  raise KeyboardInterrupt"),
        "KeyboardInterrupt",
    ),
    "components_odd": (
        (
            "from mcpkit import hookimpl\nclass Odd:\n  def __repr__(self): raise SystemExit(4)\n"
            "@hookimpl\ndef mcpkit_components(): return [Odd()]"
        ),
        "returned Odd, which is no declaration",
    ),
    "eager_exits": (
        HOOK.format("mcpkit_eager()", "raise SystemExit(2)"),
        "Its hook 'mcpkit_eager' raised SystemExit: 2",
    ),
    "middleware_exits": (
        HOOK.format("mcpkit_middleware()", "raise SystemExit(2)"),
        "Its hook 'mcpkit_middleware' raised SystemExit: 2",
    ),
    "model_interrupts": (
        (
            "from mcpkit import Plugin, PluginSettings\nfrom pydantic import model_validator\n"
            "class S(PluginSettings):\n  @model_validator(mode='before')\n  @classmethod\n"
            "  def check(cls, values): raise KeyboardInterrupt\nplugin = Plugin(settings=S)"
        ),
        "Its settings model raised KeyboardInterrupt",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_plugin_costs_itself_and_says_why(install: Any, name: str) -> None:
    code, said = HOSTILE[name]
    install("good", GOOD)
    entry = "{module}:plugin" if "plugin =" in code else "{module}"
    install("hostile", code, entry=entry)

    app = build(Settings.model_validate({"plugins_allow": ["good", "hostile"]}))

    records = {record.name: record for record in app.records}
    assert records["good"].status is Status.LOADED
    assert records["hostile"].status is Status.FAILED
    error = records["hostile"].error
    assert error is not None
    assert said in error.message
    assert len(error.message) < 1500
    assert error.hint


EQUALITY = """
    from mcpkit import Plugin

    class Odd(Plugin):
        __hash__ = None

        def __eq__(self, other):
            raise SystemExit(9)

        def __getattr__(self, name):
            raise SystemExit(9)

    plugin = Odd()

    @plugin.tool()
    def answer() -> int:
        "Answer."
        return 13
"""


def test_equality_hash_and_attributes_of_one_plugin_do_not_touch_another(install: Any) -> None:
    install("good", GOOD)
    install("odd", EQUALITY)
    install("zero", GOOD)

    app = build(Settings.model_validate({"plugins_allow": ["good", "odd", "zero"]}))

    status = {record.name: record.status for record in app.records}
    assert status["good"] is status["zero"] is Status.LOADED
    assert {"good_answer", "zero_answer"} <= app.registry.tools.keys()


HANGS = (
    "import time\ntime.sleep(3600)",
    "import time\n@plugin.hookimpl\ndef mcpkit_eager(): time.sleep(3600)",
    "import threading\nthreading.Event().wait()",
)


def test_plugins_that_hang_cost_little_more_than_one_of_them(install: Any) -> None:
    code = "\n".join(line.removeprefix("    ") for line in GOOD.splitlines())
    names = [*(f"hangs_{number}" for number in range(6)), "quick"]
    for name, more in zip(names[:-1], HANGS * 2, strict=True):
        install(name, f"{code}\n{more}")
    install("quick", GOOD)

    start = time.monotonic()
    given = {"plugins_allow": names, "lifespan": {"startup_timeout": 3}}
    app = build(Settings.model_validate(given))

    records = {record.name: record for record in app.records}
    assert records["quick"].status is Status.LOADED
    for name in names[:-1]:
        assert "did not finish within 3 s" in str(records[name].error)
        assert "enabled = false" in str(records[name].error.hint)
    assert time.monotonic() - start < 3 * len(names) / 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("time.sleep(3600)", "Its hook 'mcpkit_routes' did not return within 0.5 s"),
        ("raise KeyboardInterrupt", "Its hook 'mcpkit_routes' raised KeyboardInterrupt"),
    ],
)
async def test_routes_that_cannot_be_had_cost_their_plugin(
    install: Any, body: str, said: str
) -> None:
    install("good", GOOD)
    install(
        "odd", f"{GOOD}\n    import time\n    @plugin.hookimpl\n    def mcpkit_routes(): {body}"
    )
    given = {"plugins_allow": ["good", "odd"], "lifespan": {"startup_timeout": 0.5}}
    app = build(Settings.model_validate(given))

    with anyio.fail_after(10):
        async with app.running() as running:
            routes = await app.routes(running)

    assert [route.path for route in routes] == ["/livez", "/readyz"]
    assert said in str({record.name: record.error for record in app.records}["odd"])
    assert app.registry.tools.keys() == {"good_answer"}


@pytest.mark.anyio
async def test_a_path_that_two_plugins_or_the_host_want_costs_those_who_claim_it(
    install: Any,
) -> None:
    paths = {"first": "/hook", "second": "/hook", "greedy": "/livez", "mcp": "/mcp", "good": "/own"}
    for name, path in paths.items():
        body = f"import starlette.routing as r; return [r.Route({path!r}, print)]"
        install(name, f"{GOOD}\n    @plugin.hookimpl\n    def mcpkit_routes(): {body}")
    app = build(Settings.model_validate({"plugins_allow": [*paths]}))

    async with app.running() as running:
        routes = await app.routes(running)

    errors = {record.name: str(record.error) for record in app.records if record.error}
    assert [route.path for route in routes] == ["/livez", "/readyz", "/own"]
    assert set(errors) == {"first", "second", "greedy", "mcp"}
    assert "Its route '/hook' collides with one of 'second'" in errors["first"]
    assert "Its route '/mcp' collides with one of 'mcpkit'" in errors["mcp"]


@pytest.mark.anyio
@pytest.mark.parametrize("base", [ToolError, Exception, BaseException])
async def test_an_error_whose_text_cannot_be_read_costs_its_call(base: type[Exception]) -> None:
    class MuteError(base):  # type: ignore[valid-type, misc]
        def __str__(self) -> str:
            raise SystemExit(8)

    plugin = Plugin()

    @plugin.tool()
    async def mumble() -> str:
        """Mumble."""
        raise MuteError

    @plugin.tool()
    def answer() -> int:
        """Answer."""
        return 42

    async with connect(odd=plugin) as client:
        failed = await client.call_tool("odd_mumble", {})
        answered = await client.call_tool("odd_answer", {})

    assert failed.is_error
    assert failed.content[0].text == "Internal error in tool 'odd_mumble'"  # type: ignore[union-attr]
    assert answered.structured_content == {"result": 42}
