"""Quotes as they are handed in: one scalar, for built field by field a thousand of them take a tenth of a second."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from domain.quotes import Quote
from schema.errors import BadUserInput
from schema.scalars import parse_instant

NUMBER_LENGTH_MAX = 64
SYMBOL_LENGTH_MAX = 32
NOT_A_NUMBER = Decimal("NaN")
FIELDS = ("symbol", "bid", "ask", "time")

QuoteList = NewType("QuoteList", list[Quote])

_instant = lru_cache(maxsize=1024)(parse_instant)  # many quotes of a list bear the same


def parse_quotes(value: Any) -> QuoteList:
    """Quotes from objects of text. Raises BadUserInput naming the place of the first that is no such object."""
    if not isinstance(value, list):
        raise BadUserInput(f"QuoteList must be a list of objects; found {repr(value)[:64]}.")
    return QuoteList([_quote(place, one) for place, one in enumerate(value)])


def _quote(place: int, given: Any) -> Quote:
    if not isinstance(given, Mapping) or len(given) != len(FIELDS):
        raise BadUserInput(f"quotes[{place}] must have {', '.join(FIELDS)} and nothing else; found {repr(given)[:64]}.")
    try:
        symbol, bid, ask, time = (given[name] for name in FIELDS)
    except KeyError as missing:
        raise BadUserInput(f"quotes[{place}] has no {missing.args[0]}.") from None
    if not (type(symbol) is type(bid) is type(ask) is type(time) is str):
        raise BadUserInput(f'quotes[{place}]: {", ".join(FIELDS)} must be text, such as "1.0834".')
    return Quote(_symbol(symbol), _price(bid), _price(ask), _time(place, time))


@lru_cache(maxsize=4096)
def _symbol(text: str) -> str:
    """One that is too long is kept one letter too long: cut to the length of a symbol it might become another."""
    return text[: SYMBOL_LENGTH_MAX + 1] if text.isprintable() else "?"


def _price(text: str) -> Decimal:
    """The number, or one that is dropped as such: a bad quote spoils no other."""
    if len(text) > NUMBER_LENGTH_MAX or not text.isascii() or "_" in text or text != text.strip():
        return NOT_A_NUMBER  # Decimal would read digits of other scripts, spaces around and underscores within
    try:
        return Decimal(text)
    except InvalidOperation:
        return NOT_A_NUMBER


def _time(place: int, text: str) -> datetime:
    try:
        return _instant(text)
    except BadUserInput as fault:
        raise BadUserInput(f"quotes[{place}].time: {fault.message}") from None


def _refuse(_value: Any) -> Any:
    raise BadUserInput("QuoteList is only taken in.")


QUOTE_SCALARS: dict[object, ScalarDefinition] = {
    QuoteList: strawberry.scalar(
        name="QuoteList",
        description=(
            "Quotes as a list of objects, each of `symbol`, `bid`, `ask` (decimals as text) and `time` (RFC 3339 text "
            'with an offset): {symbol: "EURUSD", bid: "1.0834", ask: "1.0835", time: "2026-03-02T12:00:00Z"}.'
        ),
        serialize=_refuse,
        parse_value=parse_quotes,
    ),
}
