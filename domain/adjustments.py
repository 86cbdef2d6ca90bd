"""Amounts that the firm books on an account by hand: compensation, dividends, corrections of a feed's fault."""

from dataclasses import replace
from decimal import Decimal

from domain import days, limit_levels, rules
from domain.accounts import Account
from domain.errors import InvalidInput
from domain.terms import PhaseTerms
from domain.validation import amount_range


def check(
    account: Account, terms: PhaseTerms | None, amount: Decimal, minor_units: int, *, counts_as_profit: bool
) -> None:
    """Check an amount that is to be booked. Raises InvalidInput naming `amount`.

    Capital decides nothing: an amount that would break a limit or win the phase only because the percentages are of
    another initial balance then, or because the liquidation level stays, is refused. `terms` are of a running phase.
    """
    if not amount:
        raise InvalidInput("amount", reason="must not be 0")
    if fault := amount_range(minor_units).fault(abs(amount)):
        raise InvalidInput("amount", reason=fault)
    if account.cash + amount < 0:
        raise InvalidInput("amount", reason="would leave less than no cash", cash=account.cash)
    if account.phase and not counts_as_profit and account.phase.initial_balance + amount <= 0:
        initial = account.phase.initial_balance
        raise InvalidInput("amount", reason="would leave no initial balance", initial_balance=initial)
    if not counts_as_profit:
        cash = account.cash + amount
        _check_verdict(settle(replace(account, cash=cash), amount, counts_as_profit=False), terms)


def _check_verdict(after: Account, terms: PhaseTerms | None) -> None:
    """Raises InvalidInput where the account as it would be breaks a limit, or wins its phase."""
    for bound in _limits(after, terms):
        observed = limit_levels.observed_figure(bound.limit.measured, after.balance, after.equity)
        if bound.hit(observed):
            raise InvalidInput("amount", reason=f"would break {bound.rule}", level=bound.level, observed=observed)
    if terms and after.phase and after.phase.running and rules.passes(after, terms):
        raise InvalidInput("amount", reason="would win the phase, and capital is no profit")


def _limits(account: Account, terms: PhaseTerms | None) -> list[rules.Bound]:
    """Return the limits by which the account is judged."""
    if account.phase is None:
        level = rules.liquidation_bound(account)
        return [level] if level.limit.configured and not account.read_only else []
    return rules.bounds(account, terms) if terms and account.phase.running else []


def settle(account: Account, amount: Decimal, *, counts_as_profit: bool) -> Account:
    """Return the account with its figures as they are after `amount` was booked on its cash.

    Profit, or loss, is seen like that of a trade. What does not count is capital: the initial balance, the day's start
    and floor, the highs and the lows move with it, so it brings no rule nearer and no payout.
    """
    if counts_as_profit:
        return days.observe(account)
    moved, before = days.transfer(account, amount), account.phase
    if moved.phase is None or before is None:
        return days.observe(moved)
    phase = replace(moved.phase, initial_balance=before.initial_balance + amount, day_withdrawn=before.day_withdrawn)
    return days.observe(replace(moved, phase=phase))
