"""Loading: import a plugin, register it, fill its settings and check what it declares.

All of it is plugin code, which may raise anything, exit, or never return. So each plugin is loaded
in a thread of its own, on a copy of its record: whoever waits takes what came out, or gives up.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mcpkit.core import jobs
from mcpkit.core.discovery import is_wanted
from mcpkit.core.environment_reads import recorded_reads
from mcpkit.core.errors import PluginContractError, PluginError, PluginImportError, reason_of
from mcpkit.core.import_failures import import_error
from mcpkit.core.jobs import Job
from mcpkit.core.plan import PATIENCE, Plan
from mcpkit.core.progress import ProgressBar
from mcpkit.core.registration import register
from mcpkit.core.status import PluginRecord, Stage
from mcpkit.core.validation import validate

logger = logging.getLogger(__name__)


def start_loading(
    record: PluginRecord, plan: Plan, objects: Mapping[str, object] | None = None
) -> Job[PluginRecord]:
    """Load a plugin in a thread of its own.

    Args:
        record: A discovered plugin; it stays as it is.
        plan: What loading needs to know of the settings.
        objects: Plugins given in code, by name: registered without an import.

    Returns:
        The job, whose result is the record of what became of the plugin.
    """
    logger.debug("Loading plugin %s", record.label)
    return jobs.start(partial(_load, record, plan, objects or {}), f"load {record.name}")


def load(records: Iterable[PluginRecord], plan: Plan, objects: Mapping[str, object]) -> None:
    """Load each wanted plugin, and record what became of it.

    One after the other, as long as they are quick; nobody waits for a slow one before the others
    are loaded too. What plugins print goes to stderr: stdout belongs to the protocol or to data.
    """
    started: list[tuple[PluginRecord, Job[PluginRecord], float]] = []
    patience = PATIENCE
    wanted = list(filter(is_wanted, records))
    bar = ProgressBar("Importing plugins", len(wanted), logger=logger)
    with contextlib.redirect_stdout(sys.stderr), bar:
        for number, record in enumerate(wanted):
            bar.update(number)
            job = start_loading(record, plan, objects)
            started.append((record, job, time.monotonic() + plan.timeout))
            if not jobs.wait(job, min(patience, plan.timeout)):
                _tell_slow(record, plan)
                patience /= 2  # all of them together are waited for twice as long as one
        for record, job, deadline in started:
            bar.update(sum(job.done() for _, job, _ in started))
            jobs.wait(job, deadline - time.monotonic())
            _take(record, job, plan)


async def await_loading(record: PluginRecord, job: Job[PluginRecord], plan: Plan) -> None:
    """Wait for a plugin that is being loaded, and record what became of it.

    One that takes longer than it may has failed; its job goes on, and may be waited for again.
    """
    if not await jobs.wait_async(job, min(PATIENCE, plan.timeout)):
        _tell_slow(record, plan)
        await jobs.wait_async(job, plan.timeout - PATIENCE)
    _take(record, job, plan)


def _tell_slow(record: PluginRecord, plan: Plan) -> None:
    if plan.timeout > PATIENCE:
        logger.warning("Plugin %s is still being imported; it has %g s", record.label, plan.timeout)


def _take(record: PluginRecord, job: Job[PluginRecord], plan: Plan) -> None:
    """Take what came out of loading a plugin; a job that is not done has failed."""
    if not job.done():
        message = f"Importing it did not finish within {plan.timeout:g} s"
        hint = (
            f"Set plugins.{record.name}.enabled = false to go on without it, or allow it more "
            "with lifespan.startup_timeout"
        )
        record.fail(Stage.IMPORT, PluginImportError(message, hint=hint))
    elif (error := job.exception()) is not None:
        message = f"Loading it raised {reason_of(error)}"
        hint = f"Set plugins.{record.name}.enabled = false to go on without it"
        record.fail(Stage.IMPORT, PluginImportError(message, hint=hint))
    else:
        record.take(job.result())


def _load(record: PluginRecord, plan: Plan, objects: Mapping[str, object]) -> PluginRecord:
    loaded = replace(record, stage=Stage.IMPORT)
    with recorded_reads() as recorder:
        _load_into(loaded, plan, objects)
    loaded.environment = recorder.reads
    return loaded


def _load_into(loaded: PluginRecord, plan: Plan, objects: Mapping[str, object]) -> None:
    try:
        given = loaded.name in objects
        value = objects[loaded.name] if given else import_plugin(loaded)
        loaded.stage = Stage.REGISTER
        loaded.manager = register(loaded.name, value)
        validate(loaded, plan)
    except PluginError as exc:
        loaded.fail(loaded.stage, exc)
    except BaseException as exc:  # noqa: BLE001  # plugin code: anything may come
        hint = f"Mend it, or set plugins.{loaded.name}.enabled = false"
        error = PluginContractError(f"It raised {reason_of(exc)}", hint=hint)
        error.__cause__ = exc
        loaded.fail(loaded.stage, error)


def import_plugin(record: PluginRecord) -> Any:
    """Import what the entry point names, taking the time.

    Raises:
        PluginImportError: The import raised or exited, or the module has no such attribute.
    """
    start = time.perf_counter()
    try:
        return _resolve(record.entry_point)
    except BaseException as exc:  # plugin code: anything may come
        raise import_error(record, exc) from exc
    finally:
        record.import_seconds = time.perf_counter() - start


def _resolve(entry_point: str) -> Any:
    """Import `module:attribute`, or the module alone; extras behind it make no difference."""
    module_name, _, attributes = entry_point.partition("[")[0].partition(":")
    value: Any = importlib.import_module(module_name.strip())
    for attribute in filter(None, attributes.strip().split(".")):
        value = getattr(value, attribute)
    return value
