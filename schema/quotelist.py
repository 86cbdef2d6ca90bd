"""The scalar QuoteList: a list of quotes parsed in one step. As input objects, a thousand quotes would take a tenth
of a second.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from domain.proposals import NotText
from domain.quotes import Dropped, Quote
from schema.engine.errors import BadUserInput
from schema.engine.item_errors import text_of
from schema.engine.scalars import parse_instant

NUMBER_LENGTH_MAX = 64
SYMBOL_LENGTH_MAX = 32
NOT_A_NUMBER = Decimal("NaN")
FIELDS = 4  # symbol, bid, ask, time
NO_SYMBOL = "?"  # stands for the symbol of an item without one

_instant = lru_cache(maxsize=1024)(parse_instant)  # many quotes of a list have the same time


class ParsedQuotes(list[Quote]):
    """Parsed quotes; `unreadable` has symbol and reason of each item that is not a quote."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: list[tuple[str, Dropped]] = []


QuoteList = NewType("QuoteList", ParsedQuotes)


class _UnreadableQuote(Exception):
    """An item that is not a quote, with the symbol and the reason for which it is dropped."""

    def __init__(self, symbol: str, reason: Dropped) -> None:
        super().__init__(symbol, reason)


def parse_quotes(value: Any) -> QuoteList:
    """Return the quotes of a list of objects. Raise BadUserInput if the value is not a list; items that are not
    quotes go to `unreadable`.
    """
    if not isinstance(value, list):
        raise BadUserInput(f"QuoteList must be a list of objects; found {repr(value)[:64]}. Send a list of quotes.")
    quotes = QuoteList(ParsedQuotes())
    for item in value:
        try:
            quotes.append(_quote(item))
        except _UnreadableQuote as unreadable:
            quotes.unreadable.append(unreadable.args)
    return quotes


def _quote(item: Any) -> Quote:
    if not isinstance(item, Mapping):
        raise _UnreadableQuote(NO_SYMBOL, Dropped.MALFORMED)
    get = item.get
    symbol, bid, ask, time = get("symbol"), get("bid"), get("ask"), get("time")
    if len(item) != FIELDS or not (type(symbol) is type(bid) is type(ask) is type(time) is str):
        symbol, bid, ask, time = map(text_of, (symbol, bid, ask, time))
        if len(item) != FIELDS or NotText in map(type, (symbol, bid, ask, time)):
            raise _UnreadableQuote(NO_SYMBOL if type(symbol) is NotText else _symbol(symbol), Dropped.MALFORMED)
    return Quote(_symbol(symbol), _price(bid), _price(ask), _time(symbol, time))


@lru_cache(maxsize=4096)
def _symbol(text: str) -> str:
    """Return the symbol, cut to one character above the limit: cut to the limit, a long text could equal another
    symbol.
    """
    return text[: SYMBOL_LENGTH_MAX + 1] if text.isprintable() else "?"


def _price(text: str) -> Decimal:
    """Return the number, or NaN for any other text, so that a bad price drops only its own quote."""
    if len(text) > NUMBER_LENGTH_MAX or not text.isascii() or "_" in text or text != text.strip():
        return NOT_A_NUMBER  # Decimal would accept digits of other scripts, surrounding spaces and underscores
    try:
        return Decimal(text)
    except InvalidOperation:
        return NOT_A_NUMBER


def _time(symbol: str, text: str) -> datetime:
    try:
        return _instant(text)
    except BadUserInput:
        raise _UnreadableQuote(_symbol(symbol), Dropped.INVALID_TIME) from None


def _refuse(_value: Any) -> Any:
    raise BadUserInput("QuoteList is an input type and cannot be returned.")


QUOTE_SCALARS: dict[object, ScalarDefinition] = {
    QuoteList: strawberry.scalar(
        name="QuoteList",
        description=(
            "List of quotes. Each item is an object of `symbol`, `bid`, `ask` (decimals as text or numbers) and "
            "`time` (RFC 3339 text with an offset), such as "
            '{symbol: "EURUSD", bid: "1.0834", ask: "1.0835", time: "2026-03-02T12:00:00Z"}. An item of another form '
            "is dropped, counted and reported; the others are accepted."
        ),
        serialize=_refuse,
        parse_value=parse_quotes,
    ),
}
