"""The fold: however batches are parted it tells one history, and nothing that comes later heals what was broken."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.accounts import Account, Journal
from domain.execution import close_all, submit
from domain.fold import advance, catch_up
from domain.ledger import Kind
from domain.lifecycles import ChallengeStatus, OrderStatus
from domain.positions import Side
from domain.quotes import Batch, Quote
from domain.rule_table import Rule
from domain.terms import Consequence, Enforcement, Limit, PhaseTerms, PositionsLimit, Reference
from domain.verdicts import judge_account
from tests.domain.builders import (
    MIDNIGHT,
    NOON,
    a_batch,
    a_challenger,
    a_funded_phase,
    a_limit,
    a_phase_terms,
    a_policy,
    a_target,
    a_total_limit,
    an_account,
    an_action,
    an_order,
)
from tests.domain.desk_builders import (
    HOUR,
    a_holding,
    a_market,
    a_moment,
    after,
    conditions,
    holding,
    priced,
    quoted,
    started,
    tapes,
    traders,
)

DAY = timedelta(days=1)
FAIL, PAUSE, CLOSE, WARN = Consequence


def folded(account: Account, tape: Sequence[Batch], terms: PhaseTerms | None) -> tuple[Account, Journal]:
    journal = Journal()
    return catch_up(account, a_market(), tape, conditions(terms), journal), journal


@settings(max_examples=150)
@given(traders() | traders(orders=True), tapes(), st.data())
def test_any_parting_of_the_batches_tells_the_same_history(
    trader: tuple[Account, PhaseTerms | None], tape: list[Batch], data: st.DataObject
) -> None:
    account, terms = trader
    cuts = data.draw(st.lists(st.integers(0, len(tape)), max_size=4).map(sorted))
    parted, journal = account, Journal()
    for start, end in pairwise([0, *cuts, len(tape)]):
        again = max(0, start - data.draw(st.integers(0, 2), "batches handed in once more"))
        market = after(a_market(), tape[:start])
        parted = catch_up(parted, market, tape[again:end], conditions(terms), journal)
    assert (parted, journal) == folded(account, tape, terms)


@settings(max_examples=80)
@given(traders() | traders(orders=True), tapes(most=6), st.lists(st.integers(0, 120), max_size=4))
def test_the_clock_alone_changes_no_verdict(
    trader: tuple[Account, PhaseTerms | None], tape: list[Batch], ticks: list[int]
) -> None:
    account, terms = trader
    account = judge_account(account, a_market(), conditions(terms), Journal())
    times = [(batch.market_time, 0, batch.quotes) for batch in tape]
    last = tape[-1].market_time
    times += [(at, 1, ()) for tick in ticks if (at := NOON + tick * HOUR) <= last]
    ticking = [Batch(n, at, quotes) for n, (at, _, quotes) in enumerate(sorted(times, key=lambda t: t[:2]), 1)]

    def told(tape: Sequence[Batch]) -> tuple[object, ...]:
        end, journal = folded(account, tape, terms)
        found = [(f.rule, f.day, f.market_time, f.floor, f.observed) for f in journal.findings]
        ended = [(v.status, v.rule, v.market_time) for v in journal.verdicts]
        phase = end.phase and replace(end.phase, metric_due_at=None)
        dealt = [(f.symbol, f.side, f.verb, f.quantity, f.price, f.filled_at) for f in journal.fills]
        return found, ended, dealt, journal.days, journal.liquidations, end.equity, end.high_watermark, phase

    assert told(ticking) == told(tape)


@settings(max_examples=40)
@given(traders(), tapes())
def test_every_history_is_dense_chained_and_moves_no_cash(
    trader: tuple[Account, PhaseTerms | None], tape: list[Batch]
) -> None:
    account, terms = trader
    end, journal = folded(account, tape, terms)
    assert [row.seq for row in journal.rows] == list(range(1, end.seq + 1))
    assert end.head == (journal.rows[-1].hash if journal.rows else account.head)
    assert all(row.amount == 0 and row.balance_after == account.cash for row in journal.rows)
    assert [row.market_time for row in journal.rows] == sorted(row.market_time for row in journal.rows)
    assert len(journal.verdicts) <= 1
    assert [f.consequence for f in journal.findings].count(FAIL) <= 1
    found = [(finding.rule, finding.day) for finding in journal.findings]
    assert len(found) == len(set(found))
    assert (end.marked_through, end.marked_at) == (tape[-1].number, tape[-1].market_time)


@settings(max_examples=80)
@given(traders(orders=True), tapes())
def test_orders_end_once_and_their_fills_balance_the_books(
    trader: tuple[Account, PhaseTerms | None], tape: list[Batch]
) -> None:
    account, terms = trader
    end, journal = folded(account, tape, terms)
    assert [row.seq for row in journal.rows] == list(range(account.seq + 1, end.seq + 1))
    assert end.cash == account.cash + sum(fill.realised - fill.fee for fill in journal.fills)
    assert end.cash == account.cash + sum(row.amount for row in journal.rows)
    ended = [o for o in journal.orders.values() if o.status is not OrderStatus.WORKING]
    every = account.orders | {seq: order for (_, seq), order in journal.orders.items()}
    assert end.orders == {seq: order for seq, order in every.items() if order.status is OrderStatus.WORKING}
    assert sorted(f.order_seq for f in journal.fills) == sorted(o.seq for o in ended if o.status is OrderStatus.FILLED)
    told = [row.facts["order"] for row in journal.rows if row.kind in (Kind.ORDER_CANCELLED, Kind.ORDER_REJECTED)]
    assert sorted(told) == sorted(o.seq for o in ended if o.status is not OrderStatus.FILLED)
    for order in end.orders.values():
        assert not order.type.protects or (order.symbol, order.side) in end.positions
    if journal.verdicts:
        assert end.orders == {}
        [over] = [row.seq for row in journal.rows if row.kind in (Kind.PHASE_FAILED, Kind.PHASE_PASSED)]
        assert all(fill.seq < over for fill in journal.fills)
    assert len(end.positions) <= max(5, len(account.positions))


def a_trader(**changes: Any) -> Account:
    """A challenger long 100,000 EURUSD at 1.10005: a hundredth of a percent is 11 dollars."""
    return holding(a_challenger(**changes), a_holding("EURUSD", Side.LONG, "100000"))


def only(**limits: Limit) -> PhaseTerms:
    """Terms with these limits and no others."""
    none = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("0")}
    return a_phase_terms(**none | limits)


def found(journal: Journal) -> list[tuple[str, str, int]]:
    return [(finding.rule, finding.consequence, finding.day) for finding in journal.findings]


def test_two_failures_of_one_batch_end_the_phase_once_by_the_first_rule() -> None:
    terms = only(daily_loss=a_limit("1"), total_loss=a_total_limit("2"))
    end, journal = folded(a_trader(), [a_batch(1, priced("EURUSD", "1.07"))], terms)
    assert found(journal) == [(Rule.MAX_TOTAL_LOSS, FAIL, 1)]
    assert [(verdict.status, verdict.rule) for verdict in journal.verdicts] == [
        (ChallengeStatus.FAILED, Rule.MAX_TOTAL_LOSS)
    ]
    assert end.read_only
    assert [row.kind for row in journal.rows] == [Kind.MARK_TO_MARKET, Kind.PHASE_FAILED, Kind.MARK_TO_MARKET]
    finding = journal.findings[0]
    assert (finding.ledger_seq, finding.ledger_hash) == (journal.rows[0].seq, journal.rows[0].hash)


def test_a_pause_and_a_failure_of_one_batch_are_both_found() -> None:
    terms = only(daily_loss=a_limit("1", consequence=PAUSE), total_loss=a_total_limit("2"))
    end, journal = folded(a_trader(), [a_batch(1, priced("EURUSD", "1.07"))], terms)
    assert found(journal) == [(Rule.MAX_DAILY_LOSS, PAUSE, 1), (Rule.MAX_TOTAL_LOSS, FAIL, 1)]
    assert [verdict.rule for verdict in journal.verdicts] == [Rule.MAX_TOTAL_LOSS]
    assert end.blocked_until == MIDNIGHT
    assert {finding.ledger_seq for finding in journal.findings} == {1}


def test_a_close_day_cancels_orders_and_blocks_until_the_next_day() -> None:
    terms = only(daily_loss=a_limit("1", consequence=CLOSE), total_loss=a_total_limit("50"))
    trader = replace(a_trader(), orders={3: an_order(price=Decimal("0.5"))}, seq=3)
    end, journal = folded(trader, [a_batch(1, priced("EURUSD", "1.07"))], terms)
    assert found(journal) == [(Rule.MAX_DAILY_LOSS, CLOSE, 1)]
    assert (end.blocked_until, end.orders, end.phase and end.phase.running) == (MIDNIGHT, {}, True)
    assert [(order.status, order.outcome) for order in journal.orders.values()] == [
        (OrderStatus.CANCELLED, {"reason": "CLOSE_DAY"})
    ]
    assert end.positions == trader.positions  # they are the job's to close


CROWDED: list[tuple[str, PositionsLimit, list[tuple[str, str, int]]]] = [
    ("a gate finds nothing", PositionsLimit(), []),
    ("a breach fails", PositionsLimit(Enforcement.BREACH), [("MAX_POSITIONS", "FAIL", 1)]),
    ("or warns, each day anew", PositionsLimit(Enforcement.BREACH, Consequence.WARN),
     [("MAX_POSITIONS", "WARN", 1), ("MAX_POSITIONS", "WARN", 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("positions", "expected"), [c[1:] for c in CROWDED], ids=[c[0] for c in CROWDED])
def test_more_positions_than_the_terms_allow(positions: PositionsLimit, expected: list[tuple[str, str, int]]) -> None:
    terms = replace(only(), max_positions=1, positions=positions)
    two = a_holding("EURUSD", Side.LONG, "1000"), a_holding("EURUSD", Side.SHORT, "1000")
    trader, tomorrow = holding(a_trader(), *two), NOON + timedelta(days=1)
    batches = [a_batch(1, priced("EURUSD", "1.1")), a_batch(2, priced("EURUSD", "1.1", tomorrow), at=tomorrow)]
    _, journal = folded(trader, batches, terms)
    assert found(journal) == expected
    for finding in journal.findings:
        assert [int(n) for n in (finding.limit, finding.observed, finding.headroom)] == [1, 2, -1]
        assert finding.derivation == {"positions": 2, "enforced": "BREACH"}
    just = holding(a_trader(), two[0])
    assert folded(just, batches, terms)[1].findings == []


def test_failing_beats_passing_at_the_same_batch() -> None:
    terms = only(daily_profit=a_limit("1"), profit_target=a_target("1", measured=a_limit().measured))
    _, journal = folded(a_trader(), [a_batch(1, priced("EURUSD", "1.12"))], terms)
    assert [verdict.status for verdict in journal.verdicts] == [ChallengeStatus.FAILED]


def test_a_warning_does_not_keep_a_phase_from_passing() -> None:
    warned = a_limit("1", consequence=WARN)
    terms = only(daily_profit=warned, profit_target=a_target("1", measured=warned.measured))
    end, journal = folded(a_trader(), [a_batch(1, priced("EURUSD", "1.12"))], terms)
    assert found(journal) == [(Rule.MAX_DAILY_PROFIT, WARN, 1)]
    assert [verdict.status for verdict in journal.verdicts] == [ChallengeStatus.PASSED]
    assert end.read_only
    kinds = [row.kind for row in journal.rows]
    assert kinds == [Kind.MARK_TO_MARKET, Kind.FINDING, Kind.PHASE_PASSED, Kind.MARK_TO_MARKET]


def test_a_warning_is_written_once_a_day_and_again_the_next() -> None:
    terms = only(total_loss=a_total_limit("1", consequence=WARN))
    tape = [a_batch(n, quoted("EURUSD", -100 - n), at=NOON + n * 5 * HOUR) for n in range(1, 5)]
    _, journal = folded(a_trader(), tape, terms)
    assert found(journal) == [(Rule.MAX_TOTAL_LOSS, WARN, 1), (Rule.MAX_TOTAL_LOSS, WARN, 2)]


def test_days_without_a_quote_end_each_at_its_boundary_and_are_each_judged() -> None:
    """A pause that the day's start balance alone brings is found on every day of a silent weekend."""
    limit = a_limit("1", reference=Reference.BALANCE, consequence=PAUSE)
    account = folded(a_trader(), [a_batch(1, quoted("EURUSD", -200))], only())[0]
    end, journal = folded(account, [a_batch(2, at=MIDNIGHT + 2 * DAY + HOUR)], only(daily_loss=limit))
    assert [(f.day, f.market_time) for f in journal.findings] == [
        (1, MIDNIGHT),  # judged once more before it ends
        (2, MIDNIGHT),
        (3, MIDNIGHT + DAY),
        (4, MIDNIGHT + 2 * DAY),
    ]
    assert {f.batch for f in journal.findings} == {2}
    assert [(day.number, day.closed, day.equity) for day in journal.days.values()] == [
        (n, n < 4, end.equity) for n in (1, 2, 3, 4)
    ]
    assert end.phase
    assert (end.phase.day, end.phase.day_start_equity, end.blocked_until) == (4, end.equity, MIDNIGHT + 3 * DAY)


def test_a_breach_at_the_day_s_start_is_not_healed_by_the_quotes_that_revealed_the_day() -> None:
    limit = a_limit("1", reference=Reference.BALANCE)
    account = folded(a_trader(day_start_balance=Decimal(95_000)), [a_batch(1, quoted("EURUSD", -200))], only())[0]
    better = a_batch(2, quoted("EURUSD", 0), at=MIDNIGHT + HOUR)
    end, journal = folded(account, [better], only(daily_loss=limit))
    assert [(v.status, v.rule, v.market_time) for v in journal.verdicts] == [
        (ChallengeStatus.FAILED, Rule.MAX_DAILY_LOSS, MIDNIGHT)
    ]
    assert found(journal) == [(Rule.MAX_DAILY_LOSS, FAIL, 2)]
    assert end.unrealised == 0  # marked on after its end


def test_what_was_done_since_the_last_mark_is_judged_before_its_day_ends() -> None:
    """A fee paid after the last batch of a day breaks that day's limit, whatever the next day starts from."""
    account = replace(a_trader(), cash=Decimal(98_000))
    terms = only(daily_loss=a_limit("1", consequence=WARN))
    _, journal = folded(account, [a_batch(1, quoted("EURUSD", 300), at=MIDNIGHT + HOUR)], terms)
    assert found(journal) == [(Rule.MAX_DAILY_LOSS, WARN, 1)]


def test_what_was_done_since_the_last_mark_is_judged_at_the_next_batch_though_nothing_moved() -> None:
    account = replace(a_trader(), cash=Decimal(98_000))
    _, journal = folded(account, [a_batch(1)], only(daily_loss=a_limit("1")))
    assert [verdict.batch for verdict in journal.verdicts] == [1]


ENDS = [
    ("an evaluation fails when its time has run out", a_phase_terms(duration_days=2), "FAILED", "DURATION", 1),
    ("a funded phase passes then", a_funded_phase(duration_days=2), "PASSED", "DURATION", 1),
    ("days without a fill fail it", a_phase_terms(inactivity_days=2), "FAILED", "INACTIVITY", 2),
    ("traded days run out", a_phase_terms(max_trading_days=1), "FAILED", "MAX_TRADING_DAYS", 0),
]


@pytest.mark.parametrize(("terms", "status", "rule", "days"), [c[1:] for c in ENDS], ids=[c[0] for c in ENDS])
def test_a_phase_ends_at_a_boundary(terms: PhaseTerms, status: str, rule: str, days: int) -> None:
    account = a_challenger(day_traded=True, days_traded=1)
    end, journal = folded(account, [a_batch(1, at=MIDNIGHT + 9 * DAY)], terms)
    assert [(v.status.name, v.rule, v.market_time, v.batch) for v in journal.verdicts] == [
        (status, rule, MIDNIGHT + days * DAY, 1)
    ]
    assert max(number for _, number in journal.days) == days + 1
    assert all(day.closed for day in journal.days.values())
    assert journal.metrics[-1].market_time == MIDNIGHT + days * DAY
    assert (end.marked_at, end.read_only) == (MIDNIGHT + 9 * DAY, True)


def test_an_account_outside_a_challenge_is_marked_and_falls_to_its_policy_s_level_once() -> None:
    account = holding(an_account(policy=a_policy(liquidation_pct=Decimal(98))), *a_trader().positions.values())
    tape = [a_batch(n, quoted("EURUSD", bps)) for n, bps in enumerate((100, -300, 0, -400), 1)]
    end, journal = folded(account, tape, None)
    assert (journal.liquidations, end.read_only, journal.verdicts) == ([1001], True, [])
    told = [row for row in journal.rows if row.kind == Kind.FINDING]
    assert [(row.batch, row.facts["rule"], row.facts["floor"]) for row in told] == [(2, "LIQUIDATION", "98000")]
    assert end.high_watermark == Decimal(101_100)


def test_an_ended_phase_is_marked_on_and_judged_no_more() -> None:
    terms = only(daily_loss=a_limit("1"))
    tape = [a_batch(1, quoted("EURUSD", -200)), a_batch(2, quoted("EURUSD", -900), at=MIDNIGHT + DAY)]
    once, _ = folded(a_trader(), tape[:1], terms)
    end, journal = folded(once, tape, terms)
    assert (len(journal.verdicts), journal.days, end.equity < once.equity) == (0, {}, True)
    assert end.phase == once.phase


def test_an_account_that_is_not_live_only_notes_how_far_the_quotes_have_come() -> None:
    account = an_account()
    tape = [a_batch(1, quoted("EURUSD", 1)), a_batch(2)]
    end, journal = folded(account, tape, None)
    assert (end, journal) == (replace(account, marked_through=2, marked_at=tape[1].market_time), Journal())
    assert folded(end, tape[:1], None)[0] == end


def test_marks_are_written_at_most_once_an_interval_and_metrics_once_a_minute() -> None:
    account = a_trader(metric_due_at=NOON)
    tape = [a_batch(n, quoted("EURUSD", n), at=NOON + n * timedelta(seconds=50)) for n in range(1, 151)]
    _, journal = folded(account, tape, a_phase_terms())
    first, second, third = [row.market_time for row in journal.rows]
    assert (second - first, third - second) == (HOUR, HOUR)
    minutes = [metric.market_time.replace(second=0) for metric in journal.metrics]
    assert len(minutes) == len(set(minutes)) == 126


def test_the_clock_may_run_on_without_a_batch() -> None:
    account = replace(a_trader(), marked_through=5, marked_at=NOON)
    journal = Journal()
    assert advance(account, a_market(), MIDNIGHT - HOUR, conditions(a_phase_terms()), journal) is account
    for reached in (MIDNIGHT, MIDNIGHT + HOUR):
        end = advance(account, a_market(), reached, conditions(a_phase_terms()), journal)
        assert end.phase
        assert (end.phase.day, end.marked_through, end.marked_at) == (2, 5, reached)


def test_the_backtest_door_plays_a_phase_without_a_database() -> None:
    """Buy, ride to the target over two days, pass, and close: the domain's functions and recorded quotes only."""
    terms = a_phase_terms(profit_target=a_target("1"), min_trading_days=2)
    its = conditions(terms)
    account, journal = started(terms)

    def trade(action_id: str, verb: str, at: datetime, price: str, **size: str) -> None:
        nonlocal account
        quote = priced("EURUSD", price, at)
        batch = Batch(account.marked_through + 1, at, (quote,))
        account = catch_up(account, market, [batch], its, journal)
        market["EURUSD"] = quote
        proposed = an_action(action_id=action_id, action=verb, **{"quantity": None} | size)
        account, results = submit(account, [proposed], {}, a_moment(market, at, batch.number), its, journal)
        assert [result.refusal for result in results] == [None]

    market: dict[str, Quote] = dict(a_market())
    trade("in", "OPEN", datetime(2026, 3, 2, 13, tzinfo=UTC), "1.10000", quantity="40000")
    trade("half", "REDUCE", datetime(2026, 3, 3, 9, tzinfo=UTC), "1.13000", fraction="0.5")
    assert journal.verdicts == []  # half of it is not the target yet
    trade("out", "CLOSE", datetime(2026, 3, 3, 10, tzinfo=UTC), "1.13000")
    assert [(v.status, v.rule) for v in journal.verdicts] == [(ChallengeStatus.PASSED, Rule.PROFIT_TARGET)]
    assert (account.cash, account.positions) == (Decimal("101110.8"), {})
    closed = close_all(account, "PHASE_ENDED", a_moment(market), its, journal)
    assert closed == account
    assert [(day.number, day.traded, day.closed) for day in journal.days.values()] == [(1, True, True), (2, True, True)]
