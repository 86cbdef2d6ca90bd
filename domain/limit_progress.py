"""Distance of an account from its limits: as equity thresholds for the columnar fold, as progress for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from domain import limit_levels, rules
from domain.accounts import Account, PhaseRun
from domain.arithmetic import DECIMAL
from domain.money import AMOUNT_MAX, EXACT, ONE, ZERO, divide
from domain.payouts import Cycle
from domain.rule_table import COUNT_RULES, TRAILING, Rule, run_of
from domain.rules import Bound
from domain.terms import Measured, PhaseTerms, Trail

FOUR_PLACES = Decimal("0.0001")
ALWAYS = AMOUNT_MAX  # no equity is above it: an account with this `low` is looked at in every batch


@dataclass(frozen=True, slots=True)
class EquityThresholds:
    """Equity strictly between these, and no new high where `new_peak`, changes no verdict by itself.

    They err on the side of looking: reaching one is a reason to judge, not yet a verdict. They hold while cash, day
    and phase stay as they are.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    new_peak: bool = False  # a high above phase.peak_equity moves a floor


def equity_thresholds(account: Account, terms: PhaseTerms | None) -> EquityThresholds:
    """Return the bounds of an account; without a challenge only its liquidation level, after a phase nothing.

    `terms` may be None where no phase runs.
    """
    if account.phase is None:
        bound = rules.liquidation_bound(account)
        return EquityThresholds(low=bound.level if bound.limit.configured else None)
    if not account.phase.running:
        return EquityThresholds()
    assert terms is not None, "a running phase has terms"
    bounds = rules.bounds(account, terms) + rules.warnings(account, terms)
    goal = rules.target(account.phase, terms)
    if goal is not None and rules.qualifies(account, terms):
        bounds.append(goal)
    crowded = rules.has_too_many_positions(account, terms) and Rule.MAX_POSITIONS not in account.phase.day_findings
    if crowded or any(_certain(bound, account.balance) for bound in bounds):
        return EquityThresholds(low=ALWAYS)
    watched = [bound for bound in bounds if _open(bound, account.balance)]
    return EquityThresholds(
        low=max((bound.level for bound in watched if not bound.ceiling), default=None),
        high=min((bound.level for bound in watched if bound.ceiling), default=None),
        new_peak=any(_moves_with_equity(bound, account.phase) for bound in bounds),
    )


def _certain(bound: Bound, balance: Decimal) -> bool:
    """Return whether the balance alone meets the level, whatever equity is."""
    alone = bound.limit.measured is Measured.BALANCE or (bound.limit.measured is Measured.LOWER and not bound.ceiling)
    return alone and bound.hit(balance)


def _open(bound: Bound, balance: Decimal) -> bool:
    """Return whether equity can meet the level. The lower of both exceeds a ceiling only if the balance does."""
    if bound.limit.measured is Measured.LOWER and bound.ceiling:
        return bound.hit(balance)
    return bound.limit.measured is not Measured.BALANCE


def _moves_with_equity(bound: Bound, phase: PhaseRun) -> bool:
    """Return whether a new high of equity raises this floor. A locked floor does not; its early warning does."""
    if bound.rule is not TRAILING.rule or bound.limit.trail is not Trail.TRAIL_INTRADAY:
        return False
    return bound.share < 1 or bound.level != limit_levels.trail_stop(bound.limit, phase.initial_balance, DECIMAL)


@dataclass(frozen=True, slots=True)
class Progress:
    """One configured rule: amounts in the account's currency, or counts of days (or positions)."""

    rule: Rule
    limit: Decimal  # the configured percentage, amount or count
    measured: Decimal
    level: Decimal  # the floor, ceiling, or what is needed
    headroom: Decimal  # what is left to the level, negative beyond it
    done: Decimal  # how far it has gone: the loss or profit so far, negative for its opposite; the days, the positions
    needed: Decimal  # how far it is to the level in all, in the same unit
    used: Decimal  # done / needed, a share cut to 4 places and never negative: 0 at the start, 1 at the level


def progress(account: Account, terms: PhaseTerms, cycle: Cycle | None = None) -> list[Progress]:
    """Return the account's progress on every configured rule, in the order of `Rule`.

    `cycle` is a funded phase's: its best day counts since the last payout.
    """
    phase = run_of(account)
    goal = rules.target(phase, terms)
    bounds = rules.configured(account, terms)
    amounts = [_distance(account, bound) for bound in (*bounds, *([goal] if goal else []))]
    done = {item.rule: item for item in (*amounts, *_best_day(account, terms, cycle), *_counts(account, terms))}
    return [done[rule] for rule in Rule if rule in done]


def liquidation_progress(account: Account) -> list[Progress]:
    """Return the progress of an account outside a challenge on its only rule, the policy's liquidation level."""
    bound = rules.liquidation_bound(account)
    return [_distance(account, bound)] if bound.limit.configured else []


def _distance(account: Account, bound: Bound) -> Progress:
    limit, observed = bound.limit, limit_levels.observed_figure(bound.limit.measured, account.balance, account.equity)
    whole, left = abs(bound.level - bound.reference), bound.headroom(observed)
    figure = limit.pct if limit.amount is None else limit.amount
    return Progress(bound.rule, figure, observed, bound.level, left, whole - left, whole, _share(whole - left, whole))


def _best_day(account: Account, terms: PhaseTerms, cycle: Cycle | None) -> Iterator[Progress]:
    """Yield the net profit, and the one from which on the best day's share is small enough."""
    if terms.best_day_pct:
        net, best = account.balance - run_of(account).initial_balance, rules.best_day(account)
        if cycle is not None:
            net, best = cycle.profits(account)
        needed = rules.best_day_needs(terms.best_day_pct, best)
        share = _share(net, needed)
        yield Progress(Rule.BEST_DAY, terms.best_day_pct, net, needed, needed - net, net, needed, share)


def _counts(account: Account, terms: PhaseTerms) -> Iterator[Progress]:
    for row in COUNT_RULES:
        if needed := row.sold(terms):
            level, measured = Decimal(needed), Decimal(row.count_of(account, terms))
            left, share = level - measured, _share(measured, level)
            yield Progress(row.rule, level, measured, level, left, measured, level, share)


def _share(part: Decimal, whole: Decimal) -> Decimal:
    """part / whole, cut to 4 places so that 1 means reached; never negative, and 1 where there is no way to go."""
    share = divide(max(ZERO, part), whole) if whole > 0 else ONE
    return share.quantize(FOUR_PLACES, rounding=ROUND_DOWN, context=EXACT)
