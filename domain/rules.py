"""The judge: what an account's figures say under its phase's terms, with the evidence (design, section 6).

After each mark `judge` finds limits that are broken, `warn` those of which the terms' shares are used up, and `passes`
says whether the phase is won; `judge_day_end` and `ends_by_passing` speak when a trading day ends. Best day and
profitable days never fail a phase, they only delay it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import NamedTuple

from domain import levels
from domain.accounts import Account, Finding, PhaseRun
from domain.ledger import Facts
from domain.money import EIGHTH, EXACT, HUNDRED, ONE, ZERO, divide, multiply, percent, plain, round8
from domain.terms import Consequence, Enforcement, Limit, PhaseTerms, PhaseType, Touch, limit_facts
from domain.values import last

ENDLESS = Decimal("Infinity")


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


class Bound(NamedTuple):
    """A level and the side of it that is hit: below a floor, above a ceiling."""

    rule: Rule
    limit: Limit
    reference: Decimal  # what the level is counted from
    level: Decimal
    ceiling: bool = False
    share: Decimal = ONE  # of the way to the limit; below 1 it is an early warning's

    def headroom(self, observed: Decimal) -> Decimal:
        """The distance left to the level, negative beyond it."""
        return self.level - observed if self.ceiling else observed - self.level

    def hit(self, observed: Decimal) -> bool:
        """Is it beyond the level, or at one that counts when reached?"""
        if observed == self.level:
            return self.limit.touch is Touch.REACHED
        return observed > self.level if self.ceiling else observed < self.level


def daily_loss(limit: Limit, initial: Decimal, balance: Decimal, equity: Decimal) -> Bound:
    """Of the balance and equity at the day's start."""
    floor = levels.daily_floor(limit, initial, balance, equity)
    return Bound(Rule.MAX_DAILY_LOSS, limit, levels.daily_reference(limit, balance, equity), floor)


def total_loss(
    limit: Limit, initial: Decimal, peak_equity: Decimal, peak_balance: Decimal, peak_end_of_day: Decimal
) -> Bound:
    reference = levels.total_reference(limit, initial, peak_equity, peak_balance, peak_end_of_day)
    floor = levels.total_floor(limit, initial, peak_equity, peak_balance, peak_end_of_day)
    return Bound(Rule.MAX_TOTAL_LOSS, limit, reference, floor)


def daily_profit(limit: Limit, initial: Decimal, balance: Decimal, equity: Decimal) -> Bound:
    """Of the balance and equity at the day's start."""
    ceiling = levels.daily_ceiling(limit, initial, balance, equity)
    return Bound(Rule.MAX_DAILY_PROFIT, limit, levels.daily_reference(limit, balance, equity), ceiling, ceiling=True)


def liquidation(limit: Limit, starting_balance: Decimal) -> Bound:
    return Bound(Rule.LIQUIDATION, limit, starting_balance, levels.liquidation_level(limit.pct, starting_balance))


def liquidation_bound(account: Account) -> Bound:
    """The policy's own floor; it stands on every account, in a challenge or not."""
    return liquidation(account.policy.liquidation, account.starting_balance)


FIGURES: dict[Rule, tuple[str, ...]] = {
    Rule.MAX_DAILY_LOSS: ("initial_balance", "day_start_balance", "day_start_equity", "day_withdrawn"),
    Rule.MAX_TOTAL_LOSS: ("initial_balance", "peak_equity", "peak_balance", "peak_end_of_day"),
    Rule.MAX_DAILY_PROFIT: ("initial_balance", "day_start_balance", "day_start_equity"),
    Rule.LIQUIDATION: (),
}
"""The phase's figures from which each level is derived."""


def run_of(account: Account) -> PhaseRun:
    """The account's phase; to judge an account without one is a fault."""
    assert account.phase is not None, "only an account in a challenge is judged"
    return account.phase


class Levels(NamedTuple):
    """The configured bounds, and between what no figure reaches any of them, nor the target."""

    bounds: tuple[Bound, ...]
    floor: Decimal  # the highest
    ceiling: Decimal  # the lowest


def configured(account: Account, terms: PhaseTerms) -> tuple[Bound, ...]:
    """The level of every configured limit, in the order in which findings are written."""
    return _levels_of(account, terms).bounds


def is_between(account: Account, terms: PhaseTerms) -> bool:
    """Do balance and equity lie strictly between all levels? Then nothing is broken, and nothing won."""
    (_, floor, ceiling), balance, equity = _levels_of(account, terms), account.balance, account.equity
    return floor < balance < ceiling and floor < equity < ceiling


def _levels_of(account: Account, terms: PhaseTerms) -> Levels:
    phase = run_of(account)
    return _levels(
        terms,
        account.policy.liquidation,
        account.starting_balance,
        phase.initial_balance,
        phase.day_start_balance,
        phase.day_start_equity,
        phase.peak_equity,
        phase.peak_balance,
        phase.peak_end_of_day,
        phase.day_withdrawn,
    )


@last
def _levels(
    terms: PhaseTerms, of_policy: Limit, starting_balance: Decimal, initial: Decimal, *figures: Decimal
) -> Levels:
    """The same while an account trades and makes no new high."""
    balance, equity, *highs, withdrawn = figures
    of_day, peaks = (initial, balance, equity), (initial, *highs)
    as_begun = (initial, balance + withdrawn, equity + withdrawn)
    every: tuple[tuple[Limit, Callable[..., Bound], tuple[Decimal, ...]], ...] = (
        (terms.total_loss, total_loss, peaks),
        (terms.daily_loss, daily_loss, as_begun),
        (terms.daily_profit, daily_profit, of_day),
        (of_policy, liquidation, (starting_balance,)),
    )
    bounds = tuple(bound(limit, *figures) for limit, bound, figures in every if limit.configured)
    goal = _target(terms, initial)
    return Levels(
        bounds,
        floor=max((bound.level for bound in bounds if not bound.ceiling), default=-ENDLESS),
        ceiling=min((bound.level for bound in (*bounds, goal) if bound and bound.ceiling), default=ENDLESS),
    )


def bounds(account: Account, terms: PhaseTerms) -> list[Bound]:
    """Every configured limit that has not been found already today."""
    found = run_of(account).day_findings
    return [bound for bound in configured(account, terms) if bound.rule not in found]


def warnings(account: Account, terms: PhaseTerms) -> list[Bound]:
    """The early warnings not told today, of every limit not found today; one is due when its level is reached."""
    if not terms.warn_at:
        return []
    told = run_of(account).day_findings
    early = [_early(bound, share) for bound in bounds(account, terms) for share in terms.warn_at]
    return [bound for bound in early if warning_name(bound.rule, plain(bound.share)) not in told]


def warning_name(rule: str, share: str) -> str:
    """Under which an early warning is told once a day."""
    return f"{rule}@{share}"


def _early(bound: Bound, share: Decimal) -> Bound:
    level = round8(bound.reference + multiply(bound.level - bound.reference, share))
    return bound._replace(level=level, limit=replace(bound.limit, touch=Touch.REACHED), share=share)


def warn(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """The early warnings that the mark of a batch made due, after what it broke was found.

    The level is the warning's own; its share of the limit stands in the derivation.
    """
    due = []
    for bound in warnings(account, terms):
        observed = levels.observe(bound.limit.measured, account.balance, account.equity)
        if bound.hit(observed):
            due.append(replace(_broken(account, bound, observed, batch, at), consequence=Consequence.WARN))
    return due


def liquidation_by_hand(account: Account, why: Facts, batch: int, at: datetime) -> Finding:
    """The evidence of a liquidation that was ordered: the level and what is left to it, which may be much, and why."""
    finding = _broken(account, liquidation_bound(account), account.equity, batch, at)
    return replace(finding, derivation=finding.derivation | {"by_hand": True} | why)


def judge(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """What the mark of a batch broke, in the source's order, total loss first; `at` is its market time."""
    found, balance, equity, told = [], account.balance, account.equity, run_of(account).day_findings
    for bound in configured(account, terms):
        observed = levels.observe(bound.limit.measured, balance, equity)
        if bound.hit(observed) and bound.rule not in told:
            found.append(_broken(account, bound, observed, batch, at))
    if has_too_many_positions(account, terms) and Rule.MAX_POSITIONS not in told:
        found.append(_too_many(account, terms, batch, at))
    return found


def has_too_many_positions(account: Account, terms: PhaseTerms) -> bool:
    """Are more positions open than the terms allow, and is that a breach?"""
    return terms.positions.enforced is Enforcement.BREACH and 0 < terms.max_positions < len(account.positions)


def _too_many(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> Finding:
    counted: Facts = {"positions": len(account.positions), "enforced": terms.positions.enforced.value}
    finding = _count(account, Rule.MAX_POSITIONS, terms.max_positions, len(account.positions), batch, at, counted)
    return replace(finding, consequence=terms.positions.consequence)


def _broken(account: Account, bound: Bound, observed: Decimal, batch: int, at: datetime) -> Finding:
    phase, limit = run_of(account), bound.limit
    return Finding(
        phase_id=phase.id,
        challenge_id=phase.challenge_id,
        account_id=account.id,
        rule=bound.rule,
        consequence=limit.consequence,
        day=phase.day,
        day_date=phase.day_date,
        market_time=at,
        batch=batch,
        limit=limit.pct if limit.amount is None else limit.amount,
        floor=bound.level,
        observed=observed,
        headroom=bound.headroom(observed),
        derivation=_derivation(account, bound),
    )


def _derivation(account: Account, bound: Bound) -> Facts:
    """The limit as sold, and every figure the level and the observation come from."""
    figures = {name: plain(getattr(run_of(account), name)) for name in FIGURES[bound.rule]}
    return {
        **limit_facts(bound.limit),
        **figures,
        **({"share": plain(bound.share)} if bound.share < 1 else {}),
        "counted_from": plain(bound.reference),
        "balance": plain(account.balance),
        "equity": plain(account.equity),
    }


def judge_day_end(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """What the end of `phase.day` breaks, called before the day rolls. Time running out fails only an evaluation."""
    phase, evaluation = run_of(account), terms.type is PhaseType.EVALUATION
    counts = (
        (Rule.DURATION, terms.duration_days if evaluation else 0, phase.day),
        (Rule.MAX_TRADING_DAYS, terms.max_trading_days if evaluation else 0, phase.days_traded),
        (Rule.INACTIVITY, terms.inactivity_days, days_idle(phase)),
    )
    return [_run_out(account, rule, most, done, batch, at) for rule, most, done in counts if 0 < most <= done]


def days_idle(phase: PhaseRun) -> int:
    """Trading days since the last one with a fill, this one included; the starting day counts as one."""
    return phase.day - phase.last_fill_day


def _run_out(account: Account, rule: Rule, most: int, done: int, batch: int, at: datetime) -> Finding:
    phase = run_of(account)
    counted: Facts = {
        "day": phase.day,
        "days_traded": phase.days_traded,
        "last_fill_day": phase.last_fill_day,
        "started_at": phase.started_at.isoformat(),
    }
    return _count(account, rule, most, done, batch, at, counted)


def _count(account: Account, rule: Rule, most: int, done: int, batch: int, at: datetime, derivation: Facts) -> Finding:
    """The finding of a count of days or of positions; it fails the phase."""
    phase = run_of(account)
    return Finding(
        phase_id=phase.id,
        challenge_id=phase.challenge_id,
        account_id=account.id,
        rule=rule,
        consequence=Consequence.FAIL,
        day=phase.day,
        day_date=phase.day_date,
        market_time=at,
        batch=batch,
        limit=Decimal(most),
        floor=Decimal(most),
        observed=Decimal(done),
        headroom=Decimal(most - done),
        derivation=derivation,
    )


def ends_by_passing(account: Account, terms: PhaseTerms) -> Rule | None:
    """The rule by which a funded phase that has not breached ends, its profit paid, as `phase.day` ends."""
    phase = run_of(account)
    if terms.type is not PhaseType.FUNDED:
        return None
    if 0 < terms.duration_days <= phase.day:
        return Rule.DURATION
    return Rule.MAX_TRADING_DAYS if 0 < terms.max_trading_days <= phase.days_traded else None


def passes(account: Account, terms: PhaseTerms) -> bool:
    """Is the evaluation won: its target met, and everything else that only delays holds at once?

    Positions may be open; what they count for is the target's own axis.
    """
    goal = target(run_of(account), terms)
    if goal is None or not goal.hit(levels.observe(goal.limit.measured, account.balance, account.equity)):
        return False
    return qualifies(account, terms)


def target(phase: PhaseRun, terms: PhaseTerms) -> Bound | None:
    """The level an evaluation must meet; a funded phase has none."""
    return _target(terms, phase.initial_balance)


@last
def _target(terms: PhaseTerms, initial: Decimal) -> Bound | None:
    limit = terms.profit_target
    if terms.type is not PhaseType.EVALUATION or not limit.configured:
        return None
    return Bound(Rule.PROFIT_TARGET, limit, initial, levels.target_level(limit, initial), ceiling=True)


def qualifies(account: Account, terms: PhaseTerms) -> bool:
    """Does everything but the target hold? None of it depends on open positions."""
    phase = run_of(account)
    net = account.balance - phase.initial_balance
    return (
        phase.days_traded >= terms.min_trading_days
        and days_profitable(account, terms) >= terms.profitable_days
        and best_day_holds(terms.best_day_pct, best_day(account), net)
    )


def profit_today(account: Account) -> Decimal:
    """The balance's gain since the day began, negative for a loss."""
    return account.balance - run_of(account).day_start_balance


def best_day(account: Account) -> Decimal:
    """The largest profit of one day, today's so far included."""
    return max(run_of(account).best_day_profit, profit_today(account))


def best_day_holds(pct: Decimal, best: Decimal, net: Decimal) -> bool:
    """Is the best day's share of the net profit at most `pct` hundredths? 0 = not configured."""
    return pct == 0 or multiply(best, HUNDRED) <= multiply(net, pct)


def best_day_needs(pct: Decimal, best: Decimal) -> Decimal:
    """The least net profit, in eight places, at which the best day's share is small enough."""
    needed = divide(multiply(best, HUNDRED), pct).quantize(EIGHTH, rounding=ROUND_CEILING, context=EXACT)
    return max(ZERO, needed)


def days_profitable(account: Account, terms: PhaseTerms) -> int:
    """Days with a profit above the terms' share of the initial balance, today's so far included."""
    phase = run_of(account)
    return phase.days_profitable + (profit_today(account) > percent(phase.initial_balance, terms.profitable_day_pct))
