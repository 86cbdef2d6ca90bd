"""Quotes as one scalar: an invalid item is rejected with its reason, and the others are taken."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.quotes import Quote
from schema.engine.errors import BadUserInput
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


def test_json_numbers_are_read_as_the_shortest_text_that_means_them() -> None:
    [quote] = parse_quotes([{**GOOD, "symbol": 7203, "bid": 1.1370200000000001, "ask": 1e22}])
    assert (quote.symbol, str(quote.bid), str(quote.ask)) == ("7203", "1.1370200000000001", "1" + "0" * 22)


UNREADABLE: list[tuple[str, Any, str, str]] = [
    ("no object", 7, "?", "MALFORMED"),
    ("null", None, "?", "MALFORMED"),
    ("a list in the list", [GOOD], "?", "MALFORMED"),
    ("a bid of null", {**GOOD, "bid": None}, "EURUSD", "MALFORMED"),
    ("a bid that is true", {**GOOD, "bid": True}, "EURUSD", "MALFORMED"),
    ("a list of asks", {**GOOD, "ask": ["1.1"]}, "EURUSD", "MALFORMED"),
    ("a symbol of null", {**GOOD, "symbol": None}, "?", "MALFORMED"),
    ("no time", {name: GOOD[name] for name in ("symbol", "bid", "ask")}, "EURUSD", "MALFORMED"),
    ("another field instead", {"symbol": "A", "bid": "1", "ask": "1", "at": "x"}, "A", "MALFORMED"),
    ("a field more", {**GOOD, "last": "1"}, "EURUSD", "MALFORMED"),
    ("a time without an offset", {**GOOD, "time": "2026-03-02T13:00:00"}, "EURUSD", "INVALID_TIME"),
    ("a leap second", {**GOOD, "time": "2016-12-31T23:59:60Z"}, "EURUSD", "INVALID_TIME"),
    ("no day of the calendar", {**GOOD, "time": "2026-02-30T13:00:00Z"}, "EURUSD", "INVALID_TIME"),
    ("a time as a number", {**GOOD, "time": 1772452800}, "EURUSD", "INVALID_TIME"),
]


@pytest.mark.parametrize(
    ("given", "symbol", "reason"), [case[1:] for case in UNREADABLE], ids=[c[0] for c in UNREADABLE]
)
def test_an_item_that_is_no_quote_costs_itself_alone(given: Any, symbol: str, reason: str) -> None:
    read = parse_quotes([GOOD, given, GOOD])
    assert len(read) == 2
    assert read.unreadable == [(symbol, reason)]


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(BadUserInput, match="must be a list"):
        parse_quotes(GOOD)
