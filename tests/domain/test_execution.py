"""Decision actions: answered once each, and every fill leaves the books balanced."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.accounts import Account, Journal
from domain.execution import close_all, submit
from domain.fold import catch_up
from domain.ledger import GENESIS, Kind, chain
from domain.lifecycles import ActionStatus, ChallengeStatus, OrderStatus
from domain.money import ZERO, ceil8, round8
from domain.orders import Action, ActionResult, Verb
from domain.positions import Side
from domain.quotes import Batch, Market
from domain.terms import Measured, PhaseTerms, Policy, Slippage
from domain.valuation import unrealised
from tests.domain.builders import NOON, a_limit, a_phase_terms, a_policy, a_target, an_account, an_action
from tests.domain.desk_builders import (
    BASE,
    CATALOGUE,
    a_market,
    a_moment,
    conditions,
    deposited,
    near,
    priced,
    quoted,
    started,
)

FREE = a_policy(fee_bps=ZERO)
LOOSE = a_policy(
    notional_max=Decimal(10**9), leverage_max=Decimal(100), position_equity_pct_max=Decimal(10_000), positions_max=99
)


def flat(policy: Policy = FREE, **changes: object) -> Account:
    return deposited(an_account(policy=policy, marked_through=1, marked_at=NOON, **changes))[0]


def executed(
    account: Account,
    *actions: Action,
    known: Sequence[ActionResult] = (),
    market: Market | None = None,
    terms: PhaseTerms | None = None,
) -> tuple[Account, list[ActionResult], Journal]:
    journal = Journal()
    stored = {result.content.key: result for result in known}
    account, results = submit(account, actions, stored, a_moment(market), conditions(terms), journal)
    return account, results, journal


def codes(results: Sequence[ActionResult]) -> list[str | None]:
    return [result.refusal.code if result.refusal else None for result in results]


def test_an_open_leaves_an_answer_an_order_a_fill_and_a_position() -> None:
    account, [result], journal = executed(
        flat(a_policy()), an_action(), market=a_market() | {"EURUSD": priced("EURUSD", "1.2")}
    )
    [fill], [order], [position] = journal.fills, journal.orders.values(), journal.positions.values()
    assert [(row.seq, row.kind, row.amount) for row in journal.rows] == [
        (2, Kind.ACTION_ACCEPTED, ZERO),
        (3, Kind.ORDER_PLACED, ZERO),
        (4, Kind.FILL, Decimal("-1.2")),
        (5, Kind.POSITION_OPENED, ZERO),
    ]
    assert (result.seq, result.order_seq, result.fill, result.status) == (2, 3, fill, ActionStatus.EXECUTED)
    assert (order.seq, order.status, order.action_seq, order.reason) == (3, OrderStatus.FILLED, 2, "ACTION")
    assert (fill.seq, fill.order_seq, fill.position_seq, fill.price, fill.fee) == (
        4,
        3,
        5,
        Decimal("1.2"),
        Decimal("1.2"),
    )
    assert (position.seq, position.fees) == (5, Decimal("1.2"))
    assert (position.quantity, position.cost_basis) == (Decimal(1000), Decimal(1200))
    assert account.positions == {("EURUSD", Side.LONG): position}
    assert (account.cash, account.fees, account.seq) == (Decimal("99998.8"), Decimal("1.2"), 5)


def test_a_refusal_is_stored_with_the_quote_it_was_judged_by() -> None:
    account, [result], journal = executed(flat(), an_action(action="HOLD"))
    assert (result.seq, result.status, codes([result])) == (2, ActionStatus.REJECTED, ["UNSUPPORTED_ACTION"])
    assert result.quote == {"bid": "1.1", "ask": "1.1001", "source_time": NOON.isoformat()}
    assert journal.actions == [result]
    assert [row.facts for row in journal.rows] == [{"run": "run-1", "action": "action-1", "code": "UNSUPPORTED_ACTION"}]
    assert account.cash == 100_000


def test_one_bad_number_does_not_sink_the_batch_and_answers_keep_the_order_of_the_input() -> None:
    bad, good = an_action(action_id="a", quantity="1e"), an_action(action_id="b")
    _, results, _ = executed(flat(), bad, good)
    assert [(result.content.action_id, result.status) for result in results] == [
        ("a", ActionStatus.REJECTED),
        ("b", ActionStatus.EXECUTED),
    ]


def test_ids_that_occur_twice_are_all_refused_and_not_stored() -> None:
    twins = [an_action(), an_action(action_id="other"), an_action(quantity="5")]
    known = executed(flat(), an_action())[1]
    account, results, journal = executed(flat(), *twins, known=known)
    assert codes(results) == ["DUPLICATE_IN_BATCH", None, "DUPLICATE_IN_BATCH"]
    assert [result.seq for result in results] == [None, 2, None]
    assert [result.content.action_id for result in journal.actions] == ["other"]
    assert len(account.positions) == 1


def test_the_same_id_in_another_run_is_another_action() -> None:
    _, results, _ = executed(flat(), an_action(), an_action(run="run-2", side="SHORT"))
    assert codes(results) == [None, None]


ANSWERED = {
    "executed": an_action(),
    "rejected": an_action(action="HOLD"),
    "at work": an_action(order="STOP", price="1.2"),
}


@pytest.mark.parametrize("first", ANSWERED.values(), ids=ANSWERED.keys())
def test_an_action_sent_again_is_answered_again_and_nothing_happens(first: Action) -> None:
    before, known, _ = executed(flat(), first)
    account, results, journal = executed(before, first, known=known)
    assert results == [replace(known[0], replayed=True)]
    assert (account, journal) == (before, Journal())


CHANGED = [field.name for field in fields(Action) if field.name not in ("run", "action_id")]


@pytest.mark.parametrize("name", CHANGED)
def test_an_id_used_for_something_else_is_a_conflict_naming_the_field(name: str) -> None:
    before, known, _ = executed(flat(), an_action())
    account, results, journal = executed(before, replace(an_action(), **{name: "7"}), known=known)
    refusal = results[0].refusal
    assert refusal
    assert (refusal.code, refusal.observed) == ("IDEMPOTENCY_CONFLICT", "7")
    assert refusal.message.endswith(f"another {name}.")
    assert (account, journal, results[0].seq) == (before, Journal(), None)


def test_a_closed_side_can_be_opened_again_as_another_position() -> None:
    opened, _, first = executed(flat(), an_action())
    account, results, journal = executed(
        opened,
        an_action(action_id="out", action="CLOSE", quantity=None),
        an_action(action_id="in", quantity="7"),
    )
    assert codes(results) == [None, None]
    assert [row.kind for row in journal.rows if row.kind.name.startswith("POSITION")] == [
        Kind.POSITION_CLOSED,
        Kind.POSITION_OPENED,
    ]
    [(_, old)], (closed, new) = first.positions.items(), journal.positions.values()
    assert (closed.seq, closed.quantity, closed.cost_basis) == (old.seq, ZERO, ZERO)
    assert (new.seq, new.quantity) == (account.seq, Decimal(7))
    assert list(account.positions.values()) == [new]


def test_a_long_and_a_short_of_one_symbol_stand_together_and_neither_flips() -> None:
    account, results, _ = executed(
        flat(),
        an_action(action_id="1"),
        an_action(action_id="2", side="SHORT", quantity="400"),
        an_action(action_id="3", side="SHORT", action="REDUCE", quantity="401"),
    )
    assert codes(results) == [None, None, "EXCEEDS_POSITION"]
    assert [(key, held.quantity) for key, held in account.positions.items()] == [
        (("EURUSD", Side.LONG), Decimal(1000)),
        (("EURUSD", Side.SHORT), Decimal(400)),
    ]


PRICES = [
    (Slippage.MID_PRICE, "LONG", "1.10005", "0"),
    (Slippage.MID_PRICE, "SHORT", "1.10005", "0"),
    (Slippage.BID_ASK, "LONG", "1.1001", "-0.1"),
    (Slippage.BID_ASK, "SHORT", "1.1", "-0.1"),
]


@pytest.mark.parametrize(("slippage", "side", "price", "open_profit"), PRICES)
def test_a_fill_and_its_mark_follow_the_same_model(slippage: Slippage, side: str, price: str, open_profit: str) -> None:
    account, _, journal = executed(flat(replace(FREE, slippage=slippage)), an_action(side=side))
    assert journal.fills[0].price == Decimal(price)
    assert account.unrealised == Decimal(open_profit)  # under BID_ASK the spread is lost at once


CONVERTED = [
    ("at par", "USDC", "EURUSD", "1"),
    ("by the pair", "USD", "EURGBP", "1.30005"),
    ("by the pair inverted", "USD", "USDJPY", "0.006666664444445185"),
    ("into euros, inverted", "EUR", "BTCUSDC", "0.909049588655061134"),
]


@pytest.mark.parametrize(
    ("currency", "symbol", "rate"), [case[1:] for case in CONVERTED], ids=[c[0] for c in CONVERTED]
)
def test_fee_and_profit_are_booked_in_the_account_s_currency(currency: str, symbol: str, rate: str) -> None:
    account = flat(a_policy(), currency=currency)
    account, _, opened = executed(account, an_action(symbol=symbol, quantity="0.5"))
    market = a_market() | {symbol: quoted(symbol, 100)}
    account, _, closed = executed(account, an_action(symbol=symbol, action="CLOSE", quantity=None), market=market)
    [bought], [sold] = opened.fills, closed.fills
    assert bought.rate == Decimal(rate)
    assert bought.fee == ceil8(exact := Decimal("0.0005") * bought.price * bought.rate)
    assert bought.fee + sold.fee == ceil8(exact + Decimal("0.0005") * sold.price * sold.rate)
    assert sold.realised == round8(Decimal("0.5") * (sold.price - bought.price) * sold.rate)
    assert account.cash == 100_000 + sold.realised - bought.fee - sold.fee


def test_what_ends_the_phase_stops_the_actions_behind_it() -> None:
    """The target counts the lower of balance and equity, so only the close meets it; what follows is refused."""
    terms = a_phase_terms(profit_target=a_target("1"))
    account, _ = started(terms, policy=FREE)
    account, _, _ = executed(account, an_action(quantity="40000"), terms=terms)
    close = an_action(action_id="close", action="CLOSE", quantity=None)
    market = a_market(EURUSD=400)
    account, results, journal = executed(account, close, an_action(action_id="more"), market=market, terms=terms)
    assert codes(results) == [None, "ACCOUNT_NOT_OPEN"]
    assert [verdict.status for verdict in journal.verdicts] == [ChallengeStatus.PASSED]


def test_a_fill_that_breaks_a_limit_is_judged_before_any_quote_can_heal_it() -> None:
    terms = a_phase_terms(daily_loss=a_limit("0.01", measured=Measured.BALANCE))
    account, _ = started(terms)
    account, _, journal = executed(account, an_action(quantity="20000"), terms=terms)
    assert [(verdict.status, verdict.batch) for verdict in journal.verdicts] == [(ChallengeStatus.FAILED, 1)]


def test_the_phase_s_limit_of_positions_counts_beside_the_policy_s() -> None:
    terms = a_phase_terms(max_positions=1)
    account, _ = started(terms)
    _, results, _ = executed(account, an_action(), an_action(action_id="2", side="SHORT"), terms=terms)
    assert codes(results) == [None, "POSITIONS_MAX"]


def test_a_fill_makes_its_day_a_trading_day_once() -> None:
    terms = a_phase_terms()
    account, _ = started(terms)
    account, _, _ = executed(account, an_action(), an_action(action_id="2", side="SHORT"), terms=terms)
    assert account.phase
    assert (account.phase.days_traded, account.phase.day_traded, account.phase.last_fill_day) == (1, True, 1)


def test_a_forced_closing_waits_for_a_fresh_quote_of_each_symbol() -> None:
    actions = [an_action(), an_action(action_id="2", symbol="GBPUSD")]
    account, _, _ = executed(flat(), *actions)
    market = a_market() | {"GBPUSD": quoted("GBPUSD", at=NOON - timedelta(seconds=61))}
    journal = Journal()
    account = close_all(replace(account, read_only=True), "PHASE_ENDED", a_moment(market), conditions(), journal)
    assert [(fill.symbol, fill.verb) for fill in journal.fills] == [("EURUSD", Verb.CLOSE)]
    assert [order.reason for order in journal.orders.values()] == ["PHASE_ENDED"]
    account = close_all(account, "PHASE_ENDED", a_moment(), conditions(), journal)
    assert account.positions == {}
    assert account.unrealised == 0


def test_closing_to_exactly_zero_and_reopening_leaves_no_dust() -> None:
    """Thirds that cannot be halved evenly: what is left is closed whole, and a new position starts from nothing."""
    account, journal = flat(LOOSE), Journal()
    played = [
        an_action(quantity="0.01"),
        an_action(action="INCREASE", quantity="0.02"),
        an_action(action="REDUCE", quantity=None, fraction="0.6666"),
        an_action(action="CLOSE", quantity=None),
        an_action(quantity="0.01"),
        an_action(action="REDUCE", quantity=None, fraction="1"),
    ]
    for n, action in enumerate(played):
        market = a_market(EURUSD=n * 7)
        named = replace(action, action_id=str(n))
        account, [result] = submit(account, [named], {}, a_moment(market), conditions(), journal)
        assert result.refusal is None
    assert [fill.quantity for fill in journal.fills] == [
        Decimal(q) for q in ("0.01", "0.02", "0.01", "0.02", "0.01", "0.01")
    ]
    closed = list(journal.positions.values())
    assert [(p.quantity, p.cost_basis, bool(p.closed_at)) for p in closed] == [(ZERO, ZERO, True)] * 2
    assert (account.positions, account.unrealised) == ({}, ZERO)
    assert account.cash == 100_000 + sum(fill.realised - fill.fee for fill in journal.fills)


sizes = st.one_of(
    st.builds(lambda n: {"quantity": n}, st.sampled_from(["0.01", "3", "250.07", "1000"])),
    st.builds(lambda n: {"quantity": None, "notional": n}, st.sampled_from(["40", "1999.99"])),
    st.builds(lambda n: {"quantity": None, "fraction": n}, st.sampled_from(["0.333", "1"])),
    st.just({"quantity": None}),
)
bps = st.integers(-200, 200)


def some_prices(
    order: str | None, stop_loss: int | None, take_profit: int | None, price: int
) -> Callable[[Verb, str], dict[str, str]]:
    """For what adds: an order, its price and its protection so many hundredths of a percent from the base."""

    def given(verb: Verb, symbol: str) -> dict[str, str]:
        rests = order is not None and verb is not Verb.PROTECT
        moves: dict[str, int | None] = {"price": price if rests else None}
        if verb.adds or verb is Verb.PROTECT:
            moves |= {"stop_loss": stop_loss, "take_profit": take_profit}
        prices = {name: str(near(symbol, move)) for name, move in moves.items() if move is not None}
        return prices | ({"order": order} if order and rests else {})

    return given


proposals = st.builds(
    lambda verb, symbol, side, size, prices: an_action(
        action=verb, symbol=symbol, side=side, **size, **prices(verb, symbol)
    ),
    st.sampled_from(Verb),
    st.sampled_from(list(BASE)),
    st.sampled_from(Side),
    sizes,
    st.builds(some_prices, st.sampled_from([None, None, "LIMIT", "STOP"]), st.none() | bps, st.none() | bps, bps),
)
rounds = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(list(BASE)), st.integers(-300, 300)), st.lists(proposals, max_size=4)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40)
@given(rounds, st.sampled_from(Slippage))
def test_the_books_balance_after_any_trading(
    played: list[tuple[dict[str, int], list[Action]]], slippage: Slippage
) -> None:
    account, journal = deposited(an_account(policy=replace(LOOSE, slippage=slippage), marked_through=1, marked_at=NOON))
    market: Market = a_market()
    for n, (moves, actions) in enumerate(played, 2):
        at = NOON + n * timedelta(seconds=1)
        batch = Batch(n, at, tuple(quoted(symbol, bps, at=at) for symbol, bps in moves.items()))
        account = catch_up(account, market, [batch], conditions(), journal)
        market = {**market, **{quote.symbol: quote for quote in batch.quotes}}
        named = [replace(action, action_id=f"{n}-{m}") for m, action in enumerate(actions)]
        account, _ = submit(account, named, {}, a_moment(market, at, n), conditions(), journal)
    fills = journal.fills
    assert account.cash == sum(row.amount for row in journal.rows)
    assert account.cash == 100_000 + sum(fill.realised - fill.fee for fill in fills)
    assert account.unrealised == unrealised(account, market, CATALOGUE)
    assert (account.realised, account.fees) == (sum(f.realised for f in fills), sum(f.fee for f in fills))
    assert [row.seq for row in journal.rows] == list(range(1, account.seq + 1))
    heads = [GENESIS, *(row.hash for row in journal.rows)]
    assert account.head == heads[-1]
    for head, row in zip(heads, journal.rows, strict=False):
        said = row.account, row.seq, row.kind, row.amount, row.balance_after, row.market_time, row.batch, row.facts
        assert row.hash == chain(head, *said)
    assert all(later.balance_after == earlier.balance_after + later.amount for earlier, later in pairwise(journal.rows))
    for (_, seq), position in journal.positions.items():
        mine = [fill for fill in fills if fill.position_seq == seq]
        assert position.quantity == sum(fill.quantity if fill.verb.adds else -fill.quantity for fill in mine)
        assert position.realised == sum(fill.realised for fill in mine)
        assert bool(position.quantity) == (account.positions.get((position.symbol, position.side)) == position)
        assert position.quantity or position.cost_basis == 0
    filled = [order.seq for order in journal.orders.values() if order.status is OrderStatus.FILLED]
    assert sorted(fill.order_seq for fill in fills) == sorted(filled)
    assert account.orders == {o.seq: o for o in journal.orders.values() if o.status is OrderStatus.WORKING}
    assert len(account.orders) <= account.policy.orders_max
    for order in account.orders.values():
        assert not order.type.protects or (order.symbol, order.side) in account.positions
