"""Zones for clients: the look-up tool, the resources, and completion of zone arguments."""

import json
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from mcpkit import (
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceNotFoundError,
    ResourceTemplateReference,
    ToolError,
)

from . import answers, zones, zonesearch
from .plugin import READ_ONLY, plugin

MAX_COMPLETIONS = 100
"""Most values of one completion (MCP specification, completion/complete)."""


@plugin.tool(title="Find a time zone", annotations=READ_ONLY)
def find_zone(
    query: Annotated[
        str,
        Field(
            description="City in any language, if needed with country or state after a comma; "
            "country by name or code; abbreviation such as CEST; offset such as +05:30 or GMT-3; "
            "or a part of a name",
            min_length=1,
            max_length=zones.MAX_LENGTH,
        ),
    ],
    limit: Annotated[int, Field(ge=1, le=50, description="How many zones at most")] = 10,
) -> answers.ZoneSearch:
    """Find the time zones of a place, abbreviation or offset, even when it is misspelt.

    When the query can mean several, notes say what to ask the user.
    """
    found = zonesearch.search(query)
    if not found.matches:
        raise ToolError(
            f"No time zone, place or offset is like {query!r}. Try the largest city nearby, or the "
            "country"
        )
    moment = datetime.now(UTC)
    return answers.ZoneSearch(
        matches=[answers.zone_match(m.zone, moment, m.place) for m in found.matches[:limit]],
        exact=found.exact,
        notes=[found.note] if found.note else [],
    )


@plugin.resource("timeutil://zones", title="Time zones", mime_type="application/json")
def zone_list() -> str:
    """All IANA time zones by name, as a JSON list."""
    return json.dumps(zones.zone_names())


@plugin.resource("timeutil://zones/{+zone}", title="One time zone", mime_type="application/json")
def zone_details(zone: str) -> str:
    """A time zone: its offset now and its next clock changes, as JSON."""
    try:
        found = zonesearch.resolve(zone)
    except ToolError as exc:
        raise ResourceNotFoundError(str(exc)) from exc
    moment = datetime.now(UTC)
    return json.dumps(
        {
            **answers.zone_match(str(found), moment).model_dump(exclude={"place"}),
            "is_dst": zones.is_dst(moment.astimezone(found)),
            "transitions": [
                {
                    "at": change.moment.isoformat(),
                    "offset_before": answers.offset(change.before),
                    "offset_after": answers.offset(change.after),
                }
                for change in zones.transitions(found, moment, 4)
            ],
        }
    )


@plugin.completion
def complete_zone(
    ref: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> list[str]:
    """Complete a zone; in a comma-separated list, the last one."""
    if argument.name not in ("zone", "timezones"):
        return []
    before, comma, last = argument.value.rpartition(",")
    kept = f"{before}{comma}{' ' if comma else ''}"
    wanted = last.strip()
    return [f"{kept}{name}" for name in zonesearch.complete(wanted)]
