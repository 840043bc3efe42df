"""Import failures: why a plugin cannot be imported, and the hint that fits the cause."""

from __future__ import annotations

from pathlib import Path

from mcpkit.core.errors import PluginImportError, reason_of
from mcpkit.core.locations import locate
from mcpkit.core.status import PluginRecord


def import_error(record: PluginRecord, exc: BaseException) -> PluginImportError:
    """The error of a plugin whose import raised, or called `sys.exit`."""
    if isinstance(exc, SystemExit):
        message = f"Importing it called sys.exit({exc.code!r})"
    else:
        message = f"Cannot import it: {reason_of(exc)}"
    hint = f"{_remedy(record, exc)}, or set plugins.{record.name}.enabled = false"
    return PluginImportError(message, hint=hint)


def _remedy(record: PluginRecord, exc: BaseException) -> str:
    """What helps: for its author a line to correct, for its operator a package to install."""
    module = record.entry_point.partition(":")[0].strip()
    place = locate(exc, module)
    if isinstance(exc, ImportError) and exc.name and not _is_within(module, exc.name):
        return _dependency_remedy(record, exc, exc.name)
    if place is None:
        if record.distribution and not record.editable and isinstance(exc, ModuleNotFoundError):
            return f"Reinstall {record.distribution}, a part of which is missing"
        point = f"the entry point {record.entry_point!r} in its pyproject.toml"
        return f"Correct {point} and install it anew"
    line = f"line {place[1]} of {Path(place[0]).name}"
    if record.editable or not record.distribution:
        return f"Correct {line}"
    return f"Correct {line} if the plugin is yours, else update {record.distribution}"


def _dependency_remedy(record: PluginRecord, exc: ImportError, name: str) -> str:
    package, plugin = name.partition(".")[0], record.distribution or "the plugin"
    if isinstance(exc, ModuleNotFoundError) and name == package:
        return f"Install the package of the module {name!r}, which {plugin} should depend on"
    if package == "mcpkit":
        return f"Correct the names that {plugin} imports from mcpkit, or update mcpkit"
    return f"Update {plugin} and the package of {package!r}, whose versions do not fit together"


def _is_within(module: str, name: str) -> bool:
    return module.partition(".")[0] == name.partition(".")[0]
