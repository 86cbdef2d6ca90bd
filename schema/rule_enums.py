"""Descriptions of the enums of limits and rules for GraphQL."""

from domain.rule_table import Rule
from domain.terms import (
    Consequence,
    Enforcement,
    Measured,
    PayoutFloor,
    PercentOf,
    Reference,
    Touch,
    TradingDay,
    Trail,
)
from schema.engine.enum_types import describe_enum

describe_enum(
    Reference,
    "LimitReference",
    "Day-start figure from which a daily limit counts, or at the end of the day, which a trailing floor follows.",
    BALANCE="Balance: cash without open profit.",
    EQUITY="Equity: balance plus open profit or loss.",
    HIGHER="The higher of balance and equity.",
)
describe_enum(
    PercentOf,
    "LimitPercentOf",
    "Figure of which a limit's percentage is taken.",
    INITIAL="Initial balance of the phase.",
    REFERENCE="Figure from which the limit counts.",
    DAY_START_BALANCE="Balance at the start of the trading day. Only for daily limits.",
)
describe_enum(
    Measured,
    "LimitMeasured",
    "Figure that is compared with the level.",
    EQUITY="Equity: balance plus open profit or loss.",
    BALANCE="Balance: cash without open profit.",
    LOWER="The lower of balance and equity.",
)
describe_enum(
    Trail,
    "LimitTrail",
    "Figure that the floor of the total loss limit follows.",
    STATIC="None: the floor stays at a fixed distance below the initial balance.",
    TRAIL_INTRADAY="The highest equity.",
    TRAIL_BALANCE="The highest balance.",
    TRAIL_END_OF_DAY="The highest balance at the end of a trading day, or the figure set by `trailBy`.",
)
describe_enum(
    PayoutFloor,
    "PayoutFloor",
    "Effect of a payout on a trailing floor of the total loss limit.",
    FOLLOW="The peaks fall by the amount paid out, and the floor follows them.",
    KEEP="The peaks and the floor stay.",
    RESET="When the payout is approved, the floor starts to trail anew from the remaining balance.",
)
describe_enum(
    TradingDay,
    "TradingDayKind",
    "Condition for a day to count as a trading day.",
    OPENED="A position was opened or increased on the day.",
    FILL="Any order was filled on the day.",
    MOVED="The day's realised gain or loss is at least `tradingDayPct` of the initial balance.",
)
describe_enum(
    Enforcement,
    "PositionsEnforcement",
    "Enforcement of the maximum number of open positions of a phase.",
    GATE="An order beyond the maximum is rejected.",
    BREACH="A position beyond the maximum is a breach; orders are limited by the execution policy only.",
)
describe_enum(
    Touch,
    "LimitTouch",
    "Point at which a limit is hit.",
    BEYOND="Only beyond the level.",
    REACHED="At the level or beyond it.",
)
describe_enum(
    Consequence,
    "LimitConsequence",
    "Consequence when a limit is hit.",
    FAIL="The phase fails.",
    PAUSE_DAY="No position may be opened or increased until the next trading day. Open positions, and orders that "
    "reduce them, stay.",
    CLOSE_DAY="Orders are cancelled, positions are closed at the next fresh quotes, and no position may be opened "
    "until the next trading day.",
    WARN="The breach is only recorded.",
)
describe_enum(
    Rule,
    "Rule",
    "Rule of a phase.",
    MAX_DAILY_LOSS="Maximum loss since the start of the trading day.",
    MAX_TOTAL_LOSS="Maximum loss since the start of the phase, or from the peak if the floor trails.",
    MAX_DAILY_PROFIT="Maximum profit since the start of the trading day.",
    LIQUIDATION="Liquidation level: minimum equity in % of the starting balance, set by the execution policy.",
    PROFIT_TARGET="Profit at which the phase is passed.",
    MIN_TRADING_DAYS="Minimum number of trading days before the phase can be passed or, in a funded phase, pays.",
    BEST_DAY="Maximum share of the net profit made on the best day.",
    PROFITABLE_DAYS="Minimum number of profitable days before the phase can be passed or, in a funded phase, pays.",
    DURATION="Maximum duration of the phase in days of the calendar, traded or not.",
    MAX_TRADING_DAYS="Maximum number of days that count as trading days.",
    INACTIVITY="Maximum number of days in a row without a fill.",
    MAX_POSITIONS="Maximum number of open positions, enforced by a gate or as a breach.",
)
