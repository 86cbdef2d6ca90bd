"""Trading days: an IANA zone and a local start time cut the time line into days of 23, 24 or 25 hours."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
HALF_DAY = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A program's days. A day is known by its start date and bears the local date twelve hours later."""

    zone: str
    day_start: time  # local, without a zone of its own

    def boundary(self, day: date) -> datetime:
        """The UTC instant at which the day with this start date begins.

        A start time that occurs twice means the first (fold 0); a midnight the clocks skip means the instant
        of the change, which is what the offset before the change makes of it.
        """
        return datetime.combine(day, self.day_start, _zone(self.zone)).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """The start date d with boundary(d) <= moment < boundary(d + 1). The moment has an offset."""
        assert moment.tzinfo is not None, "an instant has an offset"
        day = moment.astimezone(_zone(self.zone)).date()
        while moment < self.boundary(day):
            day -= DAY
        while self.boundary(day + DAY) <= moment:
            day += DAY
        return day

    def next_boundary(self, moment: datetime) -> datetime:
        """The first boundary strictly later than the moment."""
        return self.boundary(self.day_of(moment) + DAY)

    def name_of(self, day: date) -> date:
        """The trading day's name: a day that starts at 17:00 on Sunday is Monday's."""
        return (datetime.combine(day, self.day_start) + HALF_DAY).date()


def is_zone(text: str) -> bool:
    """Is it the name of an IANA zone? The machine's own `localtime` is none: it means something else elsewhere."""
    return text in _zones() and text != "localtime"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """Cached, because asking walks the whole time zone database."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    """Cached strongly: ZoneInfo itself keeps only the last eight."""
    return ZoneInfo(name)
