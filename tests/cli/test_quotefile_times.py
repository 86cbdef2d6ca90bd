"""The times of quote files: every unit and way to write a date, zones with their clock changes, and what is refused."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.quotefile import Options
from cli.quotefile.times import NoTime, TextClock, read_text
from cli.quotefile.zones import parse_zone
from tests.cli.quotefiles import a_file, quotes, refusal

LOCALS = st.datetimes(datetime.fromisoformat("2000-01-02"), datetime.fromisoformat("2099-12-30"))

WRITTEN = [  # the 13th of March 2026, 09:00:00.250 UTC
    ("seconds", "1773392400.25", "1773392401.5"),
    ("seconds with an exponent", "1.77339240025e9", "1.7733924015e9"),
    ("milliseconds", "1773392400250", "1773392401500"),
    ("microseconds", "1773392400250000", "1773392401500000"),
    ("nanoseconds", "1773392400250000000", "1773392401500000000"),
    ("ISO 8601", "2026-03-13T09:00:00.25Z", "2026-03-13T09:00:01.5Z"),
    ("with an offset", "2026-03-13T14:30:00.250+05:30", "2026-03-13T14:30:01.500+05:30"),
    ("with another offset", "2026-03-13 04:00:00.250 -0500", "2026-03-13 04:00:01.500 -0500"),
    ("with nanoseconds", "2026-03-13 09:00:00.250000000", "2026-03-13 09:00:01.500000000"),
    ("with UTC", "2026-03-13 09:00:00.250 UTC", "2026-03-13 09:00:01.500 UTC"),
    ("with GMT and hours", "13.03.2026 11:00:00.250 GMT+0200", "13.03.2026 11:00:01.500 GMT+0200"),
    ("dots", "2026.03.13 09:00:00.250", "2026.03.13 09:00:01.500"),
    ("slashes", "2026/03/13 09:00:00.250", "2026/03/13 09:00:01.500"),
    ("day first, dots", "13.03.2026 09:00:00.250", "13.03.2026 09:00:01.500"),
    ("day first, slashes", "13/03/2026 09:00:00.250", "13/03/2026 09:00:01.500"),
    ("month first", "03/13/2026 09:00:00.250", "03/13/2026 09:00:01.500"),
    ("month first, short", "3/13/2026 9:00:00.250 AM", "3/13/2026 9:00:01.500 AM"),
    ("names", "13 Mar 2026 09:00:00.250", "13 Mar 2026 09:00:01.500"),
    ("names, month first", "March 13, 2026 09:00:00.250", "March 13, 2026 09:00:01.500"),
    ("digits", "20260313090000250", "20260313090001500"),
    ("digits in two", "20260313 090000250", "20260313 090001500"),
]


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in WRITTEN], ids=[case[0] for case in WRITTEN])
def test_the_same_instants_however_they_are_written(tmp_path: Path, first: str, second: str) -> None:
    path = a_file(tmp_path, f'time;symbol;bid;ask\n"{first}";EURUSD;1.1;1.2\n"{second}";EURUSD;1.1;1.2\n')
    assert [row[0] for row in quotes(path)] == ["13T09:00:00.250", "13T09:00:01.500"]


def test_a_date_and_a_time_may_stand_apart(tmp_path: Path) -> None:
    path = a_file(tmp_path, "Date,Time,Bid,Ask\n20260313,090000,1.1,1.2\n20260313,09:00:01,1.1,1.2\n", "EURUSD.csv")
    assert [row[0] for row in quotes(path)] == ["13T09:00:00", "13T09:00:01"]


def test_a_date_that_may_be_two_days_is_asked_about(tmp_path: Path) -> None:
    rows = "time,symbol,bid,ask\n03/02/2026 09:00,EURUSD,1.1,1.2\n"
    path = a_file(tmp_path, rows)
    assert "03/02/2026 09:00 may be two days; say --dates day-first or --dates month-first" in refusal(path)
    for dates, month in (("day-first", 2), ("month-first", 3)):
        assert quotes(path, Options(dates=dates))[0][0] == f"{5 - month:02}T09:00:00"
    shown = rows + "".join(f"03/{day:02}/2026 09:00,EURUSD,1.1,1.2\n" for day in range(2, 14))
    assert quotes(a_file(tmp_path, shown))[-1][0] == "13T09:00:00", "a later row shows it"
    many = rows + "03/02/2026 09:00,EURUSD,1.1,1.2\n" * 1_000 + "04/13/2026 09:00,EURUSD,1.1,1.2\n"
    assert quotes(a_file(tmp_path, many))[-1][0] == "13T09:00:00", "however late"


ZONES = [
    (None, "time", "02T09:00:00"),
    ("Europe/Berlin", "time", "02T08:00:00"),
    ("GMT+3", "time", "02T06:00:00"),
    ("-05:00", "time", "02T14:00:00"),
    ("America/New_York+7", "time", "02T07:00:00"),
    ("Europe/Berlin", "Gmt time", "02T09:00:00"),
    (None, "Time (EET)", "02T07:00:00"),
    (None, "time_utc", "02T09:00:00"),
    (None, "Time [America/New_York]", "02T14:00:00"),
    (None, "Date UTC+2", "02T07:00:00"),
]


@pytest.mark.parametrize(("zone", "header", "moment"), ZONES)
def test_local_times_are_of_the_headers_zone_or_the_callers(
    tmp_path: Path, zone: str | None, header: str, moment: str
) -> None:
    path = a_file(tmp_path, f"{header},symbol,bid,ask\n2026-03-02 09:00:00,EURUSD,1.1,1.2\n")
    assert quotes(path, Options(zone=zone))[0][0] == moment


def test_the_hour_that_comes_twice_is_told_apart_by_the_order_of_the_rows(tmp_path: Path) -> None:
    local = ["01:30", "02:30", "02:59", "02:00", "02:30", "03:00"]
    rows = "".join(f"2026-10-25 {clock}:00,EURUSD,1.1,1.2\n" for clock in local)
    path = a_file(tmp_path, "time,symbol,bid,ask\n" + rows)
    assert [row[0] for row in quotes(path, Options(zone="Europe/Berlin"))] == [
        "24T23:30:00", "25T00:30:00", "25T00:59:00", "25T01:00:00", "25T01:30:00", "25T02:00:00",
    ]  # fmt: skip


def test_an_hour_that_clocks_leap_over_is_a_bad_row(tmp_path: Path) -> None:
    path = a_file(tmp_path, "time,symbol,bid,ask\n2026-03-29 01:59,EURUSD,1,2\n2026-03-29 02:30,EURUSD,1,2\n")
    assert "line 3: the time is a time that clocks of Europe/Berlin leap over" in refusal(
        path, Options(zone="Europe/Berlin")
    )
    assert len(quotes(path)) == 2, "there is such an hour in UTC"


def test_most_brokers_days_begin_when_new_york_closes() -> None:
    broker = parse_zone("America/New_York+7")
    assert broker
    for day, hour in (("2026-03-06", 22), ("2026-03-09", 21), ("2026-10-31", 21), ("2026-11-02", 22)):
        (midnight,) = broker.instants(datetime.fromisoformat(day))
        assert midnight.hour == hour


BAD = [
    ("no such day", "2026-02-30 09:00:00", "is no date"),
    ("a leap second", "2026-03-02 23:59:60", "is no time"),
    ("no hour", "2026-03-02 25:00:00", "is no time"),
    ("before 2000", "1999-12-31 23:59:59", "not between 2000 and 2100"),
    ("two digits of a year", "02.03.26 09:00", "is no time"),
    ("a zone nobody knows", "2026-03-02 09:00:00 XYZ", "has a zone nobody knows"),
    ("a word", "noon", "is no time"),
    ("nothing", "", "is no time"),
]


@pytest.mark.parametrize(("text", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_time_that_cannot_be_meant_is_a_bad_row(tmp_path: Path, text: str, reason: str) -> None:
    path = a_file(tmp_path, f"time,symbol,bid,ask\n2026-03-02 09:00:00,EURUSD,1,2\n{text},EURUSD,1,2\n")
    told = refusal(path)
    assert "line 3: the time " in told
    assert reason in told


@given(
    LOCALS,
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_at_each_of_its_instants_clocks_show_the_local_time(local: datetime, name: str) -> None:
    zone = parse_zone(name)
    assert zone
    shown = [instant.astimezone(ZoneInfo(name)).replace(tzinfo=None) for instant in zone.instants(local)]
    assert shown in ([], [local], [local, local])


@given(
    LOCALS,
    st.sampled_from(["%Y-%m-%dT%H:%M:%S.%f", "%Y.%m.%d %H:%M:%S.%f", "%d/%m/%Y %H:%M:%S.%f", "%Y%m%d %H%M%S%f"]),
)
def test_what_is_written_is_what_is_read(moment: datetime, form: str) -> None:
    order = "day-first" if form.startswith("%d") else None
    assert read_text(moment.strftime(form), order).local == moment


@given(st.text(max_size=40) | st.from_regex(r"[0-9 :./-]{1,30}", fullmatch=True))
def test_whatever_the_text_it_is_a_time_or_refused(text: str) -> None:
    zone = parse_zone("Europe/Berlin")
    assert zone
    try:
        instant = TextClock(zone, None).read(text, None)
    except NoTime:
        return
    assert datetime(2000, 1, 1, tzinfo=UTC) <= instant < datetime(2100, 1, 1, tzinfo=UTC)
