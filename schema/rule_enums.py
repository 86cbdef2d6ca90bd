"""What a program's limits and rules are made of, as GraphQL enums."""

from domain.rule_table import Rule
from domain.terms import Consequence, Enforcement, Measured, PayoutFloor, PercentOf, Reference, Touch, TradingDay, Trail
from schema.engine.enum_types import describe_enum

describe_enum(
    Reference,
    "LimitReference",
    "A figure of a day's start, from which a daily limit counts, or of its end, which a trailing floor follows.",
    BALANCE="The balance.",
    EQUITY="The equity.",
    HIGHER="The higher of both.",
)
describe_enum(
    PercentOf,
    "LimitPercentOf",
    "What a limit's percentage is of.",
    INITIAL="The phase's initial balance.",
    REFERENCE="The figure the limit counts from.",
    DAY_START_BALANCE="The balance at the day's start; daily limits only.",
)
describe_enum(
    Measured,
    "LimitMeasured",
    "Which figure is held against a limit.",
    EQUITY="The equity.",
    BALANCE="The balance.",
    LOWER="The lower of both.",
)
describe_enum(
    Trail,
    "LimitTrail",
    "What the floor of a total loss follows.",
    STATIC="Nothing: it stays below the initial balance.",
    TRAIL_INTRADAY="The highest equity.",
    TRAIL_BALANCE="The highest closed balance.",
    TRAIL_END_OF_DAY="The highest balance at a day's end, or what `trailBy` says instead.",
)
describe_enum(
    PayoutFloor,
    "PayoutFloor",
    "What a payout does to the floor of a total loss that trails.",
    FOLLOW="The highs move with the money, and so does the floor.",
    KEEP="The highs stay, and so does the floor.",
    RESET="Once approved, the floor trails anew from the balance that is left.",
)
describe_enum(
    TradingDay,
    "TradingDayKind",
    "Which days count as trading days.",
    OPENED="Days on which a position was opened or increased.",
    FILL="Days on which anything was filled.",
    MOVED="Days whose closed result, gain or loss, is at least `tradingDayPct` of the initial balance.",
)
describe_enum(
    Enforcement,
    "PositionsEnforcement",
    "What the most open positions of a phase do.",
    GATE="An order beyond it is refused.",
    BREACH="A position beyond it is a breach, with its consequence; orders meet the policy's own limit only.",
)
describe_enum(
    Touch,
    "LimitTouch",
    "Whether a limit is hit when it is reached.",
    BEYOND="Only beyond it.",
    REACHED="Already when it is reached.",
)
describe_enum(
    Consequence,
    "LimitConsequence",
    "What follows when a limit is hit.",
    FAIL="The phase fails.",
    PAUSE_DAY="Nothing may be opened until the next trading day; what is open, and orders that reduce it, stay.",
    CLOSE_DAY="Orders are cancelled, positions closed at fresh quotes, and nothing may be opened until the next day.",
    WARN="It is recorded.",
)
describe_enum(
    Rule,
    "Rule",
    "A rule of a phase.",
    MAX_DAILY_LOSS="The loss since the day's start stays within its limit.",
    MAX_TOTAL_LOSS="The loss since the phase's start, or from its trailing floor, stays within its limit.",
    MAX_DAILY_PROFIT="The profit since the day's start stays within its limit.",
    LIQUIDATION="The equity stays above the policy's share of the starting balance.",
    PROFIT_TARGET="The profit that passes the phase.",
    MIN_TRADING_DAYS="The least number of trading days before the phase passes, or a funded one pays.",
    BEST_DAY="The largest day's share of the net profit, at most.",
    PROFITABLE_DAYS="The least number of profitable days before the phase passes, or a funded one pays.",
    DURATION="The phase ends with this trading day.",
    MAX_TRADING_DAYS="The phase ends with this many trading days.",
    INACTIVITY="The most days without a fill.",
    MAX_POSITIONS="The most open positions: a gate, or a breach where the terms say so.",
)
