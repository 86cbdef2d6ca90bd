"""Terms of a sale, frozen: later changes of the program do not affect them."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

import strawberry
from strawberry import field

from domain import terms as domain
from domain.rule_table import LEVEL_RULES
from domain.terms import (
    Consequence,
    Enforcement,
    GroupKind,
    Measured,
    PayoutFloor,
    PercentOf,
    PhaseType,
    Reference,
    Slippage,
    Touch,
    TradingDay,
    Trail,
)
from schema.engine.computed_fields import computed
from schema.engine.relations import RowLink
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow


class FromTerms:
    """A type whose plain fields are copied by name from a part of the terms."""

    @classmethod
    def of(cls, part: Any, **others: Any) -> Self:
        """Return the API's form of a part of the terms; `others` has the fields that are not simply copied."""
        return cls(**{own.name: getattr(part, own.name) for own in fields(cls) if own.name not in others}, **others)  # type: ignore[arg-type]


@strawberry.type(description="Trading conditions of an account. Amounts are in the account's currency.")
class ExecutionPolicy(FromTerms):
    leverage_max: Decimal = field(description="Maximum leverage: total notional divided by equity.")
    notional_max: Decimal = field(description="Maximum notional of one position.")
    positions_max: int = field(description="Maximum number of open positions.")
    orders_max: int = field(description="Maximum number of open orders.")
    long_allowed: bool = field(description="True if LONG positions may be opened.")
    short_allowed: bool = field(description="True if SHORT positions may be opened.")
    symbols: list[str] = field(description="Symbols of the instruments that may be traded; empty allows all.")
    fee_bps: Decimal = field(description="Fee in basis points (hundredths of a percent) of the traded notional.")
    slippage: Slippage = field(description="Price at which orders are filled.")
    quote_age_seconds_max: int = field(description="Maximum age of a quote at which orders are filled, in seconds.")
    position_equity_pct_max: Decimal = field(description="Maximum notional of one position, in % of the equity.")
    liquidation_pct: Decimal = field(
        description="Liquidation level in % of the starting balance. An account at or below it is liquidated."
    )


@strawberry.type(description="Account group of a phase at the sale.")
class GroupTerms(FromTerms):
    name: str = field(description="Name of the group.")
    kind: GroupKind = field(description="Purpose of the accounts.")
    currency: str = field(description="Currency code of the accounts.")
    deposit: Decimal = field(description="Initial balance of the accounts, in their currency.")
    policy: ExecutionPolicy = field(description="Execution policy of the accounts.")


@strawberry.type(description="A loss limit, profit limit or profit target. Amounts are in the account's currency.")
class LimitTerms(FromTerms):
    pct: Decimal = field(description="Percentage, 5 for 5 %; 0 if the limit is a fixed amount.")
    amount: Decimal | None = field(description="Fixed amount; null if the limit is a percentage.")
    reference: Reference = field(description="Day-start figure from which a daily limit counts.")
    percent_of: PercentOf = field(description="Figure of which the percentage is taken.")
    measured: Measured = field(description="Figure that is compared with the level.")
    trail: Trail = field(description="Figure that the floor of the total loss limit follows.")
    trail_by: Reference = field(description="With TRAIL_END_OF_DAY: end-of-day figure that the floor follows.")
    lock_at: Decimal | None = field(
        description="Amount above the initial balance at which a trailing floor stops rising; null if it never stops."
    )
    touch: Touch = field(description="Whether the limit is hit at the level or only beyond it.")
    consequence: Consequence = field(description="Consequence when the limit is hit.")


@strawberry.type(description="Enforcement of the maximum number of open positions.")
class PositionsTerms(FromTerms):
    enforced: Enforcement = field(description="Whether more is rejected (GATE) or a breach (BREACH).")
    consequence: Consequence = field(description="Consequence of a breach.")


@strawberry.type(
    description="Conditions for payouts of a funded phase, and their effects. Amounts are in the account's currency."
)
class PayoutTerms(FromTerms):
    min_profit: Decimal = field(description="Minimum gross profit of the account.")
    min_trading_days: int = field(description="Minimum number of trading days since the last payout or the start.")
    profitable_days: int = field(description="Minimum number of profitable days since the last payout or the start.")
    cycle_days: int = field(description="Minimum number of days between payouts, and before the first.")
    floor: PayoutFloor = field(description="Effect of a payout on a trailing floor.")
    min_amount: Decimal = field(description="Minimum gross profit taken by one payout.")
    min_buffer: Decimal = field(description="Minimum profit left on the account.")
    fee_back: bool = field(description="True if the purchase price is returned to the client with the first payout.")


@strawberry.type(
    description="A phase at the sale. In fields ending in `Pct`, 5 means 5 %. A limit of 0 is not configured."
)
class PhaseTerms(FromTerms):
    index: int = field(description="Number of the phase, counted from 1.")
    type: PhaseType = field(description="Type of the phase.")
    name: str = field(description="Name of the phase.")
    group: GroupTerms = field(description="Account group in which the phase's account is opened.")
    daily_loss: LimitTerms | None = field(description="Daily loss limit; null if none.")
    total_loss: LimitTerms | None = field(description="Total loss limit; null if none.")
    daily_profit: LimitTerms | None = field(description="Daily profit limit; null if none.")
    profit_target: LimitTerms | None = field(description="Profit target; null if none.")
    profit_split: Decimal = field(description="Client's share of the profit, 0.8 for 80 %.")
    duration_days: int = field(description="Maximum duration in days, traded or not; the last one ends the phase.")
    min_trading_days: int = field(description="Minimum number of trading days to pass, or for the first payout.")
    max_trading_days: int = field(description="Maximum number of counted trading days; the last one ends the phase.")
    max_positions: int = field(description="Maximum number of open positions.")
    positions: PositionsTerms | None = field(description="Enforcement of `maxPositions`; null if there is none.")
    best_day_pct: Decimal = field(description="Maximum share of the net profit made on the best day, in percent.")
    profitable_days: int = field(description="Minimum number of profitable days to pass, or for the first payout.")
    profitable_day_pct: Decimal = field(description="Minimum profit of a profitable day, in % of the initial balance.")
    inactivity_days: int = field(description="Maximum number of days in a row without a fill.")
    trading_day: TradingDay = field(description="Condition for a day to count as a trading day.")
    trading_day_pct: Decimal = field(
        description="With `tradingDay` MOVED: minimum gain or loss of a trading day, in % of the initial balance."
    )
    warn_at: list[Decimal] = field(description="Shares of each limit at which an early warning is sent.")
    payout: PayoutTerms | None = field(description="Conditions for payouts; null for a phase without payouts.")

    @classmethod
    def of_phase(cls, phase: domain.PhaseTerms) -> Self:
        """Return the API's form of a phase; a limit that is not configured is None."""
        limits = {rule.field: getattr(phase, rule.field) for rule in LEVEL_RULES if not rule.of_policy}
        shown = {name: LimitTerms.of(limit) if limit.configured else None for name, limit in limits.items()}
        policy = ExecutionPolicy.of(phase.group.policy, symbols=list(phase.group.policy.symbols))
        return cls.of(
            phase,
            group=GroupTerms.of(phase.group, policy=policy),
            positions=PositionsTerms.of(phase.positions) if phase.max_positions else None,
            warn_at=list(phase.warn_at),
            payout=PayoutTerms.of(phase.payout) if phase.type is PhaseType.FUNDED else None,
            **shown,
        )


@strawberry.type(description="Terms of a sale, frozen: later changes of the program do not affect them.")
class Terms(FromRow):
    hash: str = field(description="SHA-256 hash of the canonical text of the terms, in hex.")
    version: int = field(description="Version of the format of the canonical text.")

    @computed("Version of the program at the sale.")
    async def program_version(self, info: Info) -> int:
        return (await self._sold(info)).program_version

    @computed("Name of the program at the sale.")
    async def name(self, info: Info) -> str:
        return (await self._sold(info)).name

    @computed("Price at the sale.")
    async def price(self, info: Info) -> Decimal:
        return (await self._sold(info)).price

    @computed("Currency code of the price.")
    async def price_currency(self, info: Info) -> str:
        return (await self._sold(info)).price_currency

    @computed("IANA name of the time zone of the trading days.")
    async def zone(self, info: Info) -> str:
        return (await self._sold(info)).zone

    @computed("Local time at which a trading day begins, HH:MM:SS.")
    async def day_start(self, info: Info) -> str:
        return (await self._sold(info)).day_start.isoformat()

    @computed("Client's share of the funded phase's profit, 0.8 for 80 %; 0 without a funded phase.")
    async def profit_split(self, info: Info) -> Decimal:
        return (await self._sold(info)).phases[-1].profit_split

    @computed("Phases in order.")
    async def phases(self, info: Info) -> list[PhaseTerms]:
        return [PhaseTerms.of_phase(phase) for phase in (await self._sold(info)).phases]

    async def _sold(self, info: Info) -> domain.Terms:
        return await info.context.loaders.terms(self.hash)


@lru_cache(maxsize=1024)
def _frozen(text_hash: str, version: int) -> Mapping[str, str | int]:
    """Return the same object for the same terms, so that many sales in one response share it."""
    return {"hash": text_hash, "version": version}


FROZEN_TERMS = RowLink(
    None, ("terms_hash", "terms_version"), lambda _, hashes, versions: list(map(_frozen, hashes, versions))
)
