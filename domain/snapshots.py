"""An account as it stands at a market: its balances, its exposure, and each holding with its mark."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain import valuation
from domain.accounts import Account
from domain.execution import Moment
from domain.instruments import Catalogue
from domain.money import ZERO, divide, round8
from domain.positions import Position, Side

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position at its mark. Entry, mark and cost are in the quote currency, the rest in the account's."""

    position: Position
    average_entry: Decimal
    mark: Decimal
    rate: Decimal  # of the quote currency into the account's
    unrealised: Decimal
    notional: Decimal
    quote_time: datetime
    quote_age_seconds: int  # by the market's clock, cut to whole seconds
    stale: bool  # too old to deal on


@dataclass(frozen=True, slots=True)
class Exposure:
    """Notionals at marks, in the account's currency; net is positive where the longs outweigh."""

    long: Decimal
    short: Decimal

    @property
    def gross(self) -> Decimal:
        return self.long + self.short

    @property
    def net(self) -> Decimal:
        return self.long - self.short


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The account as a mark at this moment would leave it; `seq` and `head` are those of its last written row."""

    account: Account
    at: datetime
    marked_through: int
    seq: int
    head: bytes
    holdings: tuple[Holding, ...]
    exposure: Exposure

    @property
    def leverage_used(self) -> Decimal | None:
        """Gross exposure in times of the equity; None where there is exposure and no equity to carry it."""
        gross, equity = self.exposure.gross, self.account.equity
        if equity > 0:
            return round8(divide(gross, equity))
        return None if gross else ZERO

    @property
    def margin_used(self) -> Decimal:
        return round8(divide(self.exposure.gross, self.account.policy.leverage_max))

    @property
    def margin_free(self) -> Decimal:
        """What the margin gate has left: of the lower of balance and equity; negative beyond it."""
        return min(self.account.balance, self.account.equity) - self.margin_used


def snapshot(account: Account, moment: Moment, catalogue: Catalogue, *, seq: int, head: bytes) -> Snapshot:
    """`account` has been brought to the moment; `seq` and `head` are what is written of it."""
    holdings = tuple(_holding(account, account.positions[key], moment, catalogue) for key in sorted(account.positions))
    sums = {side: sum((h.notional for h in holdings if h.position.side is side), ZERO) for side in Side}
    exposure = Exposure(sums[Side.LONG], sums[Side.SHORT])
    return Snapshot(account, moment.at, account.marked_through, seq, head, holdings, exposure)


def age_seconds(source_time: datetime, at: datetime) -> int:
    """Whole seconds from a quote's source time to now; 0 where the source's clock runs ahead."""
    return max(0, (at - source_time) // SECOND)


def _holding(account: Account, position: Position, moment: Moment, catalogue: Catalogue) -> Holding:
    quote = moment.market[position.symbol]
    return Holding(
        position=position,
        average_entry=position.average_entry,
        mark=valuation.mark_price(quote, position.side, account.policy.slippage),
        rate=valuation.rate_of(position.symbol, account.currency, moment.market, catalogue),
        unrealised=valuation.position_unrealised(position, account, moment.market, catalogue),
        notional=valuation.position_notional(position, account, moment.market, catalogue),
        quote_time=quote.source_time,
        quote_age_seconds=age_seconds(quote.source_time, moment.at),
        stale=not valuation.is_fresh(quote.source_time, moment.at, account.policy),
    )
