"""Time zones as files, brokers and their papers name them."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MINUTE = timedelta(minutes=1)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII | re.IGNORECASE)
_SHIFTED = re.compile(r"([A-Za-z_]+/[A-Za-z_/]+)([+-]\d{1,2})", re.ASCII)
_FIXED = {"Z": 0, "UTC": 0, "GMT": 0, "EST": -5, "CST": -6, "MST": -7, "PST": -8, "JST": 9, "MSK": 3}  # in hours
_NAMES = {"EET": "Europe/Helsinki", "CET": "Europe/Berlin", "WET": "Europe/Lisbon"}


class Zone:
    """The zone of a file's local times: an IANA zone or a fixed offset, shifted by `shift`.

    Most MetaTrader servers keep New York's time and seven hours: their day begins when New York closes.
    """

    def __init__(self, name: str, zone: tzinfo, shift: timedelta = timedelta(0)) -> None:
        self.name, self._zone, self._shift = name, zone, shift
        self._offsets = lru_cache(maxsize=4096)(self._offsets_of)  # by minute: rows of a minute share theirs

    def __str__(self) -> str:
        return self.name

    def instants(self, local: datetime) -> tuple[datetime, ...]:
        """The instants at which clocks there show `local`: one, two when clocks went back, none when they leapt."""
        seconds = timedelta(seconds=local.second, microseconds=local.microsecond)
        return tuple(instant + seconds for instant in self._offsets(local - seconds))

    def _offsets_of(self, minute: datetime) -> tuple[datetime, ...]:
        shown = minute - self._shift
        instants = []
        for fold in (0, 1):
            instant = shown.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
            if instant.astimezone(self._zone).replace(tzinfo=None) == shown and instant not in instants:
                instants.append(instant)
        return tuple(instants)


UTC_ZONE = Zone("UTC", UTC)


def parse_zone(text: str) -> Zone | None:
    """The zone named: Europe/Berlin, America/New_York+7, GMT+3 (three hours ahead, as firms print it), EST; or None."""
    text = text.strip()
    if text.upper() in _FIXED:
        return _fixed(text.upper(), timedelta(hours=_FIXED[text.upper()]))
    if match := _OFFSET.fullmatch(text):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return None if offset > timedelta(hours=14) else _fixed(text, -offset if sign == "-" else offset)
    if zone := _iana(_NAMES.get(text.upper(), text)):
        return Zone(text, zone)
    if (match := _SHIFTED.fullmatch(text)) and (zone := _iana(match[1])):
        return Zone(text, zone, timedelta(hours=int(match[2])))
    return None


def _fixed(name: str, offset: timedelta) -> Zone:
    return Zone(name if offset else "UTC", timezone(offset) if offset else UTC)


def _iana(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
