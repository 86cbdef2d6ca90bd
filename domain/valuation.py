"""The value of an account's positions at a market: marks, unrealised profit, exposure."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from domain.accounts import Account
from domain.conversion import Rate
from domain.instruments import Catalogue
from domain.money import ZERO
from domain.positions import Position, Side
from domain.quotes import Market, Quote
from domain.terms import Policy, Slippage


def deal_price(quote: Quote, buys: bool, slippage: Slippage) -> Decimal:
    """Return the price a fill gets, in the quote currency."""
    if slippage is Slippage.MID_PRICE:
        return quote.mid
    return quote.ask if buys else quote.bid


def mark_price(quote: Quote, side: Side, slippage: Slippage) -> Decimal:
    """Return the price at which the holding could be closed now."""
    return quote.mid if slippage is Slippage.MID_PRICE else deal_price(quote, side is Side.SHORT, slippage)


def is_fresh(moment: datetime | None, at: datetime, policy: Policy) -> bool:
    """Return whether a quote of this source time is fresh enough to deal on. None (par) always is."""
    return moment is None or at - moment <= policy.quote_age_max


def rate_of(symbol: str, currency: str, market: Market, catalogue: Catalogue) -> Rate:
    """Return the last good rate of the instrument's quote currency into the account's, however old.

    A position is only opened where a rate is known, and a market never forgets, so it is there.
    """
    rate = catalogue.rate(catalogue.instruments[symbol].quote_currency, currency, market)
    assert rate, f"{symbol} was opened without a rate into {currency}"
    return rate


def position_unrealised(position: Position, account: Account, market: Market, catalogue: Catalogue) -> Decimal:
    """Open profit of one holding in the account's currency."""
    symbol = position.symbol
    mark = mark_price(market[symbol], position.side, account.policy.slippage)
    return position.unrealised(mark, rate_of(symbol, account.currency, market, catalogue).value)


def unrealised(
    account: Account, market: Market, catalogue: Catalogue, holdings: Iterable[Position] | None = None
) -> Decimal:
    """Open profit of all holdings, or of these, in the account's currency."""
    held = account.positions.values() if holdings is None else holdings
    return sum([position_unrealised(position, account, market, catalogue) for position in held], ZERO)


def position_notional(position: Position, account: Account, market: Market, catalogue: Catalogue) -> Decimal:
    """Exposure of one holding at its mark, positive, in the account's currency."""
    symbol = position.symbol
    mark = mark_price(market[symbol], position.side, account.policy.slippage)
    return position.notional(mark, rate_of(symbol, account.currency, market, catalogue).value)


def gross_notional(
    account: Account, market: Market, catalogue: Catalogue, holdings: Iterable[Position] | None = None
) -> Decimal:
    """Exposure of all holdings, or of these, longs and shorts added up."""
    held = account.positions.values() if holdings is None else holdings
    return sum([position_notional(position, account, market, catalogue) for position in held], ZERO)


def symbols_that_move(account: Account, catalogue: Catalogue, market: Market) -> frozenset[str]:
    """Return every symbol whose quote, after this market, changes the account's equity or may trigger an order."""
    symbols = {symbol for symbol, _ in account.positions} | {order.symbol for order in account.orders.values()}
    return frozenset[str]().union(*(symbols_of(symbol, account.currency, catalogue, market) for symbol in symbols))


def symbols_of(symbol: str, currency: str, catalogue: Catalogue, market: Market) -> frozenset[str]:
    """Return the instrument and those that, after this market, may convert its quote currency into the account's."""
    quote_currency = catalogue.instruments[symbol].quote_currency
    return catalogue.conversion(quote_currency, currency).symbols(market) | {symbol}
