"""The times of a quote file: seconds to nanoseconds since 1970, ISO 8601, dates of any order, hours of a named day."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from cli.quotefile.zones import UTC_ZONE, Zone, parse_zone

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_COUNT = re.compile(r"\d{1,19}(\.\d*)?(e\+?\d{1,2})?", re.ASCII | re.IGNORECASE)
_DATES = tuple(
    re.compile(text, re.ASCII)
    for text in (
        r"(?P<year>\d{4})[-./](?P<month>\d{1,2})[-./](?P<day>\d{1,2})(?!\d)",
        r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>[0-3]\d)",  # 20260302, a time may follow
        r"(?P<first>\d{1,2})(?P<mark>[-./])(?P<second>\d{1,2})[-./](?P<year>\d{4})(?!\d)",
        r"(?P<day>\d{1,2})[- /]?(?P<name>[A-Za-z]{3,9})[-, /]+(?P<year>\d{4})(?!\d)",  # 2 Mar 2026
        r"(?P<name>[A-Za-z]{3,9})[- /](?P<day>\d{1,2}),?[- /](?P<year>\d{4})(?!\d)",  # Mar 2, 2026
    )
)
_CLOCK = re.compile(
    r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,:]?(\d{1,9}))?)?\s*([AaPp][Mm])?"
    r"\s*(Z|(?:UTC|GMT)?\s?[+-]\d{1,2}(?::?\d{2})?|[A-Z]{3,4})?",
    re.ASCII,
)


class NoTime(Exception):
    """The text is no time, or one that cannot be meant."""


class Moment(NamedTuple):
    """A time as written: local, with its offset where the text has one."""

    local: datetime
    zone: Zone | None = None


class EpochClock:
    """Counts of one unit since 1970."""

    zone: Zone = UTC_ZONE

    def __init__(self, unit: str) -> None:
        self.name = f"{unit} since 1970"
        self._per_second = UNITS[unit]

    def read(self, text: str, _after: datetime | None) -> datetime:
        """The instant, cut to microseconds. Raises NoTime."""
        if not _COUNT.fullmatch(text):
            raise NoTime(f"is not a number of {self.name}: {text[:40]!r}")
        count = int(text) if text.isdecimal() else Decimal(text)
        return _plausible(text, EPOCH + timedelta(microseconds=_capped(count * 10**6 // self._per_second)))


class TextClock:
    """Dates and times as text; local ones are of `zone`."""

    def __init__(self, zone: Zone, order: str | None) -> None:
        self.zone, self._order = zone, order
        self.name = "dates and times" + (f", {order}" if order else "")

    def read(self, text: str, after: datetime | None) -> datetime:
        """The instant. Of the two that a local time means when clocks go back, the first not before `after`."""
        moment = read_text(text, self._order)
        zone = moment.zone or self.zone
        instants = zone.instants(moment.local)
        if not instants:
            raise NoTime(f"is a time that clocks of {zone} leap over: {text}")
        return _plausible(text, next((one for one in instants if after is None or one >= after), instants[-1]))


class MidnightClock:
    """Milliseconds since the midnight of a day, which the file's name tells."""

    def __init__(self, zone: Zone, day: date) -> None:
        self.zone, self._midnight = zone, datetime.combine(day, time.min)
        self.name = f"milliseconds since {day:%Y-%m-%d} 00:00"

    def read(self, text: str, _after: datetime | None) -> datetime:
        if not text.isdecimal() or int(text) > 86_400_000:
            raise NoTime(f"is not a number of {self.name}: {text[:40]!r}")
        return _plausible(text, self.zone.instants(self._midnight + timedelta(milliseconds=int(text)))[0])


Clock = EpochClock | TextClock | MidnightClock


def _plausible(text: str, instant: datetime) -> datetime:
    if not EARLIEST <= instant < LATEST:
        raise NoTime(f"is {instant:%Y-%m-%d %H:%M:%S}, not between {EARLIEST:%Y} and {LATEST:%Y}: {text[:40]!r}")
    return instant


def _capped(microseconds: int | Decimal) -> int:
    return min(int(microseconds), 250_000_000_000 * 10**6)  # in the year 9892; timedelta and datetime hold it


def unit_of(text: str) -> str | None:
    """The unit in which the count lies between 2000 and 2100; None where it does in none, or is no count."""
    if not _COUNT.fullmatch(text):
        return None
    count = Decimal(text)
    for unit, per_second in UNITS.items():
        if EARLIEST.timestamp() <= count / per_second < LATEST.timestamp():
            return unit
    return None


def explain(text: str) -> str:
    """The reason why a text is not a quote's time."""
    if not _COUNT.fullmatch(text):
        return f"is none: {text[:40]!r}"
    shown = ", ".join(
        f"{EPOCH + timedelta(microseconds=_capped(Decimal(text) * 10**6 / per)):%Y-%m-%d} in {unit}"
        for unit, per in UNITS.items()
    )
    return f"lies in no unit between {EARLIEST:%Y} and {LATEST:%Y}: {text[:40]} is {shown}"


def is_time(text: str) -> bool:
    """May it be a time of any kind?"""
    return unit_of(text) is not None or is_date(text)


def is_date(text: str) -> bool:
    """Does it begin with a date? A number of 8, 14 or 17 digits may be one, other numbers are none."""
    match = _match_date(text)
    if match is None:
        return False
    return not text.isdecimal() or len(text) in (8, 14, 17)


def order_of(text: str) -> str | None:
    """Whether the date's day or its month comes first, where the date shows it; with points it is the day."""
    match = _match_date(text)
    if match is None or "first" not in match.groupdict():
        return None
    if int(match["first"]) > 12 or match["mark"] == ".":
        return MONTH_FIRST if int(match["second"]) > 12 else DAY_FIRST
    return MONTH_FIRST if int(match["second"]) > 12 else None


def needs_order(text: str) -> bool:
    """Return whether the date begins with a day or a month in digits."""
    match = _match_date(text)
    return match is not None and "first" in match.groupdict()


def _match_date(text: str) -> re.Match[str] | None:
    return next((match for pattern in _DATES if (match := pattern.match(text))), None)


def read_text(text: str, order: str | None) -> Moment:
    """The time as written. Raises NoTime."""
    if text[4:5] == "-":
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return Moment(instant.replace(tzinfo=None), _fixed(instant.utcoffset()))
    match = _match_date(text)
    if match is None:
        raise NoTime(f"is no time: {text[:40]!r}")
    day, clock = _date(match[0], order), text[match.end() :].lstrip(" T,-")
    if not clock:
        return Moment(datetime.combine(day, time.min))
    parts = _CLOCK.fullmatch(clock)
    if parts is None:
        raise NoTime(f"is no time: {text[:40]!r}")
    hours, minutes, seconds, fraction, half, offset = parts.groups()
    hour = int(hours) if half is None else int(hours) % 12 + (12 if half.lower() == "pm" else 0)
    try:
        at = time(hour, int(minutes), int(seconds or 0), int((fraction or "0")[:6].ljust(6, "0")))
    except ValueError:
        raise NoTime(f"is no time: {text[:40]!r}") from None
    return Moment(datetime.combine(day, at), None if offset is None else _zone(offset))


@lru_cache(maxsize=1024)
def _date(text: str, order: str | None) -> date:
    match = _match_date(text)
    assert match, "only a date is read"
    parts = match.groupdict()
    if "first" in parts:
        day, month = (parts["first"], parts["second"])[:: -1 if order == MONTH_FIRST else 1]
    else:
        day, month = parts["day"], parts.get("month") or ""
    try:
        number = int(month) if month else MONTHS.index(parts["name"][:3].lower()) + 1
        return date(int(parts["year"]), number, int(day))
    except ValueError:
        raise NoTime(f"is no date: {text!r}" + (f" ({order})" if order else "")) from None


@lru_cache(maxsize=64)
def _fixed(offset: timedelta | None) -> Zone | None:
    return None if offset is None else Zone(str(timezone(offset)), timezone(offset))


@lru_cache(maxsize=64)
def _zone(text: str) -> Zone:
    zone = parse_zone(text)
    if zone is None:
        raise NoTime(f"has a zone nobody knows: {text!r}")
    return zone
