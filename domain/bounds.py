"""Bounds of what can be stored: no quote and no order that is accepted takes a figure beyond its column.

Amounts are stored with 20 digits before the point. An order may bring an account's positions to GROSS_MAX, and a
quote is refused at which a position would be worth more than WORTH_MAX. A quote is only checked once it has left the
range of LEEWAY around the last check of its symbol. Until then a worth moves at most by LEEWAY for the price and for
each of two rates: of a position checked by a quote to 1e13 x 64, and of 10,000 of them to 6.4e18; of positions checked
by an order, anywhere in the range, to 1e13 x 4096.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from domain.accounts import Account
from domain.instruments import Catalogue
from domain.money import AMOUNT_MAX, EXACT, NotStorable, multiply
from domain.quotes import Market, Quote

QUANTITY_MAX = Decimal(10) ** 15  # of a position, in units of the underlying
COST_MAX = Decimal(10) ** 15  # of a position, in the quote currency
GROSS_MAX = Decimal(10) ** 13  # of all positions when one is added to, in the account's currency
EQUITY_MAX = Decimal(10) ** 15  # of an account that adds to a position, above or below zero
WORTH_MAX = Decimal(10) ** 13  # of a position at a new quote, in its quote currency and in the account's
RATE_MAX = Decimal(10) ** 15  # of a conversion that a position needs
LEEWAY = Decimal(4)


class Largest(NamedTuple):
    """The largest quantity and cost basis of the open positions at a symbol in accounts of one currency."""

    currency: str
    symbol: str
    quantity: Decimal
    cost_basis: Decimal


class Checked(NamedTuple):
    """The range of a symbol's prices that every open position can be valued at, both ends included."""

    least: Decimal
    most: Decimal

    @classmethod
    def around(cls, quote: Quote) -> "Checked":
        return cls(EXACT.divide(quote.bid, LEEWAY), multiply(quote.ask, LEEWAY))

    def holds(self, quote: Quote) -> bool:
        return self.least <= quote.bid and quote.ask <= self.most


class Bearing:
    """Checks for each quote of one request that no open position would exceed the largest storable value at its price.

    Without `largest`, a quote outside the range of prices checked before passes, and `is_checked` becomes False. The
    caller then reads the largest positions, while nothing trades, and screens the request again.
    """

    def __init__(
        self,
        checked: Mapping[str, Checked],
        market: Market,
        largest: Sequence[Largest] | None,
        catalogue: Catalogue,
    ) -> None:
        self.checked, self._market = dict(checked), dict(market)
        self._largest, self._catalogue = largest, catalogue
        self.is_checked = True
        self._followed = dict[str, Checked]()  # by symbol the range of prices checked, which its newest quote is in

    def bears(self, quote: Quote) -> bool:
        """Return whether the quote may be accepted after the quotes before it."""
        symbol = quote.symbol
        checked = self._followed.get(symbol)
        if checked is not None and checked.least <= quote.bid and quote.ask <= checked.most:
            self._market[symbol] = quote
            return True
        last = self._market.get(symbol)
        known = self.checked.get(symbol) or (last and Checked.around(last))
        if not known or not known.holds(quote) or (last and not known.holds(last)):
            if self._largest is None:
                self.is_checked = False
                return True
            if not is_bearable(quote, self._market, self._largest, self._catalogue):
                return False
            known = Checked.around(quote)
        self.checked[symbol] = known
        self._market[symbol] = quote
        self._followed[symbol] = known
        return True


def is_bearable(quote: Quote, market: Market, largest: Iterable[Largest], catalogue: Catalogue) -> bool:
    """Return whether the value of every open position can still be stored at this quote."""
    after: Mapping[str, Quote] = {**market, quote.symbol: quote}
    return all(_is_bearable(one, after, catalogue) for one in largest)


def _is_bearable(one: Largest, market: Market, catalogue: Catalogue) -> bool:
    quote = market.get(one.symbol)
    if quote is None:
        return True
    rate = catalogue.rate(catalogue.instruments[one.symbol].quote_currency, one.currency, market)
    if rate is None:
        return True
    worth = multiply(one.quantity, quote.ask) + one.cost_basis
    return worth <= WORTH_MAX and rate.value <= RATE_MAX and multiply(worth, rate.value) <= WORTH_MAX


def check_storable(account: Account) -> None:
    """Raise NotStorable where a figure that marks move cannot be stored."""
    phase = account.phase
    figures = {"cash": account.cash, "unrealised": account.unrealised, "high_watermark": account.high_watermark}
    if phase is not None:
        figures["day_low"] = phase.day_low
    for name, figure in figures.items():
        if not -AMOUNT_MAX < figure < AMOUNT_MAX:
            raise NotStorable(f"{name} is {figure:.3E}, and an amount has at most 20 digits before the point")
