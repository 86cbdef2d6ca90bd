"""Inputs for a phase of a program: its limits, payout conditions and trading days."""

from decimal import Decimal

import strawberry
from strawberry import field

from domain.terms import (
    Consequence,
    Enforcement,
    Measured,
    PayoutFloor,
    PercentOf,
    PhaseType,
    Reference,
    Touch,
    TradingDay,
    Trail,
)


@strawberry.input(description="Details of a limit. A field that is left out gets the default of that limit.")
class LimitInput:
    amount: Decimal | None = field(
        default=None, description="Fixed amount in the account's currency, instead of a percentage."
    )
    reference: Reference | None = field(default=None, description="Day-start figure from which a daily limit counts.")
    percent_of: PercentOf | None = field(default=None, description="Figure of which the percentage is taken.")
    measured: Measured | None = field(default=None, description="Figure that is compared with the level.")
    trail: Trail | None = field(default=None, description="Figure that the floor of the total loss limit follows.")
    trail_by: Reference | None = field(
        default=None,
        description="With TRAIL_END_OF_DAY: end-of-day figure that the floor follows; default BALANCE.",
    )
    lock_at: Decimal | None = field(
        default=None,
        description="Amount above the initial balance at which a trailing floor stops rising, in the account's "
        "currency.",
    )
    touch: Touch | None = field(default=None, description="Whether the limit is hit at the level or only beyond it.")
    consequence: Consequence | None = field(default=None, description="Consequence when the limit is hit.")


@strawberry.input(description="Details of the maximum number of open positions.")
class MaxPositionsInput:
    enforced: Enforcement | None = field(
        default=None,
        description="Whether more is rejected (GATE) or a breach (BREACH); default GATE.",
    )
    consequence: Consequence | None = field(default=None, description="Consequence of a breach; default FAIL.")


@strawberry.input(description="Details of the limits of a phase.")
class LimitsInput:
    daily_loss: LimitInput | None = field(default=None, description="Daily loss limit.")
    total_loss: LimitInput | None = field(default=None, description="Total loss limit.")
    daily_profit: LimitInput | None = field(default=None, description="Daily profit limit.")
    profit_target: LimitInput | None = field(default=None, description="Profit target.")
    max_positions: MaxPositionsInput | None = field(default=None, description="Maximum number of open positions.")


@strawberry.input(description="Conditions for payouts of a funded phase. A field that is left out sets no condition.")
class PayoutTermsInput:
    min_profit: Decimal | None = field(
        default=None, description="Minimum gross profit of the account, in its currency."
    )
    min_trading_days: int | None = field(
        default=None,
        description="Minimum number of trading days since the last payout or the start.",
    )
    profitable_days: int | None = field(
        default=None,
        description="Minimum number of profitable days since the last payout or the start.",
    )
    cycle_days: int | None = field(
        default=None, description="Minimum number of days between payouts, and before the first."
    )
    floor: PayoutFloor | None = field(
        default=None, description="Effect of a payout on a trailing floor; default FOLLOW."
    )
    min_amount: Decimal | None = field(
        default=None, description="Minimum gross profit taken by one payout, in the account's currency."
    )
    min_buffer: Decimal | None = field(default=None, description="Minimum profit left on the account, in its currency.")
    fee_back: bool | None = field(
        default=None,
        description="True if the price of the purchase is returned to the client's wallet with the first payout.",
    )


@strawberry.input(
    description="A phase of a program. In fields ending in `Pct`, 5 means 5 %. A limit of 0 is not configured."
)
class StepInput:
    phase_index: int = field(description="Number of the phase, counted from 1.")
    phase_type: PhaseType = field(description="Type of the phase. A funded phase must be the last one.")
    name: str = field(description="Name of the phase.")
    account_group: str = field(
        description="Name of the account group in which the phase's account is opened; its kind must be DEMO, or REAL "
        "for a funded phase."
    )
    duration_days: int | None = field(
        default=None,
        description="Maximum duration in days, traded or not; the last one ends the phase.",
    )
    max_daily_loss_pct: Decimal | None = field(default=None, description="Maximum loss per trading day, in percent.")
    max_total_loss_pct: Decimal | None = field(default=None, description="Maximum total loss, in percent.")
    max_daily_profit_pct: Decimal | None = field(
        default=None, description="Maximum profit per trading day, in percent."
    )
    profit_target_pct: Decimal | None = field(
        default=None, description="Profit at which the phase is passed, in percent."
    )
    profit_split: Decimal | None = field(
        default=None, description="Client's share of the profit, 0.8 for 80 %. Only in a funded phase."
    )
    min_trading_days: int | None = field(
        default=None,
        description="Minimum number of trading days to pass, or for the first payout.",
    )
    max_trading_days: int | None = field(
        default=None, description="Maximum number of counted trading days; the last one ends the phase."
    )
    max_positions: int | None = field(default=None, description="Maximum number of open positions.")
    best_day_pct: Decimal | None = field(
        default=None,
        description="Maximum share of the net profit made on the best day, in percent. A larger share delays passing "
        "or a payout.",
    )
    profitable_days: int | None = field(
        default=None,
        description="Minimum number of profitable days to pass, or for the first payout.",
    )
    profitable_day_pct: Decimal | None = field(
        default=None, description="Minimum profit of a profitable day, in % of the initial balance."
    )
    inactivity_days: int | None = field(default=None, description="Maximum number of days in a row without a fill.")
    trading_day: TradingDay | None = field(
        default=None, description="Condition for a day to count as a trading day; default FILL."
    )
    trading_day_pct: Decimal | None = field(
        default=None,
        description="With `tradingDay` MOVED: minimum gain or loss of a trading day, in % of the initial balance; "
        "above 0.",
    )
    warn_at: list[Decimal] | None = field(
        default=None,
        description="Shares of each limit at which an early warning is sent, each above 0 and below 1, for example "
        "0.8.",
    )
    payout: PayoutTermsInput | None = field(default=None, description="Conditions for payouts. Only in a funded phase.")
    limits: LimitsInput | None = field(default=None, description="Details of the limits that differ from the defaults.")
