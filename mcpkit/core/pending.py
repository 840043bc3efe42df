"""Pending plugins: listed and not there yet, with what is known of the attempts to start them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from mcpkit.core.components import Catalogue
from mcpkit.core.jobs import Job
from mcpkit.core.status import PluginRecord, Status

LONGEST_PAUSE = 60
"""Most seconds between two attempts; the first pause is one second, and each next one twice it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pending:
    """A plugin that is listed, and not there yet.

    Attributes:
        record: The plugin.
        listed: What lists show of it.
        attempt: Set at the end of the attempt that is under way; None when none is.
        job: The import, until it is done: one that did not finish in time may later.
        loaded: What the import found: only its lifespan has to be tried again.
        failures: How many attempts have failed.
        retry_at: When the next one may begin, by the monotonic clock.
        is_guessed: Whether an unknown name has activated it: no other one will.
        is_eager: Whether it was imported before the server started.
    """

    record: PluginRecord
    listed: Catalogue
    attempt: anyio.Event | None = None
    job: Job[PluginRecord] | None = None
    loaded: PluginRecord | None = None
    failures: int = 0
    retry_at: float = 0.0
    is_guessed: bool = False
    is_eager: bool = False

    @classmethod
    def of_loaded(cls, record: PluginRecord) -> Pending:
        """A plugin that is imported, and whose lifespan is about to be entered."""
        loaded = replace(record, status=Status.ASLEEP)  # a failure clears the record itself
        return cls(record=record, listed=record.catalogue, loaded=loaded, is_eager=True)

    @property
    def is_paused(self) -> bool:
        """Whether it is too early for another attempt."""
        return time.monotonic() < self.retry_at

    def pause(self) -> int:
        """Put off the next attempt, and return for how many seconds."""
        seconds = min(1 << self.failures, LONGEST_PAUSE)
        self.failures = min(self.failures + 1, LONGEST_PAUSE)
        self.retry_at = time.monotonic() + seconds
        return seconds

    def may_own(self, name: str, prefix: str | None) -> bool:
        """Whether activating it may make an unknown name known.

        Args:
            name: Of a tool or prompt, or a URI.
            prefix: What stands before the names of its tools and prompts; None for its own name.
        """
        if self.record.status is Status.STARTING:
            return False  # all its names are known
        if self.attempt is None and (self.is_guessed or self.is_paused):
            return False
        plugin = self.record.name
        start = plugin if prefix is None else prefix
        return name.startswith(f"{plugin}:") or (bool(start) and name.startswith(f"{start}_"))

    def refusal(self, *, is_final: bool) -> MCPError:
        """The error of a call while the plugin is not there.

        Args:
            is_final: Whether it is not tried again.
        """
        if is_final:
            what = "could not be started; its operator finds the reason in the log"
        elif self.record.error is not None:
            seconds = max(1, math.ceil(self.retry_at - time.monotonic()))
            what = f"could not be started; it is tried again in {seconds} s"
        else:
            what = "is still starting; try again later"
        return MCPError(types.INTERNAL_ERROR, f"Plugin {self.record.name!r} {what}")
