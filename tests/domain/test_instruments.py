"""What one currency is worth in another: at par, by the pair quoted last, over a third currency."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.conversion import AT_PAR, Rate
from domain.instruments import Catalogue, Currency
from domain.quotes import Quote
from tests.domain.builders import NOON, a_catalogue, a_quote, an_instrument

SECOND = timedelta(seconds=1)
CATALOGUE = a_catalogue("EURUSD", "USDJPY")


def a_market(*symbols: str) -> dict[str, Quote]:
    prices = {"EURUSD": ("1.0999", "1.1001"), "USDJPY": ("149.99", "150.01")}
    return {symbol: a_quote(*prices[symbol], symbol=symbol) for symbol in symbols}


def at(price: str, age: int = 0) -> Quote:
    """A quote without a spread, so many seconds old at noon."""
    return Quote("", Decimal(price), Decimal(price), NOON - age * SECOND)


def the_rate(catalogue: Catalogue, source: str, target: str, market: Mapping[str, Quote]) -> tuple[str, str, int]:
    """The pairs that convert, the value, and the age at noon in seconds."""
    rate = catalogue.rate(source, target, {symbol: replace(quote, symbol=symbol) for symbol, quote in market.items()})
    assert rate
    assert rate.time
    return rate.pairs, str(rate.value.normalize()), (NOON - rate.time) // SECOND


RATES = [
    ("the pair as quoted", "EUR", "USD", "1.1", "EURUSD"),
    ("into what is at par with its quote currency", "EUR", "USDC", "1.1", "EURUSD"),
    ("the pair inverted, eighteen places", "USD", "EUR", "0.909090909090909091", "EURUSD"),
    ("inverted, from par", "USDC", "EUR", "0.909090909090909091", "EURUSD"),
    ("a quote above one, inverted", "JPY", "USD", "0.006666666666666667", "USDJPY"),
    ("over a third currency, rounded once", "EUR", "JPY", "165", "EURUSD,USDJPY"),
    ("over a third currency, both inverted", "JPY", "EUR", "0.006060606060606061", "USDJPY,EURUSD"),
]


@pytest.mark.parametrize(("source", "target", "worth", "pairs"), [c[1:] for c in RATES], ids=[c[0] for c in RATES])
def test_a_currency_is_worth(source: str, target: str, worth: str, pairs: str) -> None:
    assert CATALOGUE.rate(source, target, a_market("EURUSD", "USDJPY")) == Rate(Decimal(worth), NOON, pairs)


@pytest.mark.parametrize(("source", "target"), [("EUR", "EUR"), ("USDC", "USD"), ("CHF", "CHF")])
def test_at_par_no_quote_is_needed(source: str, target: str) -> None:
    assert CATALOGUE.rate(source, target, {}) == AT_PAR


UNKNOWN = [
    ("nobody's currency", "CHF", "USD", ("EURUSD", "USDJPY")),
    ("no quote of the pair", "EUR", "USD", ("USDJPY",)),
    ("no quote of one pair of the path", "EUR", "JPY", ("USDJPY",)),
]


@pytest.mark.parametrize(("source", "target", "quoted"), [c[1:] for c in UNKNOWN], ids=[c[0] for c in UNKNOWN])
def test_there_is_no_rate_without(source: str, target: str, quoted: tuple[str, ...]) -> None:
    assert CATALOGUE.rate(source, target, a_market(*quoted)) is None


PAIRS = a_catalogue("EURUSD", "EURUSDC", "USDEUR")
NEWEST = [
    (
        "the newest of all",
        {"EURUSD": at("1.1", 9), "EURUSDC": at("1.2", 4), "USDEUR": at("0.8", 5)},
        ("EURUSDC", "1.2"),
    ),
    ("the newest, inverted", {"EURUSD": at("1.1", 9), "USDEUR": at("0.8", 5)}, ("USDEUR", "1.25")),
    ("of equal times the first declared", {"EURUSDC": at("1.2", 4), "USDEUR": at("0.8", 4)}, ("EURUSDC", "1.2")),
    ("the only one, however old", {"EURUSDC": at("1.2", 90_000)}, ("EURUSDC", "1.2")),
]


@pytest.mark.parametrize(("market", "by"), [c[1:] for c in NEWEST], ids=[c[0] for c in NEWEST])
def test_of_several_pairs_there_converts(market: dict[str, Quote], by: tuple[str, str]) -> None:
    assert the_rate(PAIRS, "EUR", "USD", market)[:2] == by


def test_the_source_s_time_decides_not_the_arrival() -> None:
    """ETHBTC on a dollar account: BTCUSD has fallen silent, BTCUSDC is quoted."""
    catalogue = a_catalogue("ETHBTC", "BTCUSD", "BTCUSDC")
    market = {"ETHBTC": at("0.05"), "BTCUSDC": at("62000"), "BTCUSD": at("60000", 3600)}
    assert the_rate(catalogue, "BTC", "USD", market) == ("BTCUSDC", "6.2E+4", 0)


CROSS = replace(
    a_catalogue("EURGBP", "GBPJPY", "AUDJPY", "USDJPY", "EURUSD", "EURUSDC", "EURJPY"),
    currencies={
        code: Currency(code, 2, "USD" if code == "USDC" else code) for code in ("USD", "USDC", "EUR", "GBP", "JPY")
    },
)
OVER_THIRD = {
    "AUDJPY": at("100"), "USDJPY": at("160", 8), "EURUSD": at("1.25", 9), "GBPJPY": at("200", 2),
    "EURGBP": at("0.8", 30),
}  # fmt: skip
PATHS = [
    ("the freshest path: it is as old as its older quote", {}, ("USDJPY,EURUSD", "0.005", 9)),
    ("another, once that is fresher", {"EURGBP": at("0.8", 1)}, ("GBPJPY,EURGBP", "0.00625", 2)),
    ("of equal ages the pair declared first", {"EURGBP": at("0.8", 9)}, ("GBPJPY,EURGBP", "0.00625", 9)),
    ("the newest pair of a par", {"EURUSDC": at("1", 1)}, ("USDJPY,EURUSDC", "0.00625", 8)),
    ("a direct pair that is quoted, however old", {"EURJPY": at("160", 90_000)}, ("EURJPY", "0.00625", 90_000)),
]


@pytest.mark.parametrize(("quotes", "by"), [c[1:] for c in PATHS], ids=[c[0] for c in PATHS])
def test_where_no_direct_pair_is_quoted_there_converts(quotes: dict[str, Quote], by: tuple[str, str, int]) -> None:
    assert the_rate(CROSS, "JPY", "EUR", OVER_THIRD | quotes) == by


def test_a_path_leads_over_currencies_only() -> None:
    """A share quoted in two currencies is no rate between them."""
    catalogue = a_catalogue("EURUSD")
    shares = {
        symbol: an_instrument(symbol, base_currency="ACME", quote_currency=currency)
        for symbol, currency in (("ACME.US", "USD"), ("ACME.JP", "JPY"))
    }
    catalogue = replace(catalogue, instruments=shares)
    assert catalogue.rate("JPY", "USD", {symbol: a_quote(symbol=symbol) for symbol in shares}) is None


def test_what_may_change_a_rate_shrinks_once_a_direct_pair_is_quoted() -> None:
    conversion, paths = CROSS.conversion("JPY", "EUR"), {"GBPJPY", "EURGBP", "USDJPY", "EURUSD", "EURUSDC"}
    assert conversion.symbols({}) == {"EURJPY", *paths}
    assert conversion.symbols({"EURJPY": at("160")}) == {"EURJPY"}
    assert CROSS.conversion("USDC", "USD").symbols({}) == frozenset()
