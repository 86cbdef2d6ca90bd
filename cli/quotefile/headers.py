"""The header of a quote file: which column is what, and the time zone that it may name."""

import re
from collections.abc import Sequence

from cli.quotefile.layouts import DAYS, NAMES, OHLC, letters
from cli.quotefile.zones import Zone, parse_zone

_PARENTHESES = re.compile(r"[(\[]([^)\]]*)[)\]]")
_ZONE = re.compile(
    r"(?<![a-z])((?:utc|gmt)(?:\s*[+-]\d{1,2}(?::?\d{2})?)?|e[es]t|cet|wet|cst|mst|pst|jst|msk)(?![a-z])"
)
_NOISE = frozenset((
    "utc", "gmt", "eet", "est", "cet", "wet", "cst", "mst", "pst", "jst", "msk", "ms", "us", "ns", "sec", "secs",
    "seconds", "milliseconds", "epoch",
))  # fmt: skip


def names_in(cell: str) -> tuple[str, str]:
    """A header's cell as its letters and digits, and the same without what says a zone or a unit: `ts_utc_ms`, `ts`."""
    text = cell.lower()
    words = re.findall(r"[a-z0-9]+", _ZONE.sub(" ", _PARENTHESES.sub(" ", text)))
    whole = "".join(re.findall(r"[a-z0-9]+", text))
    return whole, "".join(word for word in words if word not in _NOISE) or whole


def names_of(cells: Sequence[str]) -> frozenset[str]:
    """Every name by which the header may be recognised; what goes by another name than usual by the usual one too."""
    usual = columns_of(cells).keys() - {"time", "clock", "price"}
    return frozenset(name for cell in cells for name in names_in(cell)) | usual


def is_header(cells: Sequence[str], delimiter: str) -> bool:
    """Return whether the first row is a header: it has neither a number nor a time."""
    return len(cells) > 1 and set(letters(cells, delimiter)) <= {"s", "x"}


def columns_of(cells: Sequence[str]) -> dict[str, int]:
    """The columns by what they hold; a date and a time that stand apart are `time` and `clock`."""
    places: dict[str, int] = {}
    for place, cell in reversed(list(enumerate(cells))):
        places |= dict.fromkeys(names_in(cell), place)
    columns = {
        role: next(places[name] for name in names if name in places)
        for role, names in NAMES.items()
        if any(name in places for name in names)
    }
    day = next((places[name] for name in DAYS if name in places), None)
    if day is not None and names_in(cells[columns["time"]])[1] == "time":
        columns["time"] = day
    if columns.get("clock") == columns.get("time") or day is None or columns.get("time") != day:
        columns.pop("clock", None)
    if {"open", "high", "low", "price"} <= columns.keys():
        columns.setdefault("close", columns["price"])  # as Investing.com calls it
    if not columns.keys() >= {*OHLC}:
        columns = {role: place for role, place in columns.items() if role not in OHLC or role == "close"}
        columns.setdefault("price", columns.pop("close", -1))
    return {role: place for role, place in columns.items() if place >= 0}


def zone_in(cell: str) -> Zone | None:
    """The zone that the header of a time names: `Gmt time`, `Time (EET)`, `ts_utc_ms`; None where it names none."""
    for text in _PARENTHESES.findall(cell):
        if zone := parse_zone(text):
            return zone
    match = _ZONE.search(cell.lower().replace("_", " "))
    return parse_zone(match[1].upper()) if match else None
