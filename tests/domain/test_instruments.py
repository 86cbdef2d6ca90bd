"""What one currency is worth in another, directly, inverted, at par."""

from decimal import Decimal

import pytest

from domain.quotes import Quote
from tests.domain.builders import NOON, a_catalogue, a_quote

CATALOGUE = a_catalogue("EURUSD", "USDJPY")


def a_market(*symbols: str) -> dict[str, Quote]:
    prices = {"EURUSD": ("1.0999", "1.1001"), "USDJPY": ("149.99", "150.01")}
    return {symbol: a_quote(*prices[symbol], symbol=symbol) for symbol in symbols}


RATES = [
    ("itself", "EUR", "EUR", "1", False),
    ("at par", "USDC", "USD", "1", False),
    ("a currency nobody declared, itself", "CHF", "CHF", "1", False),
    ("the pair as quoted", "EUR", "USD", "1.1", True),
    ("into what is at par with its quote currency", "EUR", "USDC", "1.1", True),
    ("the pair inverted, eighteen places", "USD", "EUR", "0.909090909090909091", True),
    ("inverted, from par", "USDC", "EUR", "0.909090909090909091", True),
    ("a quote above one, inverted", "JPY", "USD", "0.006666666666666667", True),
]


@pytest.mark.parametrize(("source", "target", "worth", "quoted"), [c[1:] for c in RATES], ids=[c[0] for c in RATES])
def test_a_currency_is_worth(source: str, target: str, worth: str, quoted: bool) -> None:
    found = CATALOGUE.rate(source, target, a_market("EURUSD", "USDJPY"))
    assert found == (Decimal(worth), NOON if quoted else None)


UNKNOWN = [("no pair of them", "EUR", "JPY"), ("nobody's currency", "CHF", "USD")]


@pytest.mark.parametrize(("source", "target"), [c[1:] for c in UNKNOWN], ids=[c[0] for c in UNKNOWN])
def test_without_a_pair_there_is_no_rate(source: str, target: str) -> None:
    assert CATALOGUE.pairs_of(source, target) == ()
    assert CATALOGUE.rate(source, target, a_market("EURUSD", "USDJPY")) is None


def test_the_first_listed_of_the_pairs_that_are_quoted_converts() -> None:
    catalogue = a_catalogue("EURUSD", "EURUSDC", "USDEUR")
    assert [pair for pair, _ in catalogue.pairs_of("EUR", "USD")] == ["EURUSD", "EURUSDC", "USDEUR"]
    prices = {"EURUSD": "1.1", "EURUSDC": "1.2", "USDEUR": "0.8"}
    market = {symbol: a_quote(price, price, symbol=symbol) for symbol, price in prices.items()}
    for known, worth in ((prices, "1.1"), (("EURUSDC", "USDEUR"), "1.2"), (("USDEUR",), "1.25")):
        found = catalogue.rate("EUR", "USD", {symbol: market[symbol] for symbol in known})
        assert found == (Decimal(worth), NOON)


def test_without_a_quote_there_is_no_rate() -> None:
    assert CATALOGUE.pairs_of("EUR", "USD") == (("EURUSD", False),)
    assert CATALOGUE.pairs_of("USDC", "EUR") == (("EURUSD", True),)
    assert CATALOGUE.rate("EUR", "USD", a_market("USDJPY")) is None
