"""Limits of the log: a few records of a kind, then their number."""

import logging
from types import SimpleNamespace

import pytest

from mcpkit.core import log_limits
from mcpkit.core.log_limits import MOST, WINDOW, limited

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


def test_no_more_than_the_limit_is_told_of_no_more(caplog: pytest.LogCaptureFixture) -> None:
    with limited([NAME]):
        for number in range(MOST):
            logger.warning("Refused %d", number)

    assert messages(caplog) == [f"Refused {number}" for number in range(MOST)]


def test_numbers_of_many_kinds_are_all_told_by_their_loggers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with limited([NAME]):
        for kind in range(MOST + 2):
            for _ in range(MOST + 1):
                logger.warning(f"Kind {kind}")  # noqa: G004  # each is a kind of its own

    told = [record for record in caplog.records if "more like this" in record.getMessage()]
    assert len(told) == MOST + 2
    assert {record.name for record in told} == {NAME}


def test_a_window_ends_when_its_time_has_passed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(log_limits, "time", SimpleNamespace(monotonic=lambda: now))
    with limited([NAME]) as limit:
        for _ in range(MOST + 2):
            logger.warning("Refused")
        now += WINDOW - 0.5
        limit.tell()
        early = messages(caplog)
        now += 0.5
        limit.tell()
        late = messages(caplog)

    assert early == ["Refused"] * MOST
    assert late[MOST:] == ["2 more like this within 60 s: Refused"]
