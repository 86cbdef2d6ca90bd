"""Catching up: the one fold that brings an account through batches of quotes.

Live, replay, restart, backtest and a three-day outage are this function: however the same batches are parted into
calls, the account and what happened to it are the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain import days, rules
from domain.accounts import Account, Journal
from domain.bounds import check_storable
from domain.execution import Moment
from domain.frozen import replace
from domain.holdings import holdings
from domain.ledger import Kind
from domain.quotes import Batch, Market
from domain.triggers import trigger
from domain.valuation import symbols_that_move, unrealised
from domain.verdicts import Conditions, apply, finish_passed, judge_account


def catch_up(
    account: Account, market: Market, batches: Iterable[Batch], conditions: Conditions, journal: Journal
) -> Account:
    """Return the account after the batches, and in `journal` what happened to it on the way.

    `market` is the newest quote of each symbol as of `account.marked_through`; batches at or before it are passed over.
    """
    if not account.live:
        last = max(batches, key=lambda batch: batch.number, default=None)
        return account if last is None else skip(account, last)
    known = dict(market)
    moving = symbols_that_move(account, conditions.catalogue, known)
    unjudged = True
    for batch in batches:
        if batch.number <= account.marked_through:
            continue
        account = _end_days(account, known, batch.market_time, batch.number, conditions, journal)
        moved = [quote for quote in batch.quotes if quote.symbol in moving]
        known.update((quote.symbol, quote) for quote in moved)
        if moved:
            account = days.mark(account, unrealised(account, known, conditions.catalogue))
        account = replace(account, marked_through=batch.number, marked_at=batch.market_time)
        if moved and account.orders:
            moment = Moment(known, batch.market_time, batch.number)
            account = trigger(account, {quote.symbol for quote in moved}, moment, conditions, journal)
        if moved or unjudged:
            account = judge_account(account, known, conditions, journal)
            unjudged = False
        account = _write_due(account, journal, conditions.mark_ledger_interval)
    return account


def advance(account: Account, market: Market, at: datetime, conditions: Conditions, journal: Journal) -> Account:
    """Advance the account to market time `at` without a quote: end and judge each day whose boundary has passed."""
    before = account.phase
    account = _end_days(account, market, at, account.marked_through, conditions, journal)
    return account if account.phase is before else replace(account, marked_at=at)


def bring(
    account: Account,
    market: Market,
    batches: Sequence[Batch],
    newest: Market,
    at: datetime,
    conditions: Conditions,
    journal: Journal,
) -> Account:
    """Catch the account up with the batches and let the clock run on to `at`, at the newest market.

    Raises NotStorable where a figure then has more digits than can be stored.
    """
    if batches:
        account = catch_up(account, market, batches, conditions, journal)
    if account.phase is not None and account.phase.running:
        account = advance(account, newest, at, conditions, journal)
    check_storable(account)
    return account


def skip(account: Account, batch: Batch) -> Account:
    """Return an account without marks, which only records the newest batch."""
    if batch.number <= account.marked_through:
        return account
    return replace(account, marked_through=batch.number, marked_at=batch.market_time)


def _end_days(
    account: Account, market: Market, at: datetime, batch: int, conditions: Conditions, journal: Journal
) -> Account:
    """Close every day whose boundary the market's clock has reached, at the marks of before it: those of `market`.

    What was done since the last mark is judged before its day ends, and each new day as it begins: neither the
    boundary nor the quotes that revealed it heal anything.
    """
    if not _day_is_over(account, at):
        return account
    assert account.phase
    # What a day's end finds names the batch that revealed it.
    account = replace(account, marked_through=batch, marked_at=account.phase.day_ends_at)
    account = judge_account(account, market, conditions, journal)
    while _day_is_over(account, at):
        account = _end_day(account, market, conditions, journal)
    return account


def _day_is_over(account: Account, at: datetime) -> bool:
    phase = account.phase
    return phase is not None and phase.running and at >= phase.day_ends_at


def _end_day(account: Account, market: Market, conditions: Conditions, journal: Journal) -> Account:
    """Close the day, judge its end, and unless that ended the phase begin the next one and judge its start."""
    phase, terms, calendar = account.phase, conditions.terms, conditions.calendar
    assert phase, "only a phase has days"
    assert terms, "a running phase has terms"
    assert calendar, "a running phase has a calendar"
    at, batch = phase.day_ends_at, account.marked_through
    account = days.end(replace(account, marked_at=at), batch, journal)
    if findings := rules.judge_day_end(account, terms, batch, at):
        marks = tuple(one.facts for one in holdings(account, market, at, conditions.catalogue))
        account = apply(account, findings, marks, journal)
    if account.phase and account.phase.running and (rule := rules.ends_by_passing(account, terms)):
        account = finish_passed(account, rule, at, journal)
    if account.phase and account.phase.running:
        account = judge_account(days.next_day(account, calendar, terms, journal), market, conditions, journal)
    return account


def _write_due(account: Account, journal: Journal, interval: timedelta) -> Account:
    """Return the snapshot and the mark_to_market row that the market's clock has made due."""
    at, batch = account.marked_at, account.marked_through
    assert at, "the account has just been marked"
    phase = account.phase
    if phase and phase.running and phase.metric_due_at and at >= phase.metric_due_at:
        account = days.measure(account, at, batch, journal)
    if account.positions and (account.ledger_due_at is None or at >= account.ledger_due_at):
        facts = days.mark_facts(account, "cadence")
        account = journal.append(account, Kind.MARK_TO_MARKET, at, batch, facts, ledger_due_at=at + interval)
    return account
