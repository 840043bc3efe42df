"""Time limit of a search: the processor time that it may use.

A search computes without waiting, so it holds the interpreter's lock: what it uses, every other
call of the server lacks.
"""

import time


class BudgetSpentError(Exception):
    """The search used up its time."""


class Budget:
    """Processor time of one search, in the thread that makes the budget.

    Args:
        seconds: How much the search may use. Time in which other threads run does not count, so a
            busy server finds no less than an idle one.
    """

    def __init__(self, seconds: float) -> None:
        self._ends = time.thread_time() + seconds

    def check(self) -> None:
        """End the search when its time is used up; called in its innermost loop.

        Raises:
            BudgetSpentError: The time is used up.
        """
        if time.thread_time() > self._ends:
            raise BudgetSpentError
