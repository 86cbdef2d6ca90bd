"""Payouts: the trader's share of a profit and the house's, what must hold before one, and what it does to floors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain import days, limit_levels, rules
from domain.accounts import Account, Day, PhaseRun
from domain.arithmetic import DECIMAL
from domain.calendar import Calendar
from domain.errors import Refused
from domain.money import ONE, ZERO, floor_minor, multiply, plain
from domain.rule_table import LEVEL_RULES, Rule, days_profitable, run_of
from domain.terms import PayoutFloor, PhaseTerms, PhaseType


def share(profit: Decimal, split: Decimal, minor_units: int) -> tuple[Decimal, Decimal]:
    """Return the trader's amount, cut to the currency's minor unit, and the rest; both 0 without a profit."""
    if profit <= 0:
        return ZERO, ZERO
    amount = floor_minor(multiply(profit, split), minor_units)
    return amount, profit - amount


class Condition(StrEnum):
    FUNDED_PHASE = "FUNDED_PHASE"
    NO_OPEN_PAYOUT = "NO_OPEN_PAYOUT"
    FLAT = "FLAT"
    PROFIT = "PROFIT"
    AMOUNT = "AMOUNT"
    BUFFER = "BUFFER"
    ABOVE_FLOORS = "ABOVE_FLOORS"
    TRADING_DAYS = "TRADING_DAYS"
    PROFITABLE_DAYS = "PROFITABLE_DAYS"
    CYCLE = "CYCLE"
    BEST_DAY = "BEST_DAY"
    PHASE_TRADING_DAYS = "PHASE_TRADING_DAYS"
    PHASE_PROFITABLE_DAYS = "PHASE_PROFITABLE_DAYS"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of a payout: amounts in the account's currency, or counts.

    `next_at` is the earliest it can be met as far as days decide; None where it is met, or days do not decide.
    """

    condition: Condition
    measured: Decimal
    needed: Decimal
    met: bool
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """The figures since a phase's last payout, or since its start; rejected payouts do not count.

    Of days that have ended: the counts are of those after `day`; the profits are of `day` too, from the payout on.
    """

    open: int = 0  # payouts of the challenge that are not paid yet
    day: int = 0  # the number of the day on which the last one was requested; 0 before the first
    days_traded: int = 0
    days_profitable: int = 0
    day_profit: Decimal = ZERO  # made on `day` when the payout was requested
    profit: Decimal = ZERO
    best_day_profit: Decimal = ZERO

    def after(self, ended: Iterable[Day], profit_above: Decimal) -> "Cycle":
        """The cycle with days that have ended since it was read; a profit above `profit_above` makes one profitable."""
        cycle = self
        for day in ended:
            gain, counts = day.balance - day.start_balance, day.number > cycle.day
            since = gain - (cycle.day_profit if day.number == cycle.day else ZERO)
            cycle = replace(
                cycle,
                days_traded=cycle.days_traded + (counts and day.traded),
                days_profitable=cycle.days_profitable + (counts and gain > profit_above),
                profit=cycle.profit + since,
                best_day_profit=max(cycle.best_day_profit, since),
            )
        return cycle

    def profits(self, account: Account) -> tuple[Decimal, Decimal]:
        """Return the profit since the last payout and that of its best day, the running day's so far included."""
        today = rules.profit_today(account)
        if run_of(account).day == self.day:
            today -= self.day_profit
        return self.profit + today, max(self.best_day_profit, today)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account on the way to a payout, as of the market time `at`.

    `requested` is the gross profit that a client asks for; None asks for all but the buffer.
    """

    account: Account
    terms: PhaseTerms
    cycle: Cycle
    calendar: Calendar
    minor_units: int
    at: datetime
    requested: Decimal | None = None

    @property
    def phase(self) -> PhaseRun:
        return run_of(self.account)

    @property
    def profit(self) -> Decimal:
        """The balance above the initial one, the trader's share and the house's."""
        return self.account.cash - self.phase.initial_balance

    @property
    def amount(self) -> Decimal:
        """The gross profit that would leave the account."""
        if self.requested is not None:
            return self.requested
        return max(ZERO, self.profit - self.terms.payout.min_buffer)


class PayoutNotEligible(Refused):
    """The conditions of a payout are not met."""

    code = "PAYOUT_NOT_ELIGIBLE"
    transient = True

    def __init__(self, criteria: Sequence[Criterion]) -> None:
        self.criteria = tuple(criteria)
        super().__init__("challengeId", **{c.condition.lower(): _told(c) for c in criteria if not c.met})


def _told(criterion: Criterion) -> str:
    since = f" (not before {criterion.next_at.isoformat()})" if criterion.next_at else ""
    return f"is {plain(criterion.measured)}, needed {plain(criterion.needed)}{since}"


def is_met(criteria: Sequence[Criterion]) -> bool:
    """Return whether the payout may be requested."""
    return all(criterion.met for criterion in criteria)


def no_phase() -> list[Criterion]:
    """Return the only criterion of an account without a running funded phase: that one runs."""
    return [Criterion(Condition.FUNDED_PHASE, ZERO, ONE, met=False)]


def criteria(standing: Standing) -> list[Criterion]:
    """Return every configured condition of a payout, in the order of `Condition`."""
    phase = standing.account.phase
    if phase is None or not phase.running or standing.terms.type is not PhaseType.FUNDED:
        return no_phase()
    funded = Criterion(Condition.FUNDED_PHASE, ONE, ONE, met=True)
    return [funded, *_now(standing), *_days(standing), *earned(standing)]


def earned(standing: Standing) -> list[Criterion]:
    """Return every condition that the phase itself puts on its profit, however it ends."""
    return [*_best_day(standing), *_days_of_phase(standing)]


def _best_day(standing: Standing) -> Iterator[Criterion]:
    """Yield the best day's share, since the last payout: what was paid out is settled."""
    if pct := standing.terms.best_day_pct:
        net, best = standing.cycle.profits(standing.account)
        needed = rules.best_day_needs(pct, best)
        yield Criterion(Condition.BEST_DAY, net, needed, met=rules.best_day_holds(pct, best, net))


def _days_of_phase(standing: Standing) -> Iterator[Criterion]:
    """Yield the days that the phase asks for since its start, before its first payout."""
    account, phase, terms = standing.account, standing.phase, standing.terms
    profitable = days_profitable(account, terms)
    counted = (
        (Condition.PHASE_TRADING_DAYS, terms.min_trading_days, phase.days_traded, phase.day_traded),
        (Condition.PHASE_PROFITABLE_DAYS, terms.profitable_days, profitable, profitable > phase.days_profitable),
    )
    for condition, needed, done, today in counted:
        if needed:
            yield _count(standing, condition, needed, needed - done, needed - done - (not today))


def _now(standing: Standing) -> Iterator[Criterion]:
    """Return the conditions that time alone does not change, except the floors of the day."""
    account = standing.account
    open_payouts, positions = Decimal(standing.cycle.open), Decimal(len(account.positions))
    yield Criterion(Condition.NO_OPEN_PAYOUT, open_payouts, ZERO, met=not open_payouts)
    yield Criterion(Condition.FLAT, positions, ZERO, met=not positions)
    least = max(standing.terms.payout.min_profit, ONE.scaleb(-standing.minor_units))
    yield Criterion(Condition.PROFIT, standing.profit, least, met=standing.profit >= least)
    yield from _part(standing)
    yield _above_floors(standing)


def _part(standing: Standing) -> Iterator[Criterion]:
    """Return the conditions of a partial payout: the least amount to pay, and the least profit to leave."""
    terms, amount = standing.terms.payout, standing.amount
    if terms.min_amount or terms.min_buffer or standing.requested is not None:
        least = max(terms.min_amount, ONE.scaleb(-standing.minor_units))
        yield Criterion(Condition.AMOUNT, amount, least, met=amount >= least)
        stays = standing.profit - amount
        yield Criterion(Condition.BUFFER, stays, terms.min_buffer, met=stays >= terms.min_buffer)


def _above_floors(standing: Standing) -> Criterion:
    """Return the least headroom that the money's leaving would leave: a payout breaks no limit."""
    left = take(standing.account, standing.terms, max(ZERO, standing.amount))
    rooms = {
        bound.rule: (bound.headroom(seen), bound.hit(seen))
        for bound in rules.bounds(left, standing.terms)
        for seen in [limit_levels.observed_figure(bound.limit.measured, left.balance, left.equity)]
    }
    hit = {rule for rule, (_, is_hit) in rooms.items() if is_hit}
    least = min((room for room, _ in rooms.values()), default=ZERO)
    of_the_day = hit <= {row.rule for row in LEVEL_RULES if row.of_day}
    tomorrow = standing.phase.day_ends_at if hit and of_the_day else None
    return Criterion(Condition.ABOVE_FLOORS, least, ZERO, met=not hit, next_at=tomorrow)


def _days(standing: Standing) -> Iterator[Criterion]:
    """Return the conditions that depend on days. The day of a payout counts for the cycle before it."""
    terms, cycle, phase = standing.terms, standing.cycle, standing.phase
    is_new = phase.day > cycle.day
    profitable = is_new and days_profitable(standing.account, terms) > phase.days_profitable
    counted = (
        (Condition.TRADING_DAYS, terms.payout.min_trading_days, cycle.days_traded, is_new and phase.day_traded),
        (Condition.PROFITABLE_DAYS, terms.payout.profitable_days, cycle.days_profitable, profitable),
    )
    for condition, needed, ended, today in counted:
        if needed:
            missing = needed - ended - today
            wait = missing - (is_new and not today)  # today may still become one
            yield _count(standing, condition, needed, missing, wait)
    if waiting := terms.payout.cycle_days:
        missing = waiting - (phase.day - max(1, cycle.day))
        yield _count(standing, Condition.CYCLE, waiting, missing, missing)


def _count(standing: Standing, condition: Condition, needed: int, missing: int, wait: int) -> Criterion:
    """Return a number of days: `missing` of them, and so many boundaries to wait for at least."""
    if missing <= 0:
        return Criterion(condition, Decimal(needed - missing), Decimal(needed), met=True)
    next_at = standing.at
    for n in range(wait):
        next_at = standing.phase.day_ends_at if n == 0 else standing.calendar.next_boundary(next_at)
    return Criterion(condition, Decimal(needed - missing), Decimal(needed), met=False, next_at=next_at)


def take(account: Account, terms: PhaseTerms, profit: Decimal) -> Account:
    """Return the account as if the profit had left it."""
    return settle_floors(days.transfer(replace(account, cash=account.cash - profit), -profit), terms, profit)


def settle_floors(account: Account, terms: PhaseTerms, profit: Decimal) -> Account:
    """Set the floors as the terms say, once a transfer has taken `profit` (or, negative, brought it)."""
    phase = account.phase
    if phase is None:
        return account
    if terms.payout.floor is PayoutFloor.KEEP:
        phase = replace(
            phase,
            peak_equity=phase.peak_equity + profit,
            peak_balance=phase.peak_balance + profit,
            peak_end_of_day=phase.peak_end_of_day + profit,
        )
    return _ease(replace(account, phase=phase), terms, profit)


def _ease(account: Account, terms: PhaseTerms, profit: Decimal) -> Account:
    """Lower the day's floor by paid profit of earlier days if the account would otherwise reach the floor.

    Today's gain leaves first, so what is lost today goes on counting.
    """
    phase = run_of(account)
    bound = next((b for b in rules.bounds(account, terms) if b.rule is Rule.MAX_DAILY_LOSS), None)
    if profit <= 0 or bound is None:
        return account
    if not bound.hit(limit_levels.observed_figure(bound.limit.measured, account.balance, account.equity)):
        return account
    gain = max(ZERO, account.cash + profit - bound.reference)
    eased = phase.day_withdrawn - max(ZERO, profit - gain)
    return replace(account, phase=replace(phase, day_withdrawn=max(ZERO, eased)))


def reset_floor(account: Account, terms: PhaseTerms) -> Account:
    """Restart the trailing floor once a payout is approved, if the terms say so."""
    if account.phase is None or terms.payout.floor is not PayoutFloor.RESET:
        return account
    anew = replace(
        account.phase,
        peak_equity=account.equity,
        peak_balance=account.cash,
        peak_end_of_day=limit_levels.figure(terms.total_loss.trail_by, account.cash, account.equity, DECIMAL),
    )
    return replace(account, phase=anew)
