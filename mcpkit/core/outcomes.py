"""Outcomes: what the operator learns of plugins that failed, and when that stops the server."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mcpkit.core.components import count_kinds, counts_in_words
from mcpkit.core.errors import PluginError
from mcpkit.core.logs import about, keep_logging
from mcpkit.core.settings import Settings
from mcpkit.core.status import PluginRecord, Status

MOST_NAMES = 5
"""Most plugins of one outcome that the summary names."""

_OUTCOMES = {
    Status.DISCOVERED: "ok",
    Status.LOADED: "ok",
    Status.ASLEEP: "ok",
    Status.STARTING: "still starting",
    Status.FAILED: "failed",
    Status.DISABLED: "disabled",
}

logger = logging.getLogger(__name__)


def refuse_strict(records: Sequence[PluginRecord], settings: Settings) -> None:
    """Refuse to go on when a plugin that must be there has failed.

    Raises:
        PluginError: The first one that failed.
    """
    for record in records:
        if record.error is not None and (settings.strict or settings.plugin(record.name).strict):
            raise PluginError(
                f"Plugin {record.label} failed, and it is strict: {record.error.message}"
                + (f" ({record.where})" if record.where else ""),
                hint=record.error.hint,
            ) from record.error


def log_outcome(record: PluginRecord) -> None:
    """Tell how loading one plugin went."""
    keep_logging()
    if record.error is not None:
        log_failure(record)
    elif record.is_slow:
        logger.warning("Plugin %s took %.1f s to import", record.label, record.import_seconds)
    else:
        logger.debug("Plugin %s is %s", record.label, record.status)


def log_failure(record: PluginRecord) -> None:
    """Tell why a plugin failed, with what helps; the traceback is for DEBUG."""
    error = record.error
    if error is None:
        return
    logger.error(
        "Plugin %s failed (%s): %s%s",
        record.label,
        record.stage,
        error.message,
        f" ({record.where})" if record.where else "",
        extra=about(plugin=record.name, hint=error.hint),
    )
    cause = error.__cause__
    if cause is not None:
        logger.debug("Plugin %s failed because of:", record.label, exc_info=cause)


def log_summary(records: Sequence[PluginRecord]) -> None:
    """Tell in one line what is served: plugins by what became of them, and components by kind."""
    plugins: dict[str, list[str]] = {"ok": []}
    for record in sorted(records, key=lambda record: list(_OUTCOMES).index(record.status)):
        plugins.setdefault(_OUTCOMES[record.status], []).append(record.name)
    kinds = count_kinds(record.catalogue for record in records)
    logger.info(
        "Plugins: %s; %s",
        ", ".join(_counted(outcome, names) for outcome, names in plugins.items()) or "none",
        counts_in_words(kinds) or "no components",
        extra=about(plugins=plugins, components=kinds),
    )


def _counted(outcome: str, names: Sequence[str]) -> str:
    if outcome == "ok":
        return f"{len(names)} ok"
    more = len(names) - MOST_NAMES
    named = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"{len(names)} {outcome} ({named})"
