"""The backtest: the desk's fold over recorded quotes, and what it refuses to run."""

import contextlib
import io
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import backtest
from domain.backtest import BacktestResult, Setup
from domain.calendar import Calendar
from domain.ledger import GENESIS, Kind, chain
from domain.lifecycles import AccountStatus, ActionStatus, ChallengeStatus
from domain.quotes import Batch
from domain.rule_table import Rule
from domain.terms import PhaseTerms
from tests.domain.builders import (
    INITIAL,
    NOON,
    a_batch,
    a_group,
    a_phase_terms,
    a_policy,
    a_program,
    a_total_limit,
    an_action,
)
from tests.domain.desk_builders import BASE, CATALOGUE, UTC_DAYS, phases, priced, quoted, tapes

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "backtesting.md"
MINUTE = timedelta(minutes=1)
WIDE = a_policy(
    notional_max=Decimal(10**9), leverage_max=Decimal(100), position_equity_pct_max=Decimal(10_000), fee_bps=Decimal(0)
)


def a_setup(terms: PhaseTerms | None = None, **changes: Any) -> Setup:
    phase = replace(terms or a_phase_terms(), group=a_group(policy=WIDE))
    return replace(Setup(phase.group, CATALOGUE, phase, UTC_DAYS), **changes)


def prices(*mids: str) -> list[Batch]:
    """EURUSD at these prices, a minute apart."""
    return [a_batch(n, priced("EURUSD", mid, NOON + n * MINUTE), at=NOON + n * MINUTE) for n, mid in enumerate(mids, 1)]


def test_the_account_is_created_funded_and_started_at_the_first_batch() -> None:
    outcome = backtest.run(a_setup(account_id=7, challenge_id=5, phase_id=3, brand="acme"), prices("1.1"))
    assert [(row.kind, row.amount, row.batch, row.market_time) for row in outcome.journal.rows] == [
        (Kind.ACCOUNT_CREATED, 0, 1, NOON + MINUTE),
        (Kind.DEPOSIT, INITIAL, 1, NOON + MINUTE),
        (Kind.ACCOUNT_STARTED, 0, 1, NOON + MINUTE),
    ]
    account = outcome.account
    assert (account.id, account.brand, account.status, account.cash) == (7, "acme", AccountStatus.ACTIVE, INITIAL)
    assert account.phase
    assert (account.phase.id, account.phase.challenge_id, account.phase.day) == (3, 5, 1)


def test_actions_are_submitted_after_their_batch_at_its_prices() -> None:
    outcome = backtest.run(a_setup(), prices("1.1", "1.2", "1.3"), [(2, [an_action()])])
    [fill] = outcome.journal.fills
    assert (fill.price, fill.batch, outcome.account.unrealised) == (Decimal("1.2"), 2, Decimal(100))


def test_an_action_sent_again_is_answered_again_with_its_order_as_it_is_by_then() -> None:
    resting = an_action(order="LIMIT", price="1.05")
    outcome = backtest.run(a_setup(), prices("1.1", "1.05", "1.1"), [(1, [resting]), (3, [resting])])
    first, again = outcome.results
    assert (first.status, first.replayed, first.fill) == (ActionStatus.WORKING, False, None)
    assert (again.replayed, again.seq, again.fill) == (True, first.seq, outcome.journal.fills[0])


def test_a_phase_that_fails_is_closed_at_the_quotes_that_failed_it() -> None:
    strict = a_phase_terms(total_loss=a_total_limit("1"))
    actions = [(1, [an_action(quantity="100000")]), (3, [an_action(action_id="late")])]
    outcome = backtest.run(a_setup(strict), prices("1.1", "1.08", "1.2"), actions)
    [verdict] = outcome.journal.verdicts
    assert (verdict.status, verdict.rule, verdict.batch) == (ChallengeStatus.FAILED, Rule.MAX_TOTAL_LOSS, 2)
    assert (outcome.account.balance, outcome.account.positions) == (INITIAL - 2000, {})
    assert [order.reason for order in outcome.journal.orders.values()] == ["ACTION", "PHASE_ENDED"]
    assert outcome.results[1].status is ActionStatus.REJECTED


def test_what_has_no_fresh_quote_stays_open_until_it_has_one() -> None:
    quotes = [
        a_batch(1, priced("EURUSD", "1.1", NOON), priced("GBPUSD", "1.3", NOON), at=NOON),
        a_batch(2, priced("EURUSD", "1.0", NOON + 9 * MINUTE), at=NOON + 9 * MINUTE),
        a_batch(3, priced("GBPUSD", "1.4", NOON + 10 * MINUTE), at=NOON + 10 * MINUTE),
    ]
    both = [an_action(quantity="200000"), an_action(action_id="b", symbol="GBPUSD", quantity="1000")]
    assert set(backtest.run(a_setup(), quotes[:2], [(1, both)]).account.positions) == {("GBPUSD", "LONG")}
    outcome = backtest.run(a_setup(), quotes, [(1, both)])
    assert (outcome.account.positions, outcome.account.balance) == ({}, INITIAL - 20_000 + 100)


def test_an_account_without_a_challenge_is_liquidated_at_its_level() -> None:
    group = a_group(policy=WIDE)
    outcome = backtest.run(Setup(group, CATALOGUE), prices("1.1", "0.5"), [(1, [an_action(quantity="100000")])])
    assert outcome.journal.liquidations == [outcome.account.id]
    assert (outcome.account.positions, outcome.account.read_only) == ({}, True)
    assert [order.reason for order in outcome.journal.orders.values()] == ["ACTION", "LIQUIDATION"]


def test_the_account_of_a_phase_is_set_up_from_the_terms_as_sold() -> None:
    terms = a_program(zone="Europe/Berlin")
    setup = Setup.of_phase(terms, 2, CATALOGUE)
    assert (setup.phase, setup.group) == (terms.phases[1], terms.phases[1].group)
    assert setup.calendar == Calendar("Europe/Berlin", terms.day_start)


def test_recorded_quotes_become_the_batches_of_a_replay() -> None:
    later = NOON + MINUTE
    recorded = [
        quoted("EURUSD"), quoted("GBPUSD"), quoted("EURUSD", 5), quoted("EURUSD", at=later), quoted("GBPUSD", at=NOON),
        priced("USDJPY", "-1", later), priced("GBPUSD", "1.3", later),
    ]  # fmt: skip
    batches = backtest.tape([*recorded, replace(quoted("EURUSD", at=later), symbol="NOSUCH")], CATALOGUE)
    assert [(batch.number, batch.market_time, [quote.symbol for quote in batch.quotes]) for batch in batches] == [
        (1, NOON, ["EURUSD", "GBPUSD"]),
        (2, NOON, ["EURUSD"]),
        (3, later, ["EURUSD"]),
        (4, later, ["GBPUSD"]),
        (5, later, ["GBPUSD"]),
    ]


@pytest.mark.parametrize(
    ("batches", "numbers", "told"),
    [
        ([], [], "at least one batch"),
        (prices("1.1", "1.2")[::-1], [], "batches must ascend: 1 comes after 2"),
        (prices("1.1", "1.2"), [2, 1], "submissions must ascend: batch 1 comes after batch 2"),
        (prices("1.1", "1.2"), [3], "after batch 3, which is not among the batches"),
    ],
)
def test_what_cannot_be_run_is_refused(batches: list[Batch], numbers: list[int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        backtest.run(a_setup(), batches, [(number, [an_action(action_id=str(number))]) for number in numbers])


@settings(max_examples=60)
@given(st.data())
def test_every_run_leaves_books_that_balance(data: st.DataObject) -> None:
    opening = [a_batch(1, *(quoted(symbol) for symbol in BASE), at=NOON)]
    batches = opening + data.draw(tapes(first=2))
    actions = st.builds(
        an_action,
        action=st.sampled_from(["OPEN", "INCREASE", "REDUCE", "CLOSE", "PROTECT"]),
        symbol=st.sampled_from(list(BASE)),
        side=st.sampled_from(["LONG", "SHORT"]),
        quantity=st.sampled_from(["1000", "20000", None]),
        action_id=st.sampled_from("abcdefgh"),
    )
    plan = [(batch.number, data.draw(st.lists(actions, max_size=3))) for batch in batches]
    _check(backtest.run(a_setup(data.draw(phases())), batches, plan))


def _check(outcome: BacktestResult) -> None:
    account, head, cash = outcome.account, GENESIS, Decimal(0)
    for seq, row in enumerate(outcome.journal.rows, 1):
        cash += row.amount
        assert (row.seq, row.balance_after) == (seq, cash)
        head = chain(head, 1, seq, row.kind, row.amount, cash, row.market_time, row.batch, row.facts)
        assert row.hash == head
    assert (account.cash, account.head, account.seq) == (cash, head, len(outcome.journal.rows))
    assert account.cash == INITIAL + account.realised - account.fees
    times = [row.market_time for row in outcome.journal.rows]
    assert times == sorted(times)


def test_the_example_of_the_document_prints_what_it_says() -> None:
    [example, printed] = re.findall(r"```python\n(from .*?)```.*?```\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(example, str(DOCUMENT), "exec"), {})
    assert output.getvalue() == printed
