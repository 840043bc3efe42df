"""Times of day: `3pm`, `at 15:30`, `noon`, taken out of words.

In: words. Out: the other words, and the time.
"""

import re
from datetime import time

from mcpkit import ToolError

_TIME = re.compile(
    r"\b(?:at\s+)?(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s*(?P<half>[ap])\.?m\b\.?"
    r"|(?P<hour24>\d{1,2}):(?P<minute24>\d{2})(?::(?P<second>\d{2}))?(?!\d)"
    r"|(?P<word>noon|midday|midnight)\b)",
    re.ASCII,
)
_BARE_HOUR = re.compile(r"\bat\s+(?P<hour>\d{1,2})\b(?!\s*[:/.\-])", re.ASCII)
_TIMES = {"noon": time(12), "midday": time(12), "midnight": time(0)}


def take(words: str) -> tuple[str, time | None]:
    """Split the time of day off lower-case words.

    Returns:
        The words without it, and the time if there was one.

    Raises:
        ToolError: It is ambiguous, impossible, or not the only one.
    """
    found = list(_TIME.finditer(words))
    if len(found) > 1:
        raise ToolError(f"{words!r} names more than one time of day. Ask for one at a time")
    if not found:
        bare = _BARE_HOUR.search(words)
        if bare is None:
            return words, None
        hour = int(bare["hour"])
        if 1 <= hour <= 12:
            raise ToolError(
                f"'at {hour}' could be {hour % 12:02}:00 or {hour % 12 + 12:02}:00. "
                f"Write '{hour}am', '{hour}pm' or the 24-hour time"
            )
        return _without(words, bare), _clock(hour, 0, 0)
    match = found[0]
    if match["word"]:
        return _without(words, match), _TIMES[match["word"]]
    if match["half"]:
        hour = int(match["hour"])
        if not 1 <= hour <= 12:
            raise ToolError(f"{match[0].strip()!r} is no time of day: am and pm go with 1 to 12")
        hour = hour % 12 + (12 if match["half"] == "p" else 0)
        return _without(words, match), _clock(hour, int(match["minute"] or 0), 0)
    clock = _clock(int(match["hour24"]), int(match["minute24"]), int(match["second"] or 0))
    return _without(words, match), clock


def _without(words: str, match: re.Match[str]) -> str:
    return " ".join(f"{words[: match.start()]} {words[match.end() :]}".split())


def _clock(hour: int, minute: int, second: int) -> time:
    try:
        return time(hour, minute, second)
    except ValueError as exc:
        raise ToolError(f"{hour:02}:{minute:02} is no time of day. Use 00:00 to 23:59") from exc
