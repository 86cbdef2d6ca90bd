"""Days of 23 and 25 hours, midnights that do not exist, and names that run ahead of their start."""

import time as process_time
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import Calendar, is_zone

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NEW_YORK_CLOSE = Calendar("America/New_York", time(17))
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Prague",
    "Europe/London",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
)

calendars = st.builds(Calendar, st.sampled_from(ZONES), st.times(timezones=st.none()))
moments = st.datetimes(datetime(2015, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
dates = st.dates(date(2015, 1, 1), date(2037, 1, 1))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BOUNDARIES = [
    ("utc midnight", "UTC", time(0), "2026-03-02", "2026-03-02T00:00"),
    ("prague in winter", "Europe/Prague", time(0), "2026-01-05", "2026-01-04T23:00"),
    ("prague in summer", "Europe/Prague", time(0), "2026-07-06", "2026-07-05T22:00"),
    ("new york close in winter", "America/New_York", time(17), "2026-03-06", "2026-03-06T22:00"),
    ("new york close in summer", "America/New_York", time(17), "2026-03-08", "2026-03-08T21:00"),
    ("cairo's midnight is skipped", "Africa/Cairo", time(0), "2026-04-24", "2026-04-23T22:00"),
    ("beirut's midnight is skipped", "Asia/Beirut", time(0), "2026-03-29", "2026-03-28T22:00"),
    ("havana's midnight is skipped", "America/Havana", time(0), "2026-03-08", "2026-03-08T05:00"),
    ("santiago's midnight is skipped", "America/Santiago", time(0), "2026-09-06", "2026-09-06T04:00"),
    ("an hour that occurs twice: the first", "Europe/Prague", time(2, 30), "2026-10-25", "2026-10-25T00:30"),
    ("havana's midnight occurs twice: the first", "America/Havana", time(0), "2026-11-01", "2026-11-01T04:00"),
]


@pytest.mark.parametrize(
    ("zone", "start", "day", "instant"), [c[1:] for c in BOUNDARIES], ids=[c[0] for c in BOUNDARIES]
)
def test_a_day_begins_at_its_local_start(zone: str, start: time, day: str, instant: str) -> None:
    assert Calendar(zone, start).boundary(date.fromisoformat(day)) == utc(instant)


LENGTHS = [
    ("New York loses an hour on 8 March 2026", "America/New_York", time(0), "2026-03-08", 23),
    ("Prague does not, on that date", "Europe/Prague", time(0), "2026-03-08", 24),
    ("Prague loses it three weeks later", "Europe/Prague", time(0), "2026-03-29", 23),
    ("New York does not, on that date", "America/New_York", time(0), "2026-03-29", 24),
    ("Prague gains an hour on 25 October 2026", "Europe/Prague", time(0), "2026-10-25", 25),
    ("New York gains it a week later", "America/New_York", time(0), "2026-11-01", 25),
    ("a New York close day loses it from Saturday to Sunday", "America/New_York", time(17), "2026-03-07", 23),
    ("Cairo loses the hour at midnight", "Africa/Cairo", time(0), "2026-04-24", 23),
    ("Santiago gains it at midnight", "America/Santiago", time(0), "2026-04-04", 25),
]


@pytest.mark.parametrize(("zone", "start", "day", "hours"), [c[1:] for c in LENGTHS], ids=[c[0] for c in LENGTHS])
def test_days_are_longer_or_shorter_when_clocks_change(zone: str, start: time, day: str, hours: int) -> None:
    calendar, began = Calendar(zone, start), date.fromisoformat(day)
    assert calendar.boundary(began + DAY) - calendar.boundary(began) == hours * HOUR


def test_the_boundary_itself_belongs_to_the_day_it_begins() -> None:
    boundary = NEW_YORK_CLOSE.boundary(date(2026, 3, 2))
    assert NEW_YORK_CLOSE.day_of(boundary) == date(2026, 3, 2)
    assert NEW_YORK_CLOSE.day_of(boundary - timedelta(microseconds=1)) == date(2026, 3, 1)
    assert NEW_YORK_CLOSE.next_boundary(boundary) == NEW_YORK_CLOSE.boundary(date(2026, 3, 3))
    assert NEW_YORK_CLOSE.next_boundary(boundary - timedelta(microseconds=1)) == boundary


NAMES = [
    ("sunday evening in New York is Monday's day", time(17), "2026-03-01", "2026-03-02"),
    ("midnight is its own day's", time(0), "2026-03-01", "2026-03-01"),
    ("a morning start keeps its date", time(9, 30), "2026-03-01", "2026-03-01"),
    ("just before noon it still does", time(11, 59, 59), "2026-03-01", "2026-03-01"),
    ("a noon start is the next day's", time(12), "2026-03-01", "2026-03-02"),
]


@pytest.mark.parametrize(("start", "began", "name"), [c[1:] for c in NAMES], ids=[c[0] for c in NAMES])
def test_a_day_bears_the_date_twelve_hours_after_its_start(start: time, began: str, name: str) -> None:
    assert Calendar("America/New_York", start).name_of(date.fromisoformat(began)) == date.fromisoformat(name)


def test_a_day_begun_goes_on_when_clocks_fall_back_into_the_evening_before() -> None:
    newfoundland = Calendar("America/St_Johns", time(0))  # where 00:01 became 23:01 until 2011
    began = newfoundland.boundary(date(2010, 11, 7))
    assert began == utc("2010-11-07T02:30")
    assert [newfoundland.day_of(began + minutes * HOUR / 60).day for minutes in (-1, 0, 30, 61)] == [6, 7, 7, 7]


def test_a_date_that_a_zone_skipped_is_a_day_of_no_length() -> None:
    apia = Calendar("Pacific/Apia", time(0))  # crossed the date line at the end of 29 December 2011
    crossing = utc("2011-12-30T10:00")
    assert apia.boundary(date(2011, 12, 30)) == apia.boundary(date(2011, 12, 31)) == crossing
    assert apia.day_of(crossing) == date(2011, 12, 31)
    assert apia.next_boundary(crossing - HOUR) == crossing
    assert apia.next_boundary(crossing) == crossing + DAY


@settings(max_examples=150)
@given(calendars, moments)
def test_every_moment_lies_in_exactly_the_day_it_is_said_to(calendar: Calendar, moment: datetime) -> None:
    day = calendar.day_of(moment)
    assert calendar.boundary(day) <= moment < calendar.boundary(day + DAY)
    assert moment < calendar.next_boundary(moment) == calendar.boundary(day + DAY)


@settings(max_examples=150)
@given(calendars, dates)
def test_boundaries_rise_and_no_day_is_absurdly_long(calendar: Calendar, day: date) -> None:
    length = calendar.boundary(day + DAY) - calendar.boundary(day)
    assert 22 * HOUR <= length <= 26 * HOUR  # only Troll, whose clocks jump two hours, reaches either end
    assert calendar.zone == "Antarctica/Troll" or 22 * HOUR < length < 26 * HOUR
    assert calendar.day_of(calendar.boundary(day)) == day


ZONE_NAMES = [
    ("Europe/Prague", True),
    ("UTC", True),
    ("", False),
    ("Europe", False),
    ("Europe/Atlantis", False),
    ("../etc/passwd", False),
    ("/etc/localtime", False),
    ("localtime", False),
    ("Europe/Prague\0", False),
]


@pytest.mark.parametrize(("text", "known"), ZONE_NAMES, ids=[repr(text) for text, _ in ZONE_NAMES])
def test_only_iana_names_are_zones(text: str, known: bool) -> None:
    assert is_zone(text) is known


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles"])
def process_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    process_time.tzset()
    yield request.param
    monkeypatch.undo()
    process_time.tzset()


@pytest.mark.usefixtures("process_zone")
def test_the_zone_of_the_process_makes_no_difference() -> None:
    assert NEW_YORK_CLOSE.boundary(date(2026, 3, 6)) == utc("2026-03-06T22:00")
    assert NEW_YORK_CLOSE.day_of(utc("2026-03-06T21:59")) == date(2026, 3, 5)
