"""The rules of a phase, one row each, as read by verdicts, progress, verify and the columnar fast path.

A level rule compares balance or equity with a level; a count rule compares a number of days or positions with the
number sold. Findings are written in the order of the rows, total loss first, as the source lists them. Which figure is
measured, whether a level counts when reached and what follows stand in each limit (`domain/terms.py`).
"""

from collections.abc import Callable
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from domain import limit_levels
from domain.accounts import Account, PhaseRun
from domain.limit_levels import Derivation
from domain.money import percent
from domain.terms import Limit, PhaseTerms, Policy


class Rule(StrEnum):
    MAX_DAILY_LOSS = "MAX_DAILY_LOSS"
    MAX_TOTAL_LOSS = "MAX_TOTAL_LOSS"
    MAX_DAILY_PROFIT = "MAX_DAILY_PROFIT"
    LIQUIDATION = "LIQUIDATION"
    PROFIT_TARGET = "PROFIT_TARGET"
    MIN_TRADING_DAYS = "MIN_TRADING_DAYS"
    BEST_DAY = "BEST_DAY"
    PROFITABLE_DAYS = "PROFITABLE_DAYS"
    DURATION = "DURATION"
    MAX_TRADING_DAYS = "MAX_TRADING_DAYS"
    INACTIVITY = "INACTIVITY"
    MAX_POSITIONS = "MAX_POSITIONS"


class LevelRule(NamedTuple):
    """A rule about balance or equity."""

    rule: Rule
    field: str  # the limit's name in PhaseTerms; in Policy if `of_policy`
    derive: Derivation
    figures: tuple[str, ...]  # of the phase, from which the level is derived: part of a finding's evidence
    ceiling: bool = False  # the level is hit from below
    of_day: bool = False  # the level begins anew with each trading day
    of_policy: bool = False  # it stands on every account, in a challenge or not
    goal: bool = False  # an evaluation is won by reaching it

    def limit(self, terms: PhaseTerms, policy: Policy) -> Limit:
        """Return the rule's limit as sold."""
        limit: Limit = getattr(policy if self.of_policy else terms, self.field)
        return limit


LEVEL_RULES = (
    LevelRule(
        Rule.MAX_TOTAL_LOSS,
        "total_loss",
        limit_levels.total_loss,
        ("initial_balance", "peak_equity", "peak_balance", "peak_end_of_day"),
    ),
    LevelRule(
        Rule.MAX_DAILY_LOSS,
        "daily_loss",
        limit_levels.daily_loss,
        ("initial_balance", "day_start_balance", "day_start_equity", "day_withdrawn"),
        of_day=True,
    ),
    LevelRule(
        Rule.MAX_DAILY_PROFIT,
        "daily_profit",
        limit_levels.daily_profit,
        ("initial_balance", "day_start_balance", "day_start_equity"),
        ceiling=True,
        of_day=True,
    ),
    LevelRule(Rule.LIQUIDATION, "liquidation", limit_levels.liquidation, (), of_policy=True),
    LevelRule(
        Rule.PROFIT_TARGET, "profit_target", limit_levels.profit_target, ("initial_balance",), ceiling=True, goal=True
    ),
)
LOSS_RULES = tuple(row for row in LEVEL_RULES if not row.goal)
"""Those that a phase breaks."""
LEVEL_RULE = {row.rule: row for row in LEVEL_RULES}
TRAILING = LEVEL_RULE[Rule.MAX_TOTAL_LOSS]
"""The only rule whose floor can follow a new high of equity within a day."""


class Effect(Enum):
    """The effect of a count on the end of a phase."""

    DELAYS = auto()  # an evaluation is not won before it is reached
    ENDS = auto()  # reached as a day ends: an evaluation fails, a funded phase is paid out
    FAILS = auto()  # reached as a day ends: the phase fails
    LIMITS = auto()  # exceeded at any mark: a breach, where the terms enforce it so


class CountRule(NamedTuple):
    """A rule about a number of days or positions; 0 in the terms means that it is not configured."""

    rule: Rule
    field: str  # the number's name in PhaseTerms
    count_of: Callable[[Account, PhaseTerms], int]
    effect: Effect

    def sold(self, terms: PhaseTerms) -> int:
        """Return the number as sold."""
        number: int = getattr(terms, self.field)
        return number


def run_of(account: Account) -> PhaseRun:
    """Return the account's phase; to judge an account without one is a fault."""
    assert account.phase is not None, "only an account in a challenge is judged"
    return account.phase


def days_profitable(account: Account, terms: PhaseTerms) -> int:
    """Days with a profit above the terms' share of the initial balance, today so far included."""
    phase = run_of(account)
    today = account.balance - phase.day_start_balance
    return phase.days_profitable + (today > percent(phase.initial_balance, terms.profitable_day_pct))


def days_idle(account: Account, _: PhaseTerms) -> int:
    """Trading days since the last one with a fill, this one included; the starting day counts as one."""
    phase = run_of(account)
    return phase.day - phase.last_fill_day


COUNT_RULES = (
    CountRule(Rule.MIN_TRADING_DAYS, "min_trading_days", lambda account, _: run_of(account).days_traded, Effect.DELAYS),
    CountRule(Rule.PROFITABLE_DAYS, "profitable_days", days_profitable, Effect.DELAYS),
    CountRule(Rule.DURATION, "duration_days", lambda account, _: run_of(account).day, Effect.ENDS),
    CountRule(Rule.MAX_TRADING_DAYS, "max_trading_days", lambda account, _: run_of(account).days_traded, Effect.ENDS),
    CountRule(Rule.INACTIVITY, "inactivity_days", days_idle, Effect.FAILS),
    CountRule(Rule.MAX_POSITIONS, "max_positions", lambda account, _: len(account.positions), Effect.LIMITS),
)
COUNT_RULE = {row.rule: row for row in COUNT_RULES}
