"""Trading days of a running phase: what a mark, a fill and a boundary do to its figures."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from domain import backtest, days, fold
from domain.accounts import Account, Day, Journal, PhaseRun
from domain.calendar import Calendar
from domain.ledger import Kind
from domain.lifecycles import ChallengeStatus
from domain.orders import Verb
from domain.terms import Reference, TradingDay, Trail
from tests.domain.builders import (
    INITIAL,
    MIDNIGHT,
    NOON,
    a_batch,
    a_challenger,
    a_limit,
    a_phase_run,
    a_phase_terms,
    a_target,
    a_total_limit,
    an_account,
    an_action,
)
from tests.domain.desk_builders import UTC_DAYS, conditions, priced
from tests.domain.test_backtest import a_setup

FREE = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("900")}


def run_of(account: Account) -> PhaseRun:
    assert account.phase
    return account.phase


def test_a_phase_begins_on_day_1_at_the_balance_and_equity_of_now() -> None:
    journal = Journal()
    account = an_account(cash=Decimal(99_990), unrealised=Decimal(5))
    prague = Calendar("Europe/Prague", time(17))
    account = days.begin(
        account,
        phase_id=11,
        challenge_id=7,
        index=1,
        initial_balance=Decimal(100_000),
        calendar=prague,
        at=NOON + timedelta(hours=6),
        journal=journal,
    )
    phase = run_of(account)
    assert (phase.day, phase.day_date, phase.day_ends_at) == (1, date(2026, 3, 3), datetime(2026, 3, 3, 16, tzinfo=UTC))
    assert (phase.day_start_balance, phase.peak_balance, phase.peak_end_of_day) == (Decimal(99_990),) * 3
    assert (phase.day_start_equity, phase.day_low, phase.day_high, phase.peak_equity) == (Decimal(99_995),) * 4
    assert [(day.number, day.closed, day.start_equity) for day in journal.days.values()] == [
        (1, False, Decimal(99_995))
    ]


SEEN = [("higher", "104000", "100000", "104000"), ("lower", "98000", "98000", "100000")]


@pytest.mark.parametrize(("equity", "low", "high"), [case[1:] for case in SEEN], ids=[case[0] for case in SEEN])
def test_a_mark_raises_highs_and_lowers_lows(equity: str, low: str, high: str) -> None:
    account = days.observe(a_challenger("100000", equity))
    phase = run_of(account)
    assert (phase.day_low, phase.day_high, phase.peak_equity) == (Decimal(low), Decimal(high), Decimal(high))
    assert (account.high_watermark, phase.peak_balance) == (Decimal(high), INITIAL)


def test_a_high_of_the_day_below_the_peak_leaves_the_peak_alone() -> None:
    phase = run_of(days.observe(a_challenger("99500", day_low=Decimal(98_000), day_high=Decimal(99_000))))
    assert (phase.day_low, phase.day_high, phase.peak_equity) == (Decimal(98_000), Decimal(99_500), INITIAL)


def test_a_balance_above_its_peak_raises_it() -> None:
    account = days.observe(a_challenger("100500", "100200"))
    assert (run_of(account).peak_balance, run_of(account).peak_equity) == (Decimal(100_500), Decimal(100_200))


def test_without_a_running_phase_only_the_high_watermark_moves() -> None:
    ended = a_phase_run(status=ChallengeStatus.FAILED)
    account = days.observe(an_account(unrealised=Decimal(7), phase=ended))
    assert account.high_watermark == 100_007
    assert account.phase is ended
    assert days.observe(account) is account
    assert days.trade(account, Verb.OPEN, None) is account


def test_a_transfer_is_neither_a_gain_nor_a_loss() -> None:
    """Every figure of the day and every high moves with the money; what was counted stays."""
    before = a_challenger("108000", "108000", day_low=Decimal(104_000), best_day_profit=Decimal(900), days_traded=3)
    after = days.transfer(replace(before, cash=Decimal(100_000)), Decimal(-8000))
    moved = {
        field.name
        for field in fields(PhaseRun)
        if getattr(run_of(after), field.name) != getattr(run_of(before), field.name)
    }
    of_the_day = {"day_start_balance", "day_start_equity", "day_low", "day_high"}
    assert moved == of_the_day | {"peak_equity", "peak_balance", "peak_end_of_day", "day_withdrawn"}
    assert run_of(after).day_withdrawn == 8000
    moved.remove("day_withdrawn")
    assert all(getattr(run_of(before), name) - getattr(run_of(after), name) == 8000 for name in moved)
    assert before.high_watermark - after.high_watermark == 8000
    assert days.transfer(replace(after, cash=before.cash), Decimal(8000)) == before


def test_an_account_without_a_phase_has_no_figures_to_move() -> None:
    assert days.transfer(an_account(), Decimal(5)) == an_account()


def test_a_second_fill_on_a_day_counts_no_second_day() -> None:
    once = days.trade(a_challenger(day=4, days_traded=2), Verb.OPEN, a_phase_terms())
    phase = run_of(days.trade(once, Verb.CLOSE, a_phase_terms()))
    assert (phase.day_traded, phase.days_traded, phase.last_fill_day) == (True, 3, 4)


def test_the_next_metric_is_due_in_the_next_minute() -> None:
    journal = Journal()
    at = NOON + timedelta(seconds=59, microseconds=999_999)
    account = days.measure(a_challenger("100000", "100003"), at, 9, journal)
    assert run_of(account).metric_due_at == NOON + timedelta(minutes=1)
    assert [(m.market_time, m.batch, m.equity) for m in journal.metrics] == [(at, 9, Decimal(100_003))]


ENDED = [
    ("a profit above it", "101000", "0.1", 1, "1000"),
    ("a profit of just as much", "100100", "0.1", 0, "100"),
    ("a loss", "99000", "0.1", 0, "0"),
]


@pytest.mark.parametrize(
    ("balance", "least", "counted", "best"), [case[1:] for case in ENDED], ids=[c[0] for c in ENDED]
)
def test_the_next_day_starts_from_the_end_of_the_last(balance: str, least: str, counted: int, best: str) -> None:
    journal = Journal()
    account = a_challenger(balance, "97000", day_traded=True, day_findings=frozenset({"MAX_DAILY_LOSS"}))
    account = days.next_day(
        days.end(account, 6, journal), UTC_DAYS, a_phase_terms(profitable_day_pct=Decimal(least)), journal
    )
    phase = run_of(account)
    assert (phase.day, phase.day_date, phase.day_ends_at) == (2, date(2026, 3, 3), MIDNIGHT + timedelta(days=1))
    assert (phase.day_start_balance, phase.day_start_equity) == (Decimal(balance), Decimal(97_000))
    assert phase.day_low == phase.day_high == 97_000
    assert not phase.day_traded
    assert not phase.day_findings
    assert (phase.days_profitable, phase.best_day_profit) == (counted, Decimal(best))
    assert phase.peak_end_of_day == max(Decimal(balance), 100_000)
    assert [(day.number, day.closed, day.traded) for day in journal.days.values()] == [
        (1, True, True),
        (2, False, False),
    ]
    [row] = journal.rows
    assert (row.kind, row.market_time, row.batch, row.facts["cause"]) == (Kind.MARK_TO_MARKET, MIDNIGHT, 6, "day_end")


def test_a_day_the_clocks_change_on_is_an_hour_short() -> None:
    new_york = Calendar("America/New_York", time(0))
    saturday = replace(run_of(a_challenger()), day_ends_at=datetime(2026, 3, 8, 5, tzinfo=UTC))
    account = days.next_day(replace(a_challenger(), phase=saturday), new_york, a_phase_terms(), Journal())
    assert run_of(account).day_ends_at == datetime(2026, 3, 9, 4, tzinfo=UTC)


CHANGES = [
    ("New York, in spring and autumn a week from Europe", "America/New_York", time(17), ["2026-03-05", "2026-10-29"]),
    ("Prague", "Europe/Prague", time(0), ["2026-03-26", "2026-10-22"]),
    ("London, at an hour that is skipped and occurs twice", "Europe/London", time(1, 30), ["2026-03-26", "2026-10-22"]),
    ("Cairo, where midnight is skipped", "Africa/Cairo", time(0), ["2026-04-21", "2026-10-27"]),
    ("Havana, where it is skipped and occurs twice", "America/Havana", time(0), ["2026-03-05", "2026-10-29"]),
    ("Santiago", "America/Santiago", time(0), ["2026-04-01", "2026-09-03"]),
    ("Lord Howe, by half an hour", "Australia/Lord_Howe", time(0), ["2026-04-02", "2026-10-01"]),
    ("Kathmandu, at a quarter to", "Asia/Kathmandu", time(9, 15), ["2026-03-05"]),
    ("Apia, across a date that never was", "Pacific/Apia", time(0), ["2011-12-27"]),
]


@pytest.mark.parametrize(("zone", "start", "begins"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_an_outage_leaves_the_days_it_slept_through_as_they_were(zone: str, start: time, begins: list[str]) -> None:
    """Six days with a look every hour, and the same six days with one look at their end."""
    calendar = Calendar(zone, start)
    for begin in begins:
        at = datetime.fromisoformat(begin).replace(hour=13, tzinfo=UTC)
        hours = [at + timedelta(hours=n) for n in range(1, 6 * 24)]
        awake, asleep = _days_of(calendar, at, hours), _days_of(calendar, at, hours[-1:])
        assert awake == asleep
        assert [day.number for day in asleep] == list(range(1, len(asleep) + 1))
        ends = [day.ends_at for day in asleep]
        assert all(calendar.boundary(calendar.day_of(end)) == end for end in ends)
        assert all(timedelta(hours=22) < after - before < timedelta(hours=26) for before, after in pairwise(ends))
        assert len({day.date for day in asleep}) == len(asleep)


def _days_of(calendar: Calendar, at: datetime, looks: list[datetime]) -> list[Day]:
    """The days of a phase that begins at a moment and is looked at now and then."""
    its, journal = conditions(a_phase_terms(), calendar=calendar), Journal()
    account = days.begin(
        an_account(marked_at=at), phase_id=11, challenge_id=7, index=1, initial_balance=INITIAL, calendar=calendar,
        at=at, journal=journal,
    )  # fmt: skip
    for look in looks:
        account = fold.advance(account, {}, look, its, journal)
    return list(journal.days.values())


@pytest.mark.parametrize(("trail_by", "peak"), list(zip(Reference, (102, 105, 105), strict=True)))
def test_a_days_end_is_measured_by_what_the_terms_trail(trail_by: Reference, peak: int) -> None:
    account = a_challenger("102000", "105000", day_withdrawn=Decimal(5))
    terms = a_phase_terms(total_loss=a_total_limit("4", trail=Trail.TRAIL_END_OF_DAY, trail_by=trail_by))
    phase = run_of(days.next_day(account, UTC_DAYS, terms, Journal()))
    assert phase.peak_end_of_day == peak * 1000
    assert phase.day_withdrawn == 0


OPENED, FILL, MOVED = TradingDay
KINDS: list[tuple[str, dict[str, Any], str, list[bool]]] = [
    ("opened on Monday", {"trading_day": OPENED}, "1.1100", [True, False]),
    ("filled on both days", {"trading_day": FILL}, "1.1100", [True, True]),
    ("moved as much on Tuesday", {"trading_day": MOVED, "trading_day_pct": Decimal(1)}, "1.1100", [False, True]),
    ("by a loss as well", {"trading_day": MOVED, "trading_day_pct": Decimal(1)}, "1.0900", [False, True]),
    ("by less", {"trading_day": MOVED, "trading_day_pct": Decimal(1)}, "1.10999", [False, False]),
]  # fmt: skip


@pytest.mark.parametrize(("axis", "price", "traded"), [c[1:] for c in KINDS], ids=[c[0] for c in KINDS])
def test_a_position_opened_on_monday_and_closed_on_tuesday_counts_by_what_a_trading_day_is(
    axis: dict[str, Any], price: str, traded: list[bool]
) -> None:
    """A long of 100,000 without fees: a cent is 1 % of the initial balance."""
    terms = a_phase_terms(**FREE, **axis)
    batches = [
        a_batch(1, priced("EURUSD", "1.1"), at=NOON),
        a_batch(2, priced("EURUSD", price, NOON + timedelta(days=1)), at=NOON + timedelta(days=1)),
        a_batch(3, at=NOON + timedelta(days=2)),
    ]
    buy, sell = an_action(quantity="100000"), an_action(action="CLOSE", action_id="2", quantity=None)
    outcome = backtest.run(a_setup(terms), batches, [(1, [buy]), (2, [sell])])
    assert [day.traded for day in outcome.journal.days.values() if day.closed] == traded
    phase = run_of(outcome.account)
    assert (phase.days_traded, phase.last_fill_day) == (sum(traded), 2)


def test_a_day_that_has_moved_back_is_none_and_a_correction_counts_it_anew() -> None:
    terms = a_phase_terms(trading_day=MOVED, trading_day_pct=Decimal(1))
    moved = days.trade(a_challenger("101000", days_traded=4), Verb.CLOSE, terms)
    assert (run_of(moved).day_traded, run_of(moved).days_traded) == (True, 5)
    back = days.trade(replace(moved, cash=Decimal(100_500)), Verb.CLOSE, terms)
    assert (run_of(back).day_traded, run_of(back).days_traded) == (False, 4)
    corrected = days.recount(replace(back, cash=Decimal(99_000)), terms)
    assert (run_of(corrected).day_traded, run_of(corrected).days_traded) == (True, 5)
    assert days.recount(back, terms) is back
    assert days.recount(corrected, a_phase_terms()) is corrected
