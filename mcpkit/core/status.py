"""The record of one plugin: discovered, then loaded, disabled or failed, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import pluggy
from pydantic import BaseModel

from mcpkit.core.components import Catalogue
from mcpkit.core.environment_reads import NOTHING_READ, EnvironmentReads
from mcpkit.core.errors import MCPKitError
from mcpkit.core.locations import locate

SLOW_IMPORT = 1.0
"""Seconds of import above which a plugin is called slow."""


class Status(StrEnum):
    """Where a plugin stands."""

    DISCOVERED = "discovered"
    DISABLED = "disabled"
    ASLEEP = "asleep"
    STARTING = "starting"
    LOADED = "loaded"
    FAILED = "failed"


class Stage(StrEnum):
    """The step of the flow that a plugin reached, or failed in."""

    DISCOVER = "discover"
    IMPORT = "import"
    REGISTER = "register"
    SETTINGS = "settings"
    VALIDATE = "validate"
    COMPOSE = "compose"
    LIFESPAN = "lifespan"
    SERVE = "serve"


@dataclass(kw_only=True)
class PluginRecord:
    """What is known of one plugin, from discovery to the end of the server.

    Attributes:
        name: Name of the entry point: the plugin's name.
        distribution: Name of the distribution that brought it; None for one given in code.
        version: Version of that distribution.
        entry_point: `module:attribute`.
        location: Where the distribution is installed.
        editable: Whether it is an editable install (PEP 660).
        installed: Digest of the record of its installed files; None if there is none.
        status: Where it stands now.
        stage: The step it reached, or failed in.
        error: Why it failed; its hint says what to do.
        where: `file:line` of its own code from which the failure came; None if none is known.
        reason: Why it is disabled.
        import_seconds: Time its import took; None if it was not imported.
        catalogue: What it contributes to the lists.
        manager: Where its hooks are asked; None unless it is imported and sound.
        settings_model: The settings model that it declares, or None.
        settings: That model filled, or None.
        environment: What it read of the environment while it was loaded.
        must_start: Whether it has to be there from the start: it does more than answer calls.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    entry_point: str = ""
    location: str | None = None
    editable: bool = False
    installed: str | None = field(default=None, repr=False)
    status: Status = Status.DISCOVERED
    stage: Stage = Stage.DISCOVER
    error: MCPKitError | None = None
    where: str | None = None
    reason: str | None = None
    import_seconds: float | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    manager: pluggy.PluginManager | None = field(default=None, repr=False)
    settings_model: type[BaseModel] | None = field(default=None, repr=False)
    settings: Any = field(default=None, repr=False)
    environment: EnvironmentReads = NOTHING_READ
    must_start: bool = False

    @property
    def label(self) -> str:
        """The plugin as errors name it: `'weather' (mcpkit-plugin-weather 1.2.0)`."""
        if self.distribution is None:
            return repr(self.name)
        return f"{self.name!r} ({self.distribution} {self.version})"

    @property
    def is_slow(self) -> bool:
        """Whether importing it took so long that the operator should know."""
        return self.import_seconds is not None and self.import_seconds >= SLOW_IMPORT

    @property
    def is_known(self) -> bool:
        """Whether it was imported, so that it is known what settings it takes."""
        return self.stage not in {Stage.DISCOVER, Stage.IMPORT, Stage.REGISTER} and (
            self.settings_model is not None or self.stage is not Stage.SETTINGS
        )

    def fail(self, stage: Stage, error: MCPKitError) -> None:
        """Record that the plugin failed; nothing of it is offered from now on."""
        self.status = Status.FAILED
        self.stage = stage
        self.error = error
        place = locate(error, self.entry_point.partition(":")[0])
        self.where = None if place is None else f"{place[0]}:{place[1]}"
        self.catalogue = Catalogue()
        self.manager = None

    def clear_failure(self) -> None:
        """Forget a failure: the plugin is tried again."""
        self.status, self.error = Status.ASLEEP, None

    def take(self, loaded: PluginRecord) -> None:
        """Become what loading made of a copy of this record."""
        for item in fields(self):
            setattr(self, item.name, getattr(loaded, item.name))

    def disable(self, reason: str) -> None:
        """Record that the plugin is not wanted; it is never imported."""
        self.status = Status.DISABLED
        self.reason = reason

    def to_json(self) -> dict[str, Any]:
        """The record as `--json` and `/readyz` show it; None where nothing is known."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "entry_point": self.entry_point,
            "location": self.location,
            "editable": self.editable,
            "status": str(self.status),
            "stage": str(self.stage),
            "reason": self.error.message if self.error else self.reason,
            "where": self.where,
            "hint": self.error.hint if self.error else None,
            "import_seconds": self.import_seconds,
            "slow": self.is_slow,
            "components": {f"{kind}s": names for kind, names in self.catalogue.names().items()},
        }
