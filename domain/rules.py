"""The judge: what an account's figures say under its phase's terms, with the evidence (design, section 6).

After each mark `judge` finds limits that are broken, `warn` those of which the terms' shares are used up, and `passes`
says whether the phase is won; `judge_day_end` and `ends_by_passing` speak when a trading day ends. Best day and
profitable days never fail a phase, they only delay it.
"""

from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from domain import limit_levels
from domain.accounts import Account, Finding, PhaseRun
from domain.arithmetic import DECIMAL
from domain.frozen import memoize_last
from domain.ledger import Facts
from domain.limit_levels import LevelFigures
from domain.money import AMOUNT_UNIT, EXACT, HUNDRED, ONE, ZERO, divide, multiply, plain, round8
from domain.rule_table import COUNT_RULES, LEVEL_RULE, LOSS_RULES, Effect, LevelRule, Rule, run_of
from domain.terms import Consequence, Enforcement, Limit, PhaseTerms, PhaseType, Policy, Touch, limit_facts

ENDLESS = Decimal("Infinity")


class Bound(NamedTuple):
    """A level and the side of it that is hit: below a floor, above a ceiling."""

    rule: Rule
    limit: Limit
    reference: Decimal  # what the level is counted from
    level: Decimal
    ceiling: bool = False
    share: Decimal = ONE  # of the way to the limit; below 1 it is an early warning's

    def headroom(self, observed: Decimal) -> Decimal:
        """Return the distance left to the level, negative beyond it."""
        return self.level - observed if self.ceiling else observed - self.level

    def hit(self, observed: Decimal) -> bool:
        """Return whether the figure is beyond the level, or at a level that counts when it is reached."""
        if observed == self.level:
            return self.limit.touch is Touch.REACHED
        return observed > self.level if self.ceiling else observed < self.level


def _bound(row: LevelRule, limit: Limit, figures: LevelFigures[Decimal]) -> Bound:
    reference, level = row.derive(limit, figures, DECIMAL)
    return Bound(row.rule, limit, reference, level, row.ceiling)


def liquidation_bound(account: Account) -> Bound:
    """Return the policy's own floor; it stands on every account, in a challenge or not."""
    figures = LevelFigures(account.starting_balance, *[ZERO] * (len(LevelFigures._fields) - 1))
    return _bound(LEVEL_RULE[Rule.LIQUIDATION], account.policy.liquidation, figures)


class Levels(NamedTuple):
    """The configured bounds, and between what no figure reaches any of them, nor the target."""

    bounds: tuple[Bound, ...]
    floor: Decimal  # the highest
    ceiling: Decimal  # the lowest


def configured(account: Account, terms: PhaseTerms) -> tuple[Bound, ...]:
    """Return the level of every configured limit, in the order in which findings are written."""
    return _levels_of(account, terms).bounds


def is_between(account: Account, terms: PhaseTerms) -> bool:
    """Return whether balance and equity lie strictly between all levels, so that no rule is met."""
    (_, floor, ceiling), balance, equity = _levels_of(account, terms), account.balance, account.equity
    return floor < balance < ceiling and floor < equity < ceiling


def _levels_of(account: Account, terms: PhaseTerms) -> Levels:
    phase = run_of(account)
    return _levels(
        terms,
        account.policy,
        account.starting_balance,
        phase.initial_balance,
        phase.day_start_balance,
        phase.day_start_equity,
        phase.day_withdrawn,
        phase.peak_equity,
        phase.peak_balance,
        phase.peak_end_of_day,
    )


@memoize_last
def _levels(terms: PhaseTerms, policy: Policy, *figures: Decimal) -> Levels:
    """Return the same while an account trades and makes no new high."""
    bounds = tuple(
        _bound(row, limit, LevelFigures(*figures))
        for row in LOSS_RULES
        if (limit := row.limit(terms, policy)).configured
    )
    goal = _target(terms, figures[1])
    return Levels(
        bounds,
        floor=max((bound.level for bound in bounds if not bound.ceiling), default=-ENDLESS),
        ceiling=min((bound.level for bound in (*bounds, goal) if bound and bound.ceiling), default=ENDLESS),
    )


def bounds(account: Account, terms: PhaseTerms) -> list[Bound]:
    """Return every configured limit that has no finding yet today."""
    found = run_of(account).day_findings
    return [bound for bound in configured(account, terms) if bound.rule not in found]


def warnings(account: Account, terms: PhaseTerms) -> list[Bound]:
    """Return the early warnings that were not sent today, of limits without a finding today."""
    if not terms.warn_at:
        return []
    told = run_of(account).day_findings
    early = [_early(bound, share) for bound in bounds(account, terms) for share in terms.warn_at]
    return [bound for bound in early if warning_name(bound.rule, plain(bound.share)) not in told]


def warning_name(rule: str, share: str) -> str:
    """Return the name under which an early warning is sent once a day."""
    return f"{rule}@{share}"


def _early(bound: Bound, share: Decimal) -> Bound:
    level = round8(bound.reference + multiply(bound.level - bound.reference, share))
    return bound._replace(level=level, limit=replace(bound.limit, touch=Touch.REACHED), share=share)


def warn(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """Return the early warnings that the mark of a batch made due, after what it broke was found.

    The level is the warning's own; its share of the limit stands in the derivation.
    """
    due = []
    for bound in warnings(account, terms):
        observed = limit_levels.observed_figure(bound.limit.measured, account.balance, account.equity)
        if bound.hit(observed):
            due.append(replace(_broken(account, bound, observed, batch, at), consequence=Consequence.WARN))
    return due


def liquidation_by_hand(account: Account, why: Facts, batch: int, at: datetime) -> Finding:
    """The evidence of an ordered liquidation: the level, the distance to it, which may be large, and the reason."""
    finding = _broken(account, liquidation_bound(account), account.equity, batch, at)
    return replace(finding, derivation=finding.derivation | {"by_hand": True} | why)


def judge(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """Return what the mark of a batch broke, in the source's order, total loss first; `at` is its market time."""
    found, balance, equity, told = [], account.balance, account.equity, run_of(account).day_findings
    for bound in configured(account, terms):
        observed = limit_levels.observed_figure(bound.limit.measured, balance, equity)
        if bound.hit(observed) and bound.rule not in told:
            found.append(_broken(account, bound, observed, batch, at))
    if has_too_many_positions(account, terms) and Rule.MAX_POSITIONS not in told:
        found.append(_too_many(account, terms, batch, at))
    return found


def has_too_many_positions(account: Account, terms: PhaseTerms) -> bool:
    """Return whether more positions are open than the terms allow, where that is a breach."""
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
    """Return the limit as sold, and every figure the level and the observation come from."""
    figures = {name: plain(getattr(run_of(account), name)) for name in LEVEL_RULE[bound.rule].figures}
    return {
        **limit_facts(bound.limit),
        **figures,
        **({"share": plain(bound.share)} if bound.share < 1 else {}),
        "counted_from": plain(bound.reference),
        "balance": plain(account.balance),
        "equity": plain(account.equity),
    }


def judge_day_end(account: Account, terms: PhaseTerms, batch: int, at: datetime) -> list[Finding]:
    """Return the findings at the end of `phase.day`, before the day rolls over. A time limit fails evaluations only."""
    ends = (Effect.ENDS, Effect.FAILS) if terms.type is PhaseType.EVALUATION else (Effect.FAILS,)
    counts = ((row.rule, row.sold(terms), row.count_of(account, terms)) for row in COUNT_RULES if row.effect in ends)
    return [_run_out(account, rule, most, done, batch, at) for rule, most, done in counts if 0 < most <= done]


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
    """Return the finding of a count of days or of positions; it fails the phase."""
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
    """Return the rule by which a funded phase that has not breached ends, its profit paid, as `phase.day` ends."""
    if terms.type is not PhaseType.FUNDED:
        return None
    ends = (row for row in COUNT_RULES if row.effect is Effect.ENDS)
    return next((row.rule for row in ends if 0 < row.sold(terms) <= row.count_of(account, terms)), None)


def passes(account: Account, terms: PhaseTerms) -> bool:
    """Return whether the evaluation is passed: its target is met and every other condition holds at the same time.

    Positions may be open; what they count for is the target's own axis.
    """
    goal = target(run_of(account), terms)
    if goal is None or not goal.hit(limit_levels.observed_figure(goal.limit.measured, account.balance, account.equity)):
        return False
    return qualifies(account, terms)


def target(phase: PhaseRun, terms: PhaseTerms) -> Bound | None:
    """Return the level an evaluation must meet; a funded phase has none."""
    return _target(terms, phase.initial_balance)


@memoize_last
def _target(terms: PhaseTerms, initial: Decimal) -> Bound | None:
    limit = terms.profit_target
    if terms.type is not PhaseType.EVALUATION or not limit.configured:
        return None
    figures = LevelFigures(ZERO, initial, *[ZERO] * (len(LevelFigures._fields) - 2))
    return _bound(LEVEL_RULE[Rule.PROFIT_TARGET], limit, figures)


def qualifies(account: Account, terms: PhaseTerms) -> bool:
    """Return whether every condition but the target holds. None of them depends on open positions."""
    net = account.balance - run_of(account).initial_balance
    delays = (row for row in COUNT_RULES if row.effect is Effect.DELAYS)
    return all(row.count_of(account, terms) >= row.sold(terms) for row in delays) and best_day_holds(
        terms.best_day_pct, best_day(account), net
    )


def profit_today(account: Account) -> Decimal:
    """Return the balance's gain since the day began, negative for a loss."""
    return account.balance - run_of(account).day_start_balance


def best_day(account: Account) -> Decimal:
    """Return the largest profit of one day, today's so far included."""
    return max(run_of(account).best_day_profit, profit_today(account))


def best_day_holds(pct: Decimal, best: Decimal, net: Decimal) -> bool:
    """Return whether the best day's share of the net profit is at most `pct` percent; 0 means not configured."""
    return pct == 0 or multiply(best, HUNDRED) <= multiply(net, pct)


def best_day_needs(pct: Decimal, best: Decimal) -> Decimal:
    """Return the least net profit, in eight places, at which the best day's share is small enough."""
    needed = divide(multiply(best, HUNDRED), pct).quantize(AMOUNT_UNIT, rounding=ROUND_CEILING, context=EXACT)
    return max(ZERO, needed)
