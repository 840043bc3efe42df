"""Measuring: contestants take turns, so that what slows the machine slows them all alike."""

import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Figure:
    """What one contestant reached.

    Attributes:
        contestant: Who.
        samples: Of all rounds.
    """

    contestant: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that is compared."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Table:
    """One question, and what everybody reached.

    Attributes:
        title: The question.
        unit: Of the figures.
        reference: The contestant that the others are divided by.
        figures: In order.
        higher_is_better: What a larger figure means.
        notes: Sentences for the reader.
        cpu: Microseconds of processor time for each request, in the same order; may be empty.
    """

    title: str
    unit: str
    reference: str
    figures: Sequence[Figure]
    higher_is_better: bool = False
    notes: Sequence[str] = field(default_factory=tuple)
    cpu: Sequence[Figure] = field(default_factory=tuple)

    def ratio(self, figure: Figure) -> float:
        """A contestant's figure, divided by the reference's of the same run."""
        return figure.median / median_of(self.figures, self.reference)

    def cpu_ratio(self, figure: Figure) -> float:
        """The same for its processor time."""
        return figure.median / median_of(self.cpu, self.reference)


def median_of(figures: Sequence[Figure], contestant: str) -> float:
    """What one contestant reached."""
    return next(figure.median for figure in figures if figure.contestant == contestant)


def take_turns(
    contestants: Mapping[str, Callable[[], float]], rounds: int, *, warm: int = 1
) -> list[Figure]:
    """Run every contestant once per round, A B C A B C.

    Args:
        contestants: Name to a function that measures once.
        rounds: How often.
        warm: Rounds before, which do not count.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warm + rounds):
        progress(f"round {number + 1} of {warm + rounds}")
        for name, measure in contestants.items():
            value = measure()
            if number >= warm:
                samples[name].append(value)
    return [Figure(name, tuple(values)) for name, values in samples.items()]


def progress(text: str) -> None:
    """Tell whoever waits how far it is."""
    sys.stderr.write(f"{datetime.now().astimezone():%H:%M:%S} {text}\n")
    sys.stderr.flush()


def cores() -> list[int]:
    """The processors that may be used; server and client want one each."""
    return sorted(os.sched_getaffinity(0))
