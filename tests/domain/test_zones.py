"""Zones as firms print them, the reversed sign of Etc/GMT, and the days to come."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Calendar, is_zone, offset_of, zone_warning

OFFSETS = [
    ("GMT+3", 180), ("gmt+3", 180), ("UTC+3", 180), ("UTC +3", 180), ("GMT-5", -300), ("UTC+05:30", 330),
    ("UTC+530", 330), ("UTC+5:45", 345), ("GMT+14", 840), ("UTC-12", -720), ("UTC+0", 0), ("GMT+02", 120),
]  # fmt: skip


@pytest.mark.parametrize(("text", "minutes"), OFFSETS)
def test_an_offset_is_understood_as_firms_print_it(text: str, minutes: int) -> None:
    assert offset_of(text) == timedelta(minutes=minutes)
    assert is_zone(text)
    midnight = Calendar(text, time(0)).next_boundary(datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert midnight in {datetime(2026, 7, day, tzinfo=UTC) - timedelta(minutes=minutes) for day in (1, 2, 3)}


@pytest.mark.parametrize(
    "text", ["GMT+15", "UTC-13", "GMT+3:60", "GMT3", "+3", "GMT+", "GMT+3 ", "EET+3", "localtime", ""]
)
def test_what_is_no_zone_is_none(text: str) -> None:
    assert not is_zone(text)


REVERSED = "the sign of an Etc/GMT zone is reversed"
WARNED = [
    ("Etc/GMT+3", f"Etc/GMT+3 is UTC-3: {REVERSED}. If the firm prints GMT+3, write GMT+3."),
    ("Etc/GMT-2", f"Etc/GMT-2 is UTC+2: {REVERSED}. If the firm prints GMT-2, write GMT-2."),
    ("Etc/GMT", None), ("Etc/GMT+0", None), ("GMT+3", None), ("GMT", None), ("America/New_York", None),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "warning"), WARNED)
def test_the_reversed_sign_of_etc_is_warned_of(zone: str, warning: str | None) -> None:
    assert zone_warning(zone) == warning


@given(st.sampled_from(["Etc/GMT+3", "Etc/GMT-11", "Etc/GMT-14", "Etc/GMT+12"]))
def test_a_warning_says_what_the_zone_does(zone: str) -> None:
    days = Calendar(zone, time(0)).days_after(datetime(2026, 1, 1, tzinfo=UTC))
    offset = next(days).begins.utcoffset()
    warning = zone_warning(zone)
    assert warning and offset is not None
    assert f"{zone} is UTC{offset // timedelta(hours=1):+d}:" in warning


def test_the_days_to_come_keep_the_local_time_over_a_change_of_the_clocks() -> None:
    friday = datetime(2026, 3, 6, 12, tzinfo=UTC)
    days = list(islice(Calendar("America/New_York", time(17)).days_after(friday), 4))
    assert [(str(day.name), day.begins.isoformat(), day.length // timedelta(hours=1)) for day in days] == [
        ("2026-03-07", "2026-03-06T17:00:00-05:00", 24),
        ("2026-03-08", "2026-03-07T17:00:00-05:00", 23),
        ("2026-03-09", "2026-03-08T17:00:00-04:00", 24),
        ("2026-03-10", "2026-03-09T17:00:00-04:00", 24),
    ]
    assert all(day.ends == following.begins for day, following in pairwise(days))
    at_begin = next(Calendar("America/New_York", time(17)).days_after(days[0].begins))
    assert at_begin == days[1], "a day that has just begun is not to come"
