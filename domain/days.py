"""The trading days of a running phase: how it starts, what a mark does to its figures, how a day rolls over."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import limit_levels
from domain.accounts import Account, Day, Journal, Metric, PhaseRun
from domain.arithmetic import DECIMAL
from domain.calendar import Calendar
from domain.frozen import replace
from domain.ledger import Facts, Kind
from domain.lifecycles import ChallengeStatus
from domain.money import ZERO, percent, plain
from domain.orders import Verb
from domain.terms import PhaseTerms, TradingDay

MINUTE = timedelta(minutes=1)


def begin(
    account: Account,
    *,
    phase_id: int,
    challenge_id: int,
    index: int,
    initial_balance: Decimal,
    calendar: Calendar,
    at: datetime,
    journal: Journal,
) -> Account:
    """Return the account with its phase running from now, on day 1."""
    start = calendar.day_of(at)
    phase = PhaseRun(
        id=phase_id,
        challenge_id=challenge_id,
        index=index,
        status=ChallengeStatus.ACTIVE,
        initial_balance=initial_balance,
        started_at=at,
        day=1,
        day_date=calendar.name_of(start),
        day_ends_at=calendar.next_boundary(at),
        day_start_balance=account.cash,
        day_start_equity=account.equity,
        day_low=account.equity,
        day_high=account.equity,
        peak_equity=account.equity,
        peak_balance=account.cash,
        peak_end_of_day=account.cash,
        metric_due_at=at,
    )
    account = replace(account, phase=phase)
    record_day(account, journal, closed=False)
    return account


def observe(account: Account) -> Account:
    """Raise the highs and lower the lows to the equity and balance of now."""
    return mark(account, account.unrealised)


def observe_once(before: Account, account: Account) -> Account:
    """Return the highs and lows of `before` updated with the figures of `account`, skipping those in between."""
    phase, old = account.phase, before.phase
    if phase is not None and old is not None:
        extremes = {name: getattr(old, name) for name in ("day_low", "day_high", "peak_equity", "peak_balance")}
        phase = replace(phase, **extremes)
    return observe(replace(account, high_watermark=before.high_watermark, phase=phase))


def mark(account: Account, unrealised: Decimal) -> Account:
    """Return the account at its current open profit, with highs raised and lows lowered."""
    changes = marked(account, account.cash, unrealised)
    return replace(account, **changes) if changes else account


def marked(account: Account, cash: Decimal, unrealised: Decimal) -> dict[str, Any]:
    """Return the fields of the account that change with this cash and this open profit."""
    phase, equity = account.phase, cash + unrealised
    changes: dict[str, Any] = {} if unrealised is account.unrealised else {"unrealised": unrealised}
    if equity > account.high_watermark:
        changes["high_watermark"] = equity
    if phase is not None and phase.running and (seen := _seen(phase, cash, equity)):
        changes["phase"] = replace(phase, **seen)
    return changes


def _seen(phase: PhaseRun, balance: Decimal, equity: Decimal) -> dict[str, Any]:
    """Return the phase's figures that a change of balance and equity updates."""
    moved: dict[str, Any] = {}
    if equity < phase.day_low:
        moved["day_low"] = equity
    if equity > phase.day_high:
        moved["day_high"] = equity
    if equity > phase.peak_equity:
        moved["peak_equity"] = equity
    if balance > phase.peak_balance:
        moved["peak_balance"] = balance
    return moved


def transfer(account: Account, amount: Decimal) -> Account:
    """Shift the figures by the cash of a transfer (negative: a withdrawal), which is no gain and no loss.

    A withdrawal lowers no floor of its day: the day's loss goes on counting from where the day began.
    """
    phase = account.phase
    if phase is None:
        return account
    moved = replace(
        phase,
        day_start_balance=phase.day_start_balance + amount,
        day_start_equity=phase.day_start_equity + amount,
        day_withdrawn=max(ZERO, phase.day_withdrawn - amount),
        day_low=phase.day_low + amount,
        day_high=phase.day_high + amount,
        peak_equity=phase.peak_equity + amount,
        peak_balance=phase.peak_balance + amount,
        peak_end_of_day=phase.peak_end_of_day + amount,
    )
    return replace(account, high_watermark=account.high_watermark + amount, phase=moved)


def trade(account: Account, verb: Verb, terms: PhaseTerms | None) -> Account:
    """Note a fill on the running day, and count the day once it is what the terms call a trading day."""
    phase = account.phase
    if phase is None or not phase.running:
        return account
    assert terms, "a running phase has terms"
    if terms.trading_day is TradingDay.MOVED:
        is_traded = has_moved(account, terms)
    else:
        is_traded = phase.day_traded or terms.trading_day is TradingDay.FILL or verb.adds
    return _count(account, is_traded, last_fill_day=phase.day)


def recount(account: Account, terms: PhaseTerms | None) -> Account:
    """Count the running day anew after its closed result has changed otherwise than by a fill."""
    phase = account.phase
    if phase is None or not phase.running or terms is None or terms.trading_day is not TradingDay.MOVED:
        return account
    return _count(account, has_moved(account, terms), last_fill_day=phase.last_fill_day)


def has_moved(account: Account, terms: PhaseTerms) -> bool:
    """Return whether the day's closed result, gain or loss, reaches the terms' share of the initial balance."""
    phase = account.phase
    assert phase, "only a phase has days"
    return abs(account.cash - phase.day_start_balance) >= percent(phase.initial_balance, terms.trading_day_pct)


def _count(account: Account, is_traded: bool, last_fill_day: int) -> Account:
    phase = account.phase
    assert phase, "only a phase has days"
    if (phase.day_traded, phase.last_fill_day) == (is_traded, last_fill_day):
        return account
    counted = phase.days_traded + is_traded - phase.day_traded
    return replace(
        account,
        phase=replace(phase, day_traded=is_traded, days_traded=counted, last_fill_day=last_fill_day),
    )


def record_day(account: Account, journal: Journal, *, closed: bool) -> None:
    """Write the running day as it stands."""
    phase = account.phase
    assert phase, "only a phase has days"
    journal.days[phase.id, phase.day] = Day(
        phase_id=phase.id,
        number=phase.day,
        date=phase.day_date,
        start_balance=phase.day_start_balance,
        start_equity=phase.day_start_equity,
        balance=account.cash,
        equity=account.equity,
        low=phase.day_low,
        high=phase.day_high,
        traded=phase.day_traded,
        ends_at=phase.day_ends_at,
        closed=closed,
    )


def measure(account: Account, at: datetime, batch: int, journal: Journal) -> Account:
    """Write a metric snapshot; the next one is due in the next minute."""
    phase = account.phase
    assert phase, "only a phase has metrics"
    journal.metrics.append(
        Metric(
            phase_id=phase.id,
            challenge_id=phase.challenge_id,
            account_id=account.id,
            market_time=at,
            batch=batch,
            balance=account.cash,
            equity=account.equity,
            day_start_balance=phase.day_start_balance,
            day_start_equity=phase.day_start_equity,
            day_low=phase.day_low,
            day_high=phase.day_high,
            peak_equity=phase.peak_equity,
        )
    )
    return replace(account, phase=replace(phase, metric_due_at=at.replace(second=0, microsecond=0) + MINUTE))


def finish(account: Account, at: datetime, batch: int, journal: Journal) -> Account:
    """Close the last day of a phase that ends here, however it ends, and write its last metric."""
    record_day(account, journal, closed=True)
    return measure(account, at, batch, journal)


def mark_facts(account: Account, cause: str) -> Facts:
    """Return the facts of a mark_to_market ledger row."""
    return mark_of(cause, account.unrealised, account.equity, account.high_watermark)


def mark_of(cause: str, unrealised: Decimal, equity: Decimal, high_watermark: Decimal) -> Facts:
    return {
        "cause": cause,
        "unrealised": plain(unrealised),
        "equity": plain(equity),
        "high_watermark": plain(high_watermark),
    }


def end(account: Account, batch: int, journal: Journal) -> Account:
    """Close the running day at its boundary: its snapshot and its mark_to_market row."""
    phase = account.phase
    assert phase, "only a phase has days"
    record_day(account, journal, closed=True)
    facts = mark_facts(account, "day_end") | {"day": phase.day, "date": phase.day_date.isoformat()}
    return journal.append(account, Kind.MARK_TO_MARKET, phase.day_ends_at, batch, facts)


def next_day(account: Account, calendar: Calendar, terms: PhaseTerms, journal: Journal) -> Account:
    """Open the day after the one that ended; its start is the balance and equity of the boundary."""
    phase = account.phase
    assert phase, "only a phase has days"
    profit = account.cash - phase.day_start_balance
    profitable_above = percent(phase.initial_balance, terms.profitable_day_pct)
    end_of_day = limit_levels.figure(terms.total_loss.trail_by, account.cash, account.equity, DECIMAL)
    start = phase.day_ends_at
    phase = replace(
        phase,
        day=phase.day + 1,
        day_date=calendar.name_of(calendar.day_of(start)),
        day_ends_at=calendar.next_boundary(start),
        day_start_balance=account.cash,
        day_start_equity=account.equity,
        day_low=account.equity,
        day_high=account.equity,
        day_withdrawn=ZERO,
        peak_end_of_day=max(phase.peak_end_of_day, end_of_day),
        day_traded=False,
        days_profitable=phase.days_profitable + (profit > profitable_above),
        best_day_profit=max(phase.best_day_profit, profit, ZERO),
        day_findings=frozenset(),
    )
    account = replace(account, phase=phase)
    record_day(account, journal, closed=False)
    return account
