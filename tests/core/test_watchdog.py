"""The watchdog: a process ends at its deadline, whatever keeps it busy."""

import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

PREAMBLE = """
    import atexit, re, sys, threading, time
    from mcpkit.core.logs import set_up_logging
    from mcpkit.core.watchdog import Watchdog
    set_up_logging("info")
    def unfinished():
        yield from UNFINISHED
    UNFINISHED = ["one", "two"]
    dog = Watchdog(unfinished, 7)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run some code that would not end by itself."""
    return subprocess.run(
        [sys.executable, "-c", dedent(PREAMBLE) + dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    "hang",
    [
        "time.sleep(600)",
        "while True: pass",
        "threading.Thread(target=time.sleep, args=[600]).start()",
    ],
)
def test_the_process_ends_at_its_deadline_and_names_what_is_left(hang: str) -> None:
    result = run(f"dog.allow(0.2, 'Waiting')\n{hang}")

    assert result.returncode == 7
    assert "Waiting took too long, and the process ends. Abandoned: one; two\n" in result.stderr


def test_code_that_holds_the_interpreter_does_not_keep_the_process() -> None:
    result = run("dog.allow(0.1, 'Waiting')\nre.match('(a+)+$', 'a' * 64 + 'b')")

    assert result.returncode == 1
    assert "Timeout (0:00:0" in result.stderr
    assert "in match" in result.stderr


def test_each_step_moves_the_deadline_and_haste_limits_them_all() -> None:
    moved = run(
        "dog.allow(0.3, 'A'); time.sleep(0.2); dog.allow(60, 'B'); time.sleep(0.3); sys.exit(3)"
    )
    hurried = run("dog.hurry(0.2, 'A'); dog.allow(600, 'B'); time.sleep(600)")
    disarmed = run("dog.allow(0.1, 'A'); dog.disarm(); time.sleep(0.4); sys.exit(3)")

    assert [result.returncode for result in (moved, hurried, disarmed)] == [3, 7, 3]


def test_a_name_that_cannot_be_told_ends_the_process_all_the_same() -> None:
    broken = run("UNFINISHED = None\ndog.allow(0.1, 'A'); time.sleep(600)")
    many = run("UNFINISHED = map(str, range(1000))\ndog.allow(0.1, 'A'); time.sleep(600)")

    assert (broken.returncode, many.returncode) == (7, 7)
    assert many.stderr.rstrip().endswith("19; 980 more")
