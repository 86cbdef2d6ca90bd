"""The terms a purchase was sold under, typed and whole: they stay as they were whatever becomes of the program."""

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
from schema.engine.relations import Link
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow


class FromTerms:
    """A type whose plain fields are those of a part of the terms, by name."""

    @classmethod
    def of(cls, part: Any, **others: Any) -> Self:
        """Return the part as the API shows it; `others` has the fields that are not simply copied."""
        return cls(**{one.name: getattr(part, one.name) for one in fields(cls) if one.name not in others}, **others)  # type: ignore[arg-type]


@strawberry.type(description="How an account may trade; amounts in the account's currency.")
class ExecutionPolicy(FromTerms):
    leverage_max: Decimal = field(description="The most notional per equity.")
    notional_max: Decimal = field(description="The most notional of one position.")
    positions_max: int = field(description="The most open positions.")
    orders_max: int = field(description="The most open orders.")
    long_allowed: bool = field(description="Whether the LONG side may be opened.")
    short_allowed: bool = field(description="Whether the SHORT side may be opened.")
    symbols: list[str] = field(description="What may be traded; empty is everything.")
    fee_bps: Decimal = field(description="The fee in hundredths of a percent.")
    slippage: Slippage = field(description="The fill price.")
    quote_age_seconds_max: int = field(description="The oldest quote to fill at.")
    position_equity_pct_max: Decimal = field(
        description="The most notional of one position as a percentage of the equity."
    )
    liquidation_pct: Decimal = field(
        description="At or below this percentage of the starting balance the account is liquidated."
    )


@strawberry.type(description="The account group of a phase as it was at the sale.")
class GroupTerms(FromTerms):
    name: str = field(description="Its name.")
    kind: GroupKind = field(description="What its accounts are for.")
    currency: str = field(description="The currency of its accounts.")
    deposit: Decimal = field(description="The initial balance of its accounts.")
    policy: ExecutionPolicy = field(description="How its accounts may trade.")


@strawberry.type(description="A loss or profit limit, and what its percentage means.")
class LimitTerms(FromTerms):
    pct: Decimal = field(description="The percentage, 5 for 5 %; 0 if it is an amount.")
    amount: Decimal | None = field(description="The fixed amount, if it is one.")
    reference: Reference = field(description="Which figure of the day's start a daily limit counts from.")
    percent_of: PercentOf = field(description="What the percentage is of.")
    measured: Measured = field(description="Which figure is held against it.")
    trail: Trail = field(description="What the floor of a total loss follows.")
    trail_by: Reference = field(description="Which figure of a day's end TRAIL_END_OF_DAY follows.")
    lock_at: Decimal | None = field(
        description="A trailing floor stops once it reaches the initial balance plus this; null: never."
    )
    touch: Touch = field(description="Whether reaching it is enough.")
    consequence: Consequence = field(description="What follows when it is hit.")


@strawberry.type(description="What the most open positions of a phase mean.")
class PositionsTerms(FromTerms):
    enforced: Enforcement = field(description="Whether one more is refused, or a breach.")
    consequence: Consequence = field(description="What follows a breach.")


@strawberry.type(description="When the profit of a funded phase may be asked for, and what a payout does.")
class PayoutTerms(FromTerms):
    min_profit: Decimal = field(description="The least gross profit, in the account's currency.")
    min_trading_days: int = field(description="The least number of trading days since the last payout.")
    profitable_days: int = field(description="The least number of profitable days since the last payout.")
    cycle_days: int = field(description="The days between payouts, and before the first.")
    floor: PayoutFloor = field(description="What a payout does to a trailing floor.")
    min_amount: Decimal = field(description="The least gross profit that one payout takes.")
    min_buffer: Decimal = field(description="The least profit that stays on the account.")
    fee_back: bool = field(description="Whether the price comes back to the client with the first payout.")


@strawberry.type(description="A phase as it was sold. Days are trading days; 0 means not configured.")
class PhaseTerms(FromTerms):
    index: int = field(description="Its place, counted from 1.")
    type: PhaseType = field(description="What it is for.")
    name: str = field(description="Its name.")
    group: GroupTerms = field(description="Where its account is opened: deposit, currency and policy.")
    daily_loss: LimitTerms | None = field(description="The most loss of a day; null: none.")
    total_loss: LimitTerms | None = field(description="The most loss in all; null: none.")
    daily_profit: LimitTerms | None = field(description="The most profit of a day; null: none.")
    profit_target: LimitTerms | None = field(description="The profit that passes it; null: none.")
    profit_split: Decimal = field(description="The client's share of the profit, 0.8 for 80 %.")
    duration_days: int = field(description="It ends with this day.")
    min_trading_days: int = field(description="The least number of trading days.")
    max_trading_days: int = field(description="It ends with this many trading days.")
    max_positions: int = field(description="The most open positions.")
    positions: PositionsTerms | None = field(description="What the most open positions mean; null: no most.")
    best_day_pct: Decimal = field(description="The largest day's share of the net profit, at most.")
    profitable_days: int = field(description="The least number of profitable days.")
    profitable_day_pct: Decimal = field(description="A day above this share of the initial balance is profitable.")
    inactivity_days: int = field(description="The most days without a fill.")
    trading_day: TradingDay = field(description="Which days count as trading days.")
    trading_day_pct: Decimal = field(description="The share of the initial balance that a MOVED day moves.")
    warn_at: list[Decimal] = field(description="The shares of each limit at which its use is told.")
    payout: PayoutTerms | None = field(description="The terms of its payouts; null for a phase that pays none.")

    @classmethod
    def of_phase(cls, phase: domain.PhaseTerms) -> Self:
        """Return the phase with its parts; a limit that is not configured is None."""
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


@strawberry.type(description="The terms of a sale, frozen: they stay as they were, whatever becomes of the program.")
class Terms(FromRow):
    hash: str = field(description="The sha256 of their canonical text, in hex.")
    version: int = field(description="The version of the text's form.")

    @computed("The version the program had at the sale.")
    async def program_version(self, info: Info) -> int:
        return (await self._sold(info)).program_version

    @computed("The program's name at the sale.")
    async def name(self, info: Info) -> str:
        return (await self._sold(info)).name

    @computed("What it cost.")
    async def price(self, info: Info) -> Decimal:
        return (await self._sold(info)).price

    @computed("The currency of the price.")
    async def price_currency(self, info: Info) -> str:
        return (await self._sold(info)).price_currency

    @computed("The IANA zone of the trading days.")
    async def zone(self, info: Info) -> str:
        return (await self._sold(info)).zone

    @computed("The local time at which a trading day begins, HH:MM:SS.")
    async def day_start(self, info: Info) -> str:
        return (await self._sold(info)).day_start.isoformat()

    @computed("The client's share of the funded phase's profit, 0.8 for 80 %; 0 without such a phase.")
    async def profit_split(self, info: Info) -> Decimal:
        return (await self._sold(info)).phases[-1].profit_split

    @computed("Every phase sold, in order.")
    async def phases(self, info: Info) -> list[PhaseTerms]:
        return [PhaseTerms.of_phase(phase) for phase in (await self._sold(info)).phases]

    async def _sold(self, info: Info) -> domain.Terms:
        return await info.context.loaders.terms(self.hash)


@lru_cache(maxsize=1024)
def _frozen(text_hash: str, version: int) -> Mapping[str, str | int]:
    """The same object for the same terms, so that it is answered once however many sales have them."""
    return {"hash": text_hash, "version": version}


FROZEN_TERMS = Link(
    None, ("terms_hash", "terms_version"), lambda _, hashes, versions: list(map(_frozen, hashes, versions))
)
