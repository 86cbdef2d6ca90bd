"""Open positions at a market: mark, conversion rate, and the age of the quotes behind both."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain import valuation
from domain.accounts import Account
from domain.conversion import Rate
from domain.instruments import Catalogue
from domain.ledger import Facts
from domain.money import plain
from domain.positions import Position
from domain.quotes import Market

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position at its mark. Entry, mark and cost are in the quote currency, the rest in the account's."""

    position: Position
    average_entry: Decimal
    mark: Decimal
    rate: Rate  # of the quote currency into the account's
    unrealised: Decimal
    notional: Decimal
    quote_time: datetime
    quote_age_seconds: int  # by the market's clock, cut to whole seconds
    stale: bool  # too old to deal on
    rate_age_seconds: int | None  # None at par
    rate_stale: bool  # the last good rate, too old to open or increase on

    @property
    def facts(self) -> Facts:
        """The evidence of a verdict: all that the open profit comes from, with the ages of the quotes."""
        position, rate = self.position, self.rate
        return {
            "symbol": position.symbol,
            "side": position.side,
            "quantity": plain(position.quantity),
            "cost_basis": plain(position.cost_basis),
            "mark": plain(self.mark),
            "quote_time": self.quote_time.isoformat(),
            "quote_age_seconds": self.quote_age_seconds,
            "stale": self.stale,
            "rate": plain(rate.value),
            "rate_pairs": rate.pairs,
            "rate_time": rate.time and rate.time.isoformat(),
            "rate_age_seconds": self.rate_age_seconds,
            "rate_stale": self.rate_stale,
            "unrealised": plain(self.unrealised),
        }


def holdings(account: Account, market: Market, at: datetime, catalogue: Catalogue) -> tuple[Holding, ...]:
    """Return the account's open positions by symbol and side, at the market and the time of its clock."""
    return tuple(_holding(account, account.positions[key], market, at, catalogue) for key in sorted(account.positions))


def age_seconds(source_time: datetime, at: datetime) -> int:
    """Whole seconds from a quote's source time to now; 0 where the source's clock runs ahead."""
    return max(0, (at - source_time) // SECOND)


def _holding(account: Account, position: Position, market: Market, at: datetime, catalogue: Catalogue) -> Holding:
    quote, policy = market[position.symbol], account.policy
    mark = valuation.mark_price(quote, position.side, policy.slippage)
    rate = valuation.rate_of(position.symbol, account.currency, market, catalogue)
    return Holding(
        position=position,
        average_entry=position.average_entry,
        mark=mark,
        rate=rate,
        unrealised=position.unrealised(mark, rate.value),
        notional=position.notional(mark, rate.value),
        quote_time=quote.source_time,
        quote_age_seconds=age_seconds(quote.source_time, at),
        stale=not valuation.is_fresh(quote.source_time, at, policy),
        rate_age_seconds=None if rate.time is None else age_seconds(rate.time, at),
        rate_stale=not valuation.is_fresh(rate.time, at, policy),
    )


def stale_facts(every: tuple[Holding, ...]) -> Facts:
    """The ledger's flag of quotes too old to deal on: their names and the greatest age; nothing where all are fresh."""
    ages = {one.position.symbol: one.quote_age_seconds for one in every if one.stale}
    ages |= {one.rate.pairs: one.rate_age_seconds for one in every if one.rate_stale and one.rate_age_seconds}
    if not ages:
        return {}
    return {"stale_quotes": ",".join(sorted(ages)), "stale_seconds": max(ages.values())}
