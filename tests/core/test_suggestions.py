"""Suggestions cost little, whatever a stranger sends, and do not depend on any order."""

import random
import time
from collections.abc import Callable

import pytest

from mcpkit.core.suggestions import (
    COMPARED,
    LONGEST,
    MOST,
    SHOWN,
    did_you_mean,
    nearest,
    quoted,
    shortened,
)

WORDS = ("get", "set", "list", "find", "issue", "file", "user", "search", "create", "update")
NAMES = [f"hub_{first}_{second}_{third}" for first in WORDS for second in WORDS for third in WORDS]


def seconds(work: Callable[[], object]) -> float:
    """Processor time of some work, the least of several runs."""
    times = []
    for _ in range(5):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


UNIT = seconds(lambda: sum(range(100_000)))
"""What this machine takes for a little work: 1 to 4 ms."""


@pytest.mark.parametrize(
    "name",
    [
        "timeutil_now_" * 80_000,
        "hub_get_file_usr",
        "zzzzzzzzzzzz",
        "_" * 64,
        "hub_get_" * (LONGEST // 8),
        "é" * LONGEST,
    ],
)
def test_an_unknown_name_among_a_thousand_costs_about_a_millisecond(name: str) -> None:
    assert len(NAMES) == 1000
    assert seconds(lambda: did_you_mean(name, NAMES)) < 3 * UNIT


def test_a_hundred_thousand_candidates_cost_little_more_than_their_sorting() -> None:
    many = sorted(f"{name}_{number}" for name in NAMES for number in range(100))

    assert seconds(lambda: nearest("hub_get_file_usr_5", many)) < 30 * UNIT


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hub_get_file_usr", "hub_get_file_user"),
        ("hub_serch_issue_file", "hub_search_issue_file"),
        ("bub_list_find_set", "hub_list_find_set"),
        ("hub_update_createuser", "hub_update_create_user"),
        ("HUB_GET_FILE_USER", "hub_get_file_user"),
        ("entirely different", None),
        ("", None),
    ],
)
def test_the_nearest_is_found_in_any_order(name: str, meant: str | None) -> None:
    orders = [NAMES, NAMES[::-1], random.Random(7).sample(NAMES, len(NAMES))]

    assert {nearest(name, order) for order in orders} == {meant}


def test_equals_are_decided_by_their_order_in_the_alphabet() -> None:
    assert nearest("lost", ["list", "last"]) == "last"
    assert nearest("lost", ["last", "list"]) == "last"


def test_names_are_compared_up_to_the_limit_and_not_beyond() -> None:
    longest = "n" * (LONGEST - 1)

    assert nearest(f"{longest}x", [f"{longest}y"]) == f"{longest}y"
    assert nearest(f"{longest}xx", [f"{longest}y"]) is None
    assert nearest(f"{longest}x", [f"{longest}xy"]) is None


def test_of_too_many_candidates_the_neighbours_are_compared() -> None:
    many = [f"tool_{number:06}" for number in range(MOST * 3)]

    assert nearest("tool_002999x", many) == "tool_002999"
    assert nearest("tool_000000x", many) == "tool_000000"
    assert nearest("tool_001500x", [*many[1500:], *many[:1500]]) == "tool_001500"


def test_one_more_candidate_than_are_compared_changes_nothing() -> None:
    few = [f"hub_{word}" for word in WORDS]
    assert len(few) == COMPARED

    for known in (few, [*few, "hub_other"]):
        assert nearest("hub_isue", known) == "hub_issue"


def test_messages_quote_long_names_in_part() -> None:
    assert quoted("it's") == repr("it's")
    assert quoted("n" * SHOWN) == repr("n" * SHOWN)
    assert quoted("n" * (SHOWN + 1)) == f"{'n' * SHOWN!r}… (101 characters)"
    assert "\n" not in quoted("a\nb")
    assert shortened("n" * 1_000_000, 5) == "nnnnn… (1000000 characters)"
