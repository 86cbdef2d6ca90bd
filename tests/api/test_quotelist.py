"""Quotes as one scalar: what is no quote is named by its place; what is a bad one is left to be dropped."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.quotes import Quote
from schema.errors import BadUserInput
from schema.quotelist import SYMBOL_LENGTH_MAX, parse_quotes

GOOD = {"symbol": "EURUSD", "bid": "1.1", "ask": "1.1002", "time": "2026-03-02T13:00:00+01:00"}


def test_quotes_are_taken_as_they_are_said() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert parse_quotes([GOOD, GOOD]) == [Quote("EURUSD", Decimal("1.1"), Decimal("1.1002"), at)] * 2


BAD = [("no number", "x", "NaN"), ("not finite", "Infinity", "Infinity"), ("too long", "1" * 65, "NaN")]


@pytest.mark.parametrize(("bid", "taken"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_number_spoils_no_other_quote(bid: str, taken: str) -> None:
    first, second = parse_quotes([{**GOOD, "bid": bid}, GOOD])
    assert (str(first.bid), second.bid) == (taken, Decimal("1.1"))


def test_a_symbol_is_printable_and_never_cut_to_become_another() -> None:
    quotes = parse_quotes([{**GOOD, "symbol": "E" * 99}, {**GOOD, "symbol": "\x00"}])
    assert [quote.symbol for quote in quotes] == ["E" * (SYMBOL_LENGTH_MAX + 1), "?"]


REFUSED: list[tuple[str, Any, str]] = [
    ("no list", GOOD, "must be a list"),
    ("no object", [GOOD, 7], r"quotes\[1\] must have symbol, bid, ask, time"),
    ("a field is missing", [{**GOOD, "at": 1} | {"time": 2}, GOOD], r"quotes\[0\] must have"),
    ("another field", [{"symbol": "A", "bid": "1", "ask": "1", "at": "x"}], r"quotes\[0\] has no time"),
    ("a number that is no text", [{**GOOD, "bid": 1.1}], r"quotes\[0\]: symbol, bid, ask, time must be text"),
    ("a time without an offset", [GOOD, {**GOOD, "time": "2026-03-02T13:00:00"}], r"quotes\[1\].time: .* offset"),
]


@pytest.mark.parametrize(("given", "why"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_no_list_of_quotes_is_refused_naming_the_place(given: Any, why: str) -> None:
    with pytest.raises(BadUserInput, match=why):
        parse_quotes(given)
