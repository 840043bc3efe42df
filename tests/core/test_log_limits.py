"""Limits of the log: a few records of a kind, then their number."""

import logging

import pytest

from mcpkit.core import log_limits
from mcpkit.core.log_limits import MOST, limited

NAME = "mcpkit.test.strangers"
logger = logging.getLogger(NAME)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_of_each_kind_a_few_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with limited([NAME]) as limit:
        for number in range(MOST + 3):
            logger.warning("Refused %d", number)
        logger.warning("Closed %d", 1)
        limit.tell()

        assert messages(caplog) == [*(f"Refused {number}" for number in range(MOST)), "Closed 1"]


def test_the_rest_is_counted_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with limited([NAME]):
        for number in range(MOST + 3):
            logger.warning("Refused %d", number)

    last = caplog.records[-1]
    assert last.getMessage() == f"3 more like this within 0 s: Refused {MOST + 2}"
    assert last.levelno == logging.WARNING
    logger.warning("Refused %d", 0)  # the limit has gone
    assert messages(caplog)[-1] == "Refused 0"


def test_errors_are_not_limited(caplog: pytest.LogCaptureFixture) -> None:
    with limited([NAME]):
        for number in range(MOST + 3):
            logger.error("Failed %d", number)

    assert messages(caplog) == [f"Failed {number}" for number in range(MOST + 3)]


def test_after_a_while_a_kind_is_new(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with limited([NAME]) as limit:
        for number in range(MOST + 1):
            logger.warning("Refused %d", number)
        monkeypatch.setattr(log_limits, "WINDOW", 0.0)
        limit.tell()
        limit.tell()
        logger.warning("Refused %d", 99)

    assert messages(caplog)[MOST:] == [f"1 more like this within 0 s: Refused {MOST}", "Refused 99"]
