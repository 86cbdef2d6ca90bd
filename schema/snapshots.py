"""An account as it stands at the newest market."""

from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry
from strawberry import ID, field

from domain.conversion import names_of
from domain.holdings import Holding
from domain.positions import Side
from domain.snapshots import Snapshot
from schema.engine.scalars import Long


@strawberry.type(description="What an account's open positions are worth at their marks, in its currency.")
class Exposure:
    gross: Decimal = field(description="Longs and shorts added up.")
    net: Decimal = field(description="Longs less shorts.")
    long: Decimal = field(description="The longs' notional.")
    short: Decimal = field(description="The shorts' notional; positive.")


@strawberry.type(description="An open position at its mark.")
class OpenPosition:
    id: ID = field(description="Its name: account-seq.")
    symbol: str = field(description="The instrument.")
    side: Side = field(description="The side.")
    quantity: Decimal = field(description="What is held; positive on both sides.")
    average_entry: Decimal = field(description="The average price it was opened at, in the quote currency.")
    mark: Decimal = field(description="The price at which it could be closed now, in the quote currency.")
    rate: Decimal = field(description="What one of the quote currency is worth in the account's, to 18 places.")
    unrealised: Decimal = field(description="Its open profit, in the account's currency.")
    notional: Decimal = field(description="Its worth at the mark, in the account's currency; positive.")
    quote_time: datetime = field(description="The source time of the quote it is marked at.")
    quote_age_seconds: int = field(description="That quote's age by the market's clock, in whole seconds.")
    stale: bool = field(description="Whether that quote is too old to deal on; the position keeps its last good mark.")
    rate_pairs: list[str] = field(description="The instruments that convert: none at par, two over a third currency.")
    rate_time: datetime | None = field(description="The source time of the rate's oldest quote; null at par.")
    rate_age_seconds: int | None = field(description="That quote's age by the market's clock, in whole seconds.")
    rate_stale: bool = field(
        description="Whether the rate is the last good one: too old to open or increase on, not to reduce or close."
    )

    @classmethod
    def of(cls, account: int, holding: Holding) -> Self:
        position = holding.position
        return cls(
            id=ID(f"{account}-{position.seq}"),
            symbol=position.symbol,
            side=position.side,
            quantity=position.quantity,
            average_entry=holding.average_entry,
            mark=holding.mark,
            rate=holding.rate.value,
            unrealised=holding.unrealised,
            notional=holding.notional,
            quote_time=holding.quote_time,
            quote_age_seconds=holding.quote_age_seconds,
            stale=holding.stale,
            rate_pairs=names_of(holding.rate.pairs),
            rate_time=holding.rate.time,
            rate_age_seconds=holding.rate_age_seconds,
            rate_stale=holding.rate_stale,
        )


@strawberry.type(
    description="An account at the newest market: the figures that marking it now would give, with nothing written."
)
class AccountSnapshot:
    market_time: datetime = field(description="The time of the market it is at.")
    marked_through: Long = field(description="The batch it is at: the newest.")
    seq: Long = field(description="The version it was computed from: the number of the ledger's last row.")
    chain_head: str = field(description="That row's hash, in hex.")
    currency: str = field(description="The currency of all amounts.")
    starting_balance: Decimal = field(description="The balance the account began with.")
    cash: Decimal = field(description="The sum of its ledger.")
    equity: Decimal = field(description="Cash and unrealised profit.")
    unrealised: Decimal = field(description="The profit of its open positions at their marks.")
    realised: Decimal = field(description="The profit of what was closed, before fees.")
    fees: Decimal = field(description="The fees paid.")
    high_watermark: Decimal = field(description="Its highest equity.")
    exposure: Exposure = field(description="What its positions are worth.")
    leverage_used: Decimal | None = field(
        description="Gross exposure in times of the equity; null where no equity carries it."
    )
    leverage_max: Decimal = field(description="The most its policy allows.")
    margin_used: Decimal = field(description="Gross exposure through the policy's leverage.")
    margin_free: Decimal = field(description="What the lower of balance and equity leaves; negative beyond it.")
    positions: list[OpenPosition] = field(description="Its open positions, by symbol and side.")

    @classmethod
    def of(cls, now: Snapshot) -> Self:
        account, exposure = now.account, now.exposure
        return cls(
            market_time=now.at,
            marked_through=now.marked_through,
            seq=now.seq,
            chain_head=now.head.hex(),
            currency=account.currency,
            starting_balance=account.starting_balance,
            cash=account.cash,
            equity=account.equity,
            unrealised=account.unrealised,
            realised=account.realised,
            fees=account.fees,
            high_watermark=account.high_watermark,
            exposure=Exposure(gross=exposure.gross, net=exposure.net, long=exposure.long, short=exposure.short),
            leverage_used=now.leverage_used,
            leverage_max=account.policy.leverage_max,
            margin_used=now.margin_used,
            margin_free=now.margin_free,
            positions=[OpenPosition.of(account.id, holding) for holding in now.holdings],
        )
