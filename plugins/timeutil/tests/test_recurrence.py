"""Cron expressions and RRULEs: exact over clock changes, bounded in count and time."""

import contextlib
import time
from datetime import date, datetime
from datetime import time as clock
from random import Random
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from mcpkit_plugin_timeutil import cron, feasibility, occurrences, recurrence, rules

from mcpkit import ToolError

OSLO = ZoneInfo("Europe/Oslo")
BEFORE_SPRING = datetime(2026, 3, 28, 0, tzinfo=OSLO)
BEFORE_AUTUMN = datetime(2026, 10, 24, 12, tzinfo=OSLO)


def _iso(found: occurrences.Occurrences) -> list[str]:
    return [moment.isoformat() for moment in found.moments]


def test_a_cron_job_in_the_gap_runs_right_after_it() -> None:
    found = cron.search("30 2 * * *", BEFORE_SPRING, OSLO, 3)

    assert _iso(found) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert len(found.notes) == 1


def test_a_cron_job_in_the_fold_runs_once() -> None:
    found = cron.search("30 2 * * *", BEFORE_AUTUMN, OSLO, 2)

    assert _iso(found) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_cron_job_of_every_hour_runs_in_both_hours_of_the_fold() -> None:
    start = datetime(2026, 10, 25, 1, 30, tzinfo=OSLO)

    found = cron.search("0 * * * *", start, OSLO, 3)

    assert _iso(found) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_cron_never_goes_back_when_it_starts_in_the_second_hour_of_a_fold() -> None:
    start = datetime(2026, 10, 25, 2, 15, tzinfo=OSLO, fold=1)

    found = cron.search("30 2 * * *", start, OSLO, 1)

    assert found.moments[0] > start
    assert _iso(found) == ["2026-10-26T02:30:00+01:00"]


def test_cron_follows_a_change_of_half_an_hour() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")

    found = cron.search("15 2 * * *", datetime(2026, 10, 3, 12, tzinfo=zone), zone, 2)

    assert _iso(found) == ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]


def test_cron_and_rule_wait_for_29_february() -> None:
    job = cron.search("0 12 29 2 *", BEFORE_SPRING, OSLO, 2)
    start = BEFORE_SPRING.replace(hour=12)
    rule = recurrence.search("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", start, OSLO, 2)

    assert _iso(job) == ["2028-02-29T12:00:00+01:00", "2032-02-29T12:00:00+01:00"]
    assert job.moments == rule.moments


@pytest.mark.parametrize(
    "text", ["", "bad", "60 * * * *", "0 0 32 2 *", "* * * * * * *", "@often", "1/0 * * * *"]
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="five fields"):
        cron.search(text, BEFORE_SPRING, OSLO, 1)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 FEB *"])
def test_a_cron_job_on_a_day_that_its_months_lack_is_refused_as_such(text: str) -> None:
    with pytest.raises(ToolError, match="never runs: none of its months has that day"):
        cron.search(text, BEFORE_SPRING, OSLO, 1)


def test_names_of_cron_expressions_are_known() -> None:
    assert _iso(cron.search("@daily", BEFORE_SPRING, OSLO, 1)) == ["2026-03-29T00:00:00+01:00"]


def test_a_rule_in_the_gap_is_shifted_by_the_gap() -> None:
    start = datetime(2026, 3, 28, 2, 30, tzinfo=OSLO)

    found = recurrence.search("RRULE:FREQ=DAILY", start, OSLO, 3)

    assert _iso(found) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_an_hourly_rule_runs_by_elapsed_time() -> None:
    start = datetime(2026, 10, 25, 1, tzinfo=OSLO)

    found = recurrence.search("FREQ=HOURLY", start, OSLO, 4)

    assert _iso(found) == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_a_rule_until_the_year_9999_has_no_end() -> None:
    found = recurrence.search("FREQ=DAILY;UNTIL=99991231T235959Z", BEFORE_SPRING, OSLO, 2)

    assert len(found.moments) == 2


@pytest.mark.parametrize("until", ["20260330", "20260330T000000", "20260329T220000Z"])
def test_a_rule_ends_with_its_last_day(until: str) -> None:
    found = recurrence.search(f"FREQ=DAILY;UNTIL={until}", BEFORE_SPRING, OSLO, 10)

    assert _iso(found)[-1] == "2026-03-30T00:00:00+02:00"
    assert "Only 3 of 10" in found.notes[-1]


@pytest.mark.parametrize(
    "rule",
    [
        *(f"FREQ={freq};BYMONTH=2;BYMONTHDAY=30" for freq in rules.FREQUENCIES),
        "FREQ=SECONDLY;BYHOUR=3;BYMINUTE=0;BYSECOND=0;BYMONTH=4,6;BYMONTHDAY=-31",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=YEARLY;BYWEEKNO=-1;BYMONTH=11",
        "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=-3",
        "FREQ=DAILY;BYHOUR=8,9;BYSETPOS=3",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=4",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;COUNT=3;BYDAY=TU;BYHOUR=1;BYSETPOS=2",
        "FREQ=YEARLY;INTERVAL=999999;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=SECONDLY;INTERVAL=60;BYSECOND=1",
    ],
)
def test_a_rule_whose_parts_exclude_each_other_is_refused_at_once(rule: str) -> None:
    begun = time.thread_time()

    with pytest.raises(ToolError, match=r"never occurs from .* Change one of them"):
        recurrence.search(rule, BEFORE_SPRING, OSLO, 1)

    assert time.thread_time() - begun < occurrences.SEARCH_SECONDS / 2


@pytest.mark.parametrize("day", [30, 31])
def test_a_rule_that_leaves_its_day_to_the_start_needs_that_day(day: int) -> None:
    start = datetime(2026, 1, day, tzinfo=OSLO)

    with pytest.raises(ToolError, match="never occurs from 2026-01-3"):
        recurrence.search("FREQ=YEARLY;BYMONTH=2", start, OSLO, 1)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY;INTERVAL=168;BYDAY=TU",
        "FREQ=MINUTELY;INTERVAL=10080;BYDAY=TU",
        "FREQ=SECONDLY;INTERVAL=604800;BYDAY=TU",
        "FREQ=DAILY;INTERVAL=14;BYMONTH=2;BYMONTHDAY=29;BYHOUR=1;BYSETPOS=1;BYDAY=SA;WKST=SU",
        "FREQ=WEEKLY;INTERVAL=999;BYYEARDAY=366;BYDAY=TU",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6;WKST=SU",
        "FREQ=YEARLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    ],
)
def test_a_search_for_rare_matches_ends_within_its_budget(rule: str) -> None:
    begun = time.thread_time()

    try:
        found = recurrence.search(rule, BEFORE_SPRING, OSLO, occurrences.MAX_COUNT)
    except ToolError as exc:
        said = str(exc)
    else:
        said = found.notes[-1]

    assert "because matches are too rare" in said or "the rule ends or never matches" in said
    assert time.thread_time() - begun < 2 * occurrences.SEARCH_SECONDS


@pytest.mark.parametrize("expression", ["0 0 * 2 MON#5", "0 0 */40 2 MON#5", "0 0 29 2 */7"])
def test_a_search_for_rare_cron_times_ends_within_its_budget(expression: str) -> None:
    begun = time.thread_time()

    with contextlib.suppress(ToolError):
        cron.search(expression, BEFORE_SPRING, OSLO, occurrences.MAX_COUNT)

    assert time.thread_time() - begun < 2 * occurrences.SEARCH_SECONDS


@pytest.mark.parametrize(
    "frequency", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"], ids=str.casefold
)
def test_a_rule_that_multiplies_its_times_is_refused(frequency: str) -> None:
    sixty = ",".join(map(str, range(60)))

    with pytest.raises(ToolError, match="use a finer FREQ"):
        recurrence.search(
            f"FREQ={frequency};BYMINUTE={sixty};BYSECOND={sixty}", BEFORE_SPRING, OSLO, 1
        )


def test_no_rule_that_occurs_is_taken_for_impossible() -> None:
    """dateutil judges; it looks as far as year 9999, so the rules start shortly before."""
    random = Random(4)
    refused = 0
    for _ in range(150):
        rule = _some_rule(random)
        start = date(9970, random.randint(1, 12), random.randint(1, 28))
        try:
            feasibility.refuse_impossible(rules.parse(rule), start)
        except ToolError:
            refused += 1
            found = rrulestr(rule, dtstart=datetime.combine(start, clock(0)))
            assert next(iter(found), None) is None, f"{rule} from {start}"

    assert 15 < refused < 135


def _some_rule(random: Random) -> str:
    def some(low: int, high: int) -> str:
        numbers = [random.randint(low, high) for _ in range(random.randint(1, 2))]
        return ",".join(str(number * random.choice((1, 1, -1))) for number in numbers)

    month = str(random.randint(1, 12))
    days = random.sample(rules.WEEKDAYS, 2)
    frequency = random.choice(rules.FREQUENCIES[:4])
    ordinals = ["", "1", "5", "-1", "-5"] if frequency in {"YEARLY", "MONTHLY"} else [""]
    lists = {
        "BYMONTH": month,
        "BYMONTHDAY": some(1, 31),
        "BYYEARDAY": some(1, 366),
        "BYWEEKNO": some(1, 53),
        "BYDAY": ",".join(f"{random.choice(ordinals)}{day}" for day in days[:1]),
        "BYSETPOS": some(1, 3),
    }
    chosen = random.sample(sorted(lists), random.randint(1, 3))
    if chosen == ["BYSETPOS"]:
        chosen.append("BYDAY")
    parts = [f"{name}={lists[name]}" for name in chosen]
    return ";".join([f"FREQ={frequency}", f"INTERVAL={random.choice((1, 2, 7, 12))}", *parts])


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=",
        "FREQ=OFTEN",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=99999999999",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;COUNT=1;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;UNTIL=20270231",
        "FREQ=DAILY;WKST",
        "FREQ=DAILY;NONSENSE=1",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=-1",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=YEARLY;BYYEARDAY=0",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=DAILY;WKST=XX",
        "DTSTART:20260101\nRRULE:FREQ=DAILY",
        "FREQ=DAILY" + ";X=1" * 500,
    ],
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ToolError):
        recurrence.search(rule, BEFORE_SPRING, OSLO, 1)
