"""Loading of records one by one: what becomes of each, how long it may take, and who is told."""

import contextvars
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcpkit import Plugin
from mcpkit.core import jobs, loading
from mcpkit.core.errors import PluginContractError, PluginImportError
from mcpkit.core.jobs import Job
from mcpkit.core.loading import await_loading, import_plugin, load, start_loading
from mcpkit.core.plan import Plan
from mcpkit.core.settings import CallSettings, PluginSection
from mcpkit.core.status import PluginRecord, Stage, Status


def plan(timeout: float = 5) -> Plan:
    return Plan(
        section=lambda name: PluginSection(),
        calls=CallSettings(),
        origins=lambda key: [],
        timeout=timeout,
    )


def asked(hook: Callable[[], Any] = list) -> Plugin:
    """A plugin that runs something while its hooks are asked."""
    plugin = Plugin()

    @plugin.hookimpl
    def mcpkit_middleware() -> list[Any]:
        hook()
        return []

    @plugin.tool()
    def run() -> str:
        """Run."""
        return "ran"

    return plugin


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets plugins go on that hang."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operator be told of slow plugins soon."""
    monkeypatch.setattr(loading, "PATIENCE", 0.02)


def is_loaded(record: PluginRecord) -> bool:
    return record.status is not Status.FAILED and [
        item.exposed for item in record.catalogue.components
    ] == [f"{record.name}_run"]


def test_what_is_given_in_code_is_loaded_without_an_import() -> None:
    record = PluginRecord(name="given", entry_point="no_such_module")

    load([record], plan(), {"given": asked()})

    assert is_loaded(record)
    assert record.manager is not None
    assert record.manager.has_plugin("given")
    assert record.import_seconds is None


def test_what_cannot_be_imported_fails_at_that_stage() -> None:
    record = PluginRecord(name="gone", entry_point="no_such_module:plugin")

    load([record], plan(), {"other": asked()})

    assert (record.status, record.stage) == (Status.FAILED, Stage.IMPORT)
    assert isinstance(record.error, PluginImportError)
    assert record.import_seconds is not None


def test_progress_is_logged_plugin_by_plugin(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mcpkit.core.progress.LOG_INTERVAL", 0)
    caplog.set_level(logging.INFO, loading.__name__)

    load([PluginRecord(name="a"), PluginRecord(name="b")], plan(), {"a": asked(), "b": asked()})

    counts = [0, 1, 2, 2]
    assert caplog.messages == [f"Importing plugins: {count} of 2" for count in counts]


def test_what_is_not_wanted_or_has_failed_is_left_alone() -> None:
    disabled, failed = PluginRecord(name="a"), PluginRecord(name="b")
    disabled.disable("not wanted")
    failed.fail(Stage.DISCOVER, PluginContractError("two of that name"))

    load([disabled, failed], plan(), {"a": asked(), "b": asked()})

    assert (disabled.status, disabled.manager) == (Status.DISABLED, None)
    assert (failed.status, failed.stage) == (Status.FAILED, Stage.DISCOVER)


@pytest.mark.usefixtures("soon")
def test_a_plugin_that_hangs_fails_and_the_others_do_not_wait_for_it(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    records = [PluginRecord(name="hangs"), PluginRecord(name="other")]

    load(records, plan(0.2), {"hangs": asked(lambda: release.wait(10)), "other": asked()})

    assert is_loaded(records[1])
    assert (records[0].status, records[0].stage) == (Status.FAILED, Stage.IMPORT)
    assert isinstance(records[0].error, PluginImportError)
    assert records[0].error.message == "Importing it did not finish within 0.2 s"
    assert records[0].error.hint is not None
    assert "plugins.hangs.enabled = false" in records[0].error.hint
    told = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert told[0] == "Plugin 'hangs' is still being imported; it has 0.2 s"


@pytest.mark.usefixtures("soon")
def test_nothing_is_told_of_a_plugin_that_has_failed_by_then(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    record = PluginRecord(name="hangs")

    load([record], plan(0.02), {"hangs": asked(lambda: release.wait(10))})

    assert record.status is Status.FAILED
    assert caplog.records == []


@pytest.mark.usefixtures("soon")
def test_slow_plugins_are_loaded_beside_each_other_and_waited_for_less_and_less(
    release: threading.Event,
) -> None:
    names = [f"slow{number}" for number in range(8)]
    records = [PluginRecord(name=name) for name in (*names, "last")]
    objects = {name: asked(lambda: release.wait(10)) for name in names}
    began = time.monotonic()

    load(records, plan(60), {**objects, "last": asked(release.set)})

    assert all(map(is_loaded, records))
    assert time.monotonic() - began < 4  # 0.04 s of waiting; twice as long each time were 5 s


def test_what_a_plugin_prints_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    load([PluginRecord(name="loud")], plan(), {"loud": asked(lambda: sys.stdout.write("hello"))})

    captured = capsys.readouterr()
    assert (captured.out, "hello" in captured.err) == ("", True)


def test_a_job_works_on_a_copy_in_a_thread_that_is_named_after_the_plugin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[threading.Thread] = []
    record = PluginRecord(name="given", location="/here")
    monkeypatch.setenv("CITY", "Oslo")

    def look() -> None:
        threads.append(threading.current_thread())
        assert os.environ["CITY"] == "Oslo"

    loaded = start_loading(record, plan(), {"given": asked(look)}).result(5)

    assert (record.stage, record.catalogue.components) == (Stage.DISCOVER, ())
    assert is_loaded(loaded)
    assert loaded.location == "/here"
    assert "CITY" in loaded.environment.names
    assert threads[0].name.endswith("load given")
    assert threads[0].daemon


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("3"), ValueError("3")])
def test_a_hook_that_raises_anything_costs_its_plugin(error: BaseException) -> None:
    def fail() -> None:
        raise error

    record = PluginRecord(name="bad")
    load([record], plan(), {"bad": asked(fail)})

    assert (record.status, record.stage) == (Status.FAILED, Stage.VALIDATE)
    assert isinstance(record.error, PluginContractError)
    assert f"raised {type(error).__name__}: 3" in record.error.message


class Odd:
    """An object of which not even its class can be read."""

    @property
    def __class__(self) -> Any:
        raise SystemExit(7)


def test_an_object_that_cannot_be_looked_at_costs_its_plugin() -> None:
    record = PluginRecord(name="odd")

    load([record], plan(), {"odd": Odd()})

    assert (record.status, record.stage) == (Status.FAILED, Stage.REGISTER)
    assert isinstance(record.error, PluginContractError)
    assert record.error.message == "It raised SystemExit: 7"
    assert record.error.hint == "Mend it, or set plugins.odd.enabled = false"
    assert isinstance(record.error.__cause__, SystemExit)


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_a_plugin_that_is_late_has_failed_until_it_is_waited_for_again(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    record = PluginRecord(name="late")
    job = start_loading(record, plan(), {"late": asked(lambda: release.wait(10))})

    await await_loading(record, job, plan(0.1))
    early = (record.status, record.stage, record.error and record.error.message)
    release.set()
    with anyio.fail_after(5):
        await await_loading(record, job, plan(60))

    told = "Importing it did not finish within 0.1 s"
    assert early == (Status.FAILED, Stage.IMPORT, told)
    assert is_loaded(record)
    assert caplog.messages[0] == "Plugin 'late' is still being imported; it has 0.1 s"


@pytest.mark.anyio
async def test_a_job_that_failed_itself_is_a_failure_of_its_plugin() -> None:
    record = PluginRecord(name="odd")
    job: Job[PluginRecord] = Job()
    job.set_exception(SystemExit(3))

    await await_loading(record, job, plan())

    assert (record.status, record.stage) == (Status.FAILED, Stage.IMPORT)
    assert isinstance(record.error, PluginImportError)
    assert record.error.message == "Loading it raised SystemExit: 3"
    assert record.error.hint == "Set plugins.odd.enabled = false to go on without it"


@contextmanager
def module(folder: Path, code: str) -> Iterator[str]:
    """A module that can be imported for a while."""
    name = "mcpkit_loading_alone"
    (folder / f"{name}.py").write_text(code, "utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield name
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)


CODE = "class A:\n  class b:\n    c = 1\n"


@pytest.mark.parametrize(
    ("entry_point", "value"),
    [
        ("{}:A.b.c", 1),
        (" {} : A.b.c ", 1),
        ("{}:A.b.c[extra]", 1),
        ("{}:A.b.c [extra, more]", 1),
    ],
)
def test_an_entry_point_names_a_module_and_attributes(
    tmp_path: Path, entry_point: str, value: int
) -> None:
    with module(tmp_path, CODE) as name:
        record = PluginRecord(name="named", entry_point=entry_point.format(name))

        assert import_plugin(record) == value
    assert record.import_seconds is not None
    assert 0 < record.import_seconds < 60


@pytest.mark.parametrize("entry_point", ["{}", "{}:", "{} [extra]"])
def test_an_entry_point_without_attributes_is_the_module(tmp_path: Path, entry_point: str) -> None:
    with module(tmp_path, CODE) as name:
        assert import_plugin(PluginRecord(name="x", entry_point=entry_point.format(name))).A


def test_an_import_that_fails_took_time_as_well(tmp_path: Path) -> None:
    with module(tmp_path, "import sys\nsys.exit(7)") as name:
        record = PluginRecord(name="exits", entry_point=name)

        with pytest.raises(PluginImportError, match=r"sys\.exit\(7\)") as caught:
            import_plugin(record)
    assert isinstance(caught.value.__cause__, SystemExit)
    assert record.import_seconds is not None


def test_a_job_has_the_context_of_whoever_starts_it() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)

    assert jobs.start(variable.get, "look").result(5) == 7


def test_a_job_raises_what_its_function_raised() -> None:
    with pytest.raises(SystemExit) as caught:
        jobs.start(partial(sys.exit, 3), "exit").result(5)

    assert caught.value.code == 3


def test_a_job_is_waited_for_as_long_as_it_is_said(release: threading.Event) -> None:
    hanging = jobs.start(lambda: release.wait(10), "hang")
    early = [jobs.wait(hanging, seconds) for seconds in (-1, 0, 0.01)]
    release.set()

    assert early == [False] * 3
    assert jobs.wait(hanging, 5) is True
    assert jobs.wait(hanging, -1) is True


@pytest.mark.anyio
async def test_the_event_loop_waits_for_a_job_as_long_as_it_is_said(
    release: threading.Event,
) -> None:
    hanging = jobs.start(lambda: release.wait(10), "hang")
    with anyio.fail_after(5):
        early = [await jobs.wait_async(hanging, seconds) for seconds in (-1, 0.01)]
        release.set()
        late = [await jobs.wait_async(hanging, seconds) for seconds in (60, 60)]

    assert (early, late) == ([False] * 2, [True] * 2)


def test_a_job_that_ends_after_the_event_loop_ends_quietly(release: threading.Event) -> None:
    hanging = jobs.start(lambda: release.wait(10), "hang")

    async def look() -> bool:
        return await jobs.wait_async(hanging, 0.01)

    assert anyio.run(look) is False
    release.set()
    assert hanging.result(5) is True
