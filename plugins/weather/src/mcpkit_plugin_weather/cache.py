"""Answers kept in memory for a while, each fetched once however many ask.

In: a key, a time to live and a function that fetches. Out: the value, from memory when it is fresh.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import anyio

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Entry:
    value: object
    expires: float


@dataclass(slots=True)
class _Flight(Generic[T]):
    """A fetch under way. It landed when it has a value or an error; else it was cancelled."""

    done: anyio.Event = field(default_factory=anyio.Event)
    values: list[T] = field(default_factory=list)
    error: Exception | None = None


class Cache:
    """A bounded cache whose entries expire; the least recently used goes first.

    Equal requests that come while a fetch is under way wait for it (single flight) and share its
    value or its error. When the one that fetches is cancelled, one of the waiting takes over.

    Args:
        size: How many values are kept; 0 keeps none, and single flight still holds.
        clock: Monotonic seconds.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._flights: dict[Hashable, _Flight[object]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: Hashable, *, ttl: float, fetch: Callable[[], Awaitable[T]]) -> T:
        """Return the value of a key, fetching it unless a fresh one is here.

        Args:
            key: Names the value; equal keys must mean values of one type.
            ttl: Seconds a fetched value stays fresh; 0 means that it is not kept.
            fetch: Called by one of those who wait. What it raises is raised to all of them.
        """
        while True:
            entry = self._fresh(key)
            if entry is not None:
                return cast(T, entry.value)
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(key, ttl, fetch)
            await flight.done.wait()
            if flight.error is not None:
                # Every waiting task raises it: without this, their tracebacks would pile up in it.
                raise flight.error.with_traceback(None)
            if flight.values:
                return cast(T, flight.values[0])

    async def _lead(self, key: Hashable, ttl: float, fetch: Callable[[], Awaitable[T]]) -> T:
        flight: _Flight[object] = _Flight()
        self._flights[key] = flight
        try:
            value = await fetch()
        except Exception as exc:
            flight.error = exc
            raise
        else:
            flight.values.append(value)
            self._keep(key, value, ttl)
            return value
        finally:
            del self._flights[key]
            flight.done.set()

    def _fresh(self, key: Hashable) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    def _keep(self, key: Hashable, value: object, ttl: float) -> None:
        if ttl <= 0 or self._size == 0:
            return
        self._entries[key] = _Entry(value, self._clock() + ttl)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
