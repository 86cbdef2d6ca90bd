"""Snapshot of an account at the newest quotes."""

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


@strawberry.type(description="Notional of an account's open positions at their marks, in the account's currency.")
class Exposure:
    gross: Decimal = field(description="Sum of long and short notional.")
    net: Decimal = field(description="Long minus short notional; negative if short exceeds long.")
    long: Decimal = field(description="Notional of long positions.")
    short: Decimal = field(description="Notional of short positions, as a positive number.")


@strawberry.type(description="An open position at its current mark.")
class OpenPosition:
    id: ID = field(description="Position id: `<account number>-<seq>`.")
    symbol: str = field(description="Instrument symbol.")
    side: Side = field(description="Side of the position.")
    quantity: Decimal = field(description="Open quantity in units of the instrument; positive on both sides.")
    average_entry: Decimal = field(description="Average entry price in the quote currency.")
    mark: Decimal = field(description="Mark: price at which the position could be closed now, in the quote currency.")
    rate: Decimal = field(description="Conversion rate: account currency per quote currency, up to 18 decimal places.")
    unrealised: Decimal = field(description="Open profit or loss in the account's currency.")
    notional: Decimal = field(description="Notional at the mark, in the account's currency; always positive.")
    quote_time: datetime = field(description="Source time of the quote used for the mark.")
    quote_age_seconds: int = field(description="Age of the quote used for the mark, in whole seconds of market time.")
    stale: bool = field(description="True if the quote used for the mark is too old to trade at.")
    rate_pairs: list[str] = field(description="Symbols used for the conversion: up to two, none if not needed.")
    rate_time: datetime | None = field(description="Source time of the rate's older quote; null without conversion.")
    rate_age_seconds: int | None = field(description="Age of the rate now, in seconds; null without conversion.")
    rate_stale: bool = field(
        description="True if the conversion rate is the last known one and too old to open or increase a position; "
        "reducing and closing remain possible."
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
    description="An account valued at the newest quotes, without writing anything. All amounts are in the account's "
    "currency."
)
class AccountSnapshot:
    market_time: datetime = field(description="Market time of the newest quotes.")
    marked_through: Long = field(description="Number of the newest batch of quotes.")
    seq: Long = field(description="Version of the account: the number of its last ledger row.")
    chain_head: str = field(description="Hash of the last ledger row, in hex.")
    currency: str = field(description="Currency code of all amounts.")
    starting_balance: Decimal = field(description="Balance with which the account began.")
    cash: Decimal = field(description="Cash balance: the sum of all ledger amounts, without open profit.")
    equity: Decimal = field(description="Equity: cash plus open profit or loss.")
    unrealised: Decimal = field(description="Open profit or loss of all positions at their marks.")
    realised: Decimal = field(description="Profit or loss of closed quantities, before fees.")
    fees: Decimal = field(description="Fees paid so far.")
    high_watermark: Decimal = field(description="Highest equity so far.")
    exposure: Exposure = field(description="Notional of the open positions.")
    leverage_used: Decimal | None = field(description="Gross exposure divided by equity; null without positive equity.")
    leverage_max: Decimal = field(description="Maximum leverage of the execution policy.")
    margin_used: Decimal = field(description="Gross exposure divided by the maximum leverage.")
    margin_free: Decimal = field(
        description="The lower of balance and equity, minus `marginUsed`; negative if more margin is used."
    )
    positions: list[OpenPosition] = field(description="Open positions, sorted by symbol and side.")

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
