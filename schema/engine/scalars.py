"""Scalars with strict input: decimals as text, instants with an offset, dates, 53-bit integers, JSON."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from domain.money import NotAnAmount, parse, plain
from schema.engine.errors import BadUserInput

# For counters without end: positions, versions, batches. GraphQL's Int ends at 2**31, which a busy desk reaches.
if TYPE_CHECKING:
    Long = int
else:
    Long = NewType("Long", int)

LONG_MAX = 2**53 - 1  # the largest integer that every JSON parser reads exactly

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _parse_long(value: Any) -> int:
    if type(value) is not int or abs(value) > LONG_MAX:
        raise BadUserInput(f"Long must be a whole number within {LONG_MAX} of 0; found {repr(value)[:64]}.")
    return value


def _long(value: int) -> int:
    assert type(value) is int and abs(value) <= LONG_MAX, "counters stay below it"
    return value


def _parse_decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise BadUserInput(
            f'Decimal must be text, such as "1.5", because a JSON number can lose digits; found {value!r}.'
        )
    try:
        return parse(value)
    except NotAnAmount as fault:
        raise BadUserInput(f"Decimal {fault}.") from None


def parse_instant(value: Any) -> datetime:
    """Return the instant of RFC 3339 text with an offset. Raises BadUserInput."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        shown = repr(value)[:64]
        raise BadUserInput(f'DateTime must be text with an offset, such as "2026-01-31T09:30:00Z"; found {shown}.')
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUserInput(f"DateTime {value} is not a date and time of the calendar.") from None


def _parse_date(value: Any) -> date:
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of the calendar has no zone
    except (TypeError, ValueError):
        raise BadUserInput(f'Date must be text such as "2026-01-31"; found {repr(value)[:64]}.') from None


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _refuse(_value: Any) -> Any:
    raise BadUserInput("JSON can only be selected, not sent.")


SCALARS: dict[object, ScalarDefinition] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description="Exact decimal number as text in plain notation, such as `1.5`, never a JSON number. Input has "
        "at most 8 decimal places.",
        serialize=plain,
        parse_value=_parse_decimal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="Instant as RFC 3339 text with an offset. Output is in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime.isoformat,
        parse_value=parse_instant,
    ),
    Long: strawberry.scalar(
        name="Long",
        description="Whole number of at most 53 bits as a JSON number: larger than Int, exact in every JSON parser.",
        serialize=_long,
        parse_value=_parse_long,
    ),
    date: strawberry.scalar(
        name="Date",
        description="Calendar day, YYYY-MM-DD.",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Recorded facts for people and auditors: an object of texts, whole numbers, booleans and nulls. "
        "Output only.",
        serialize=_json,
        parse_value=_refuse,
    ),
}
