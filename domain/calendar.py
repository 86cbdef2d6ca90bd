"""Trading days: a zone and a local start time cut the time line into days of 23, 24 or 25 hours.

A zone is an IANA name, or a fixed offset from UTC as firms print it: GMT+3 and UTC+3 are three hours ahead of UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import count
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
HALF_DAY = timedelta(hours=12)

_OFFSET = re.compile(r"(?:GMT|UTC) ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?", re.IGNORECASE)
_EARLIEST, _LATEST = timedelta(hours=-12), timedelta(hours=14)  # the offsets in use, from Baker Island to Kiribati
_ETC = re.compile(r"Etc/GMT(?P<sign>[+-])(?P<hours>[1-9]\d?)")


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day by its name; `begins` and `ends` are local times with their offset, `ends` is the next day's begin."""

    name: date
    begins: datetime
    ends: datetime

    @property
    def length(self) -> timedelta:
        """The length of the day: not 24 hours when the clocks change."""
        return self.ends.astimezone(UTC) - self.begins.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A program's days. A day is known by its start date and bears the local date twelve hours later."""

    zone: str
    day_start: time  # local, without a zone of its own

    def boundary(self, day: date) -> datetime:
        """Return the UTC instant at which the day with this start date begins.

        A start time that occurs twice means the first (fold 0); a midnight the clocks skip means the instant
        of the change, which is what the offset before the change makes of it.
        """
        return datetime.combine(day, self.day_start, _zone(self.zone)).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """Return the start date d with boundary(d) <= moment < boundary(d + 1). The moment has an offset."""
        assert moment.tzinfo is not None, "an instant has an offset"
        day = moment.astimezone(_zone(self.zone)).date()
        while moment < self.boundary(day):
            day -= DAY
        while self.boundary(day + DAY) <= moment:
            day += DAY
        return day

    def next_boundary(self, moment: datetime) -> datetime:
        """Return the first boundary strictly later than the moment."""
        return self.boundary(self.day_of(moment) + DAY)

    def name_of(self, day: date) -> date:
        """Return the trading day's name: a day that starts at 17:00 on Sunday is Monday's."""
        return (datetime.combine(day, self.day_start) + HALF_DAY).date()

    def days_after(self, moment: datetime) -> Iterator[CalendarDay]:
        """Yield the days that begin strictly later than the moment, in order."""
        first, zone = self.day_of(moment) + DAY, _zone(self.zone)
        for place in count():
            day = first + place * DAY
            begins, ends = (self.boundary(one).astimezone(zone) for one in (day, day + DAY))
            yield CalendarDay(self.name_of(day), begins, ends)


def is_zone(text: str) -> bool:
    """Return whether the text is an IANA name or a fixed offset. `localtime` is neither."""
    return (text in _zones() and text != "localtime") or offset_of(text) is not None


def offset_of(text: str) -> timedelta | None:
    """Return the offset of a text such as `GMT+3` or `UTC-05:30`; None for other texts and for offsets not in use."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    size = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    offset = -size if match["sign"] == "-" else size
    return offset if _EARLIEST <= offset <= _LATEST else None


def zone_warning(text: str) -> str | None:
    """Return a warning for an Etc/GMT zone, whose sign IANA reverses; None for any other zone."""
    match = _ETC.fullmatch(text)
    if match is None:
        return None
    ahead, hours = match["sign"] == "-", match["hours"]
    meant, other = ("UTC+", "GMT-") if ahead else ("UTC-", "GMT+")
    return (
        f"{text} is {meant}{hours}: the sign of an Etc/GMT zone is reversed. "
        f"If the firm prints {other}{hours}, write {other}{hours}."
    )


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """Cached, because asking walks the whole time zone database."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    """Cached strongly: ZoneInfo itself keeps only the last eight."""
    if name in _zones():
        return ZoneInfo(name)
    offset = offset_of(name)
    assert offset is not None, "the zone was checked when the program was saved"
    return timezone(offset)
