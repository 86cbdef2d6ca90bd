"""The columnar shard: it flags every account that the fold would act on, and agrees with it to the last digit."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import fold
from domain.accounts import Account
from domain.columnar.fixed_point import UNIT, UNITS_MAX, amount, units
from domain.columnar.position_groups import position_figures
from domain.columnar.shard import AccountShard
from domain.lifecycles import ChallengeStatus
from domain.orders import Order, OrderType, Verb
from domain.positions import Side
from domain.quotes import Batch
from domain.terms import Consequence, Measured, PercentOf, PhaseTerms, Touch, Trail
from tests.domain.builders import (
    MIDNIGHT,
    NOON,
    a_batch,
    a_challenger,
    a_limit,
    a_phase_terms,
    a_policy,
    a_position,
    a_target,
    a_total_limit,
    an_account,
    an_order,
)
from tests.domain.desk_builders import (
    BASE,
    CATALOGUE,
    HOUR,
    a_holding,
    a_market,
    conditions,
    holding,
    priced,
    quoted,
    tapes,
    traders,
)
from tests.domain.marker import Live, Marker, a_trader, folded, lists, quiet

TRADED = ["EURUSD", "BTCUSDC", "USDJPY"]


def numbered(accounts: Sequence[tuple[Account, PhaseTerms | None]]) -> list[Live]:
    """The accounts under ids and phases of their own."""
    live = []
    for n, (account, terms) in enumerate(accounts, 1):
        phase = account.phase and replace(account.phase, id=n, challenge_id=10 * n)
        orders = {seq: replace(order, account=100 + n) for seq, order in account.orders.items()}
        live.append((replace(account, id=100 + n, phase=phase, orders=orders), conditions(terms)))
    return live


@st.composite
def resting(draw: st.DrawFn) -> tuple[Account, PhaseTerms | None]:
    """A trader, perhaps with orders: to open what it does not hold, to close what it does."""
    account, terms = draw(traders())
    orders: dict[int, Order] = {}
    for seq in range(101, 101 + draw(st.integers(0, 3))):
        symbol, side = draw(st.sampled_from(TRADED)), draw(st.sampled_from(Side))
        held = account.positions.get((symbol, side))
        kind = draw(
            st.sampled_from([OrderType.STOP_LOSS, OrderType.TAKE_PROFIT] if held else [OrderType.LIMIT, OrderType.STOP])
        )
        price = quoted(symbol, draw(st.integers(-200, 200))).mid
        quantity = held.quantity if held else Decimal(draw(st.sampled_from([1, 1000])))
        verb = Verb.CLOSE if held else Verb.OPEN
        if not held or (symbol, side, kind) not in {(o.symbol, o.side, o.type) for o in orders.values()}:
            orders[seq] = an_order(
                seq=seq, symbol=symbol, side=side, verb=verb, quantity=quantity, type=kind, price=price, batch=0
            )
    return replace(account, orders=orders, seq=200 if orders else 0), terms


@settings(max_examples=80)
@given(st.lists(resting(), min_size=1, max_size=4), tapes(), st.booleans(), st.data())
def test_the_book_never_misses_what_the_fold_finds_and_agrees_with_it(
    accounts: list[tuple[Account, PhaseTerms | None]], tape: list[Batch], whole: bool, data: st.DataObject
) -> None:
    live = numbered(accounts)
    marker = Marker(live, whole=whole)
    marker.tape = tape
    for batch in tape:
        marker.mark(batch)
        if data.draw(st.booleans(), "persist"):
            marker.write(marker.book.dirty().tolist())
        if data.draw(st.integers(0, 3), "touched elsewhere") == 0:
            ahead = data.draw(st.sampled_from(sorted(marker.stored)))
            marker.catch_up(ahead, data.draw(st.sampled_from(tape)).number)
            if data.draw(st.booleans(), "the marker learns of it"):
                marker.reload(ahead)
    marker.write(marker.book.ids())
    for one in live:
        alone, journal = folded(one, tape)
        stored = marker.stored[alone.id]
        if not alone.live:
            stored = fold.skip(stored, tape[-1])
        assert stored == alone
        assert marker.journals[alone.id] == journal


def test_a_mark_moves_equity_highs_and_lows_and_nothing_needs_the_fold() -> None:
    marker = Marker([quiet()])
    marker.tape = [a_batch(1, priced("EURUSD", "1.101")), a_batch(2, priced("EURUSD", "1.099"))]
    assert [marker.mark(batch) for batch in marker.tape] == [[], []]
    marks = lists(marker.book.marks([1001]))
    assert (marks["unrealised"], marks["day_low"], marks["day_high"], marks["marked_through"]) == (
        [-10_50000000],
        [99_989_50000000],
        [100_009_50000000],
        [2],
    )


ten_million_euros = a_holding("EURUSD", Side.LONG, "10000000")
reached = a_phase_terms(
    daily_loss=a_limit("5", touch=Touch.REACHED), profit_target=a_target("8", measured=Measured.EQUITY)
)

LEFT: list[tuple[str, Live, Batch]] = [
    ("its day ends", quiet(), a_batch(1, at=MIDNIGHT)),
    ("an order of it is reached", quiet(orders={3: an_order()}), a_batch(1, priced("EURUSD", "1.09"))),
    ("it missed a batch", quiet(), a_batch(2, quoted("EURUSD", 1))),
    (
        "its loss reaches a limit",
        (a_trader(("EURUSD", Side.LONG, "100000")), conditions(a_phase_terms())),
        a_batch(1, priced("EURUSD", "1.04")),
    ),
    (
        "its profit reaches the target",
        (a_trader(("EURUSD", Side.SHORT, "100000"), cash=Decimal(108_000)), conditions(a_phase_terms())),
        a_batch(1, priced("EURUSD", "1.09")),
    ),
    (
        "its loss is just the limit",
        (a_trader(("EURUSD", Side.LONG, "100000")), conditions(reached)),
        a_batch(1, priced("EURUSD", "1.05005")),
    ),
    (
        "its profit is just the target",
        (a_trader(("EURUSD", Side.LONG, "100000")), conditions(reached)),
        a_batch(1, priced("EURUSD", "1.18005")),
    ),
    (
        "its new high raises a floor for balances",
        (
            a_trader(("EURUSD", Side.LONG, "10000")),
            conditions(
                a_phase_terms(total_loss=a_total_limit("10", trail=Trail.TRAIL_INTRADAY, measured=Measured.LOWER))
            ),
        ),
        a_batch(1, quoted("EURUSD", 5)),
    ),
    (
        "its balance stands above its peak",
        (replace(a_trader(("EURUSD", Side.LONG, "10000")), cash=Decimal(100_001)), conditions(a_phase_terms())),
        a_batch(1, quoted("EURUSD", 0)),
    ),
    (
        "its quantity has too many places",
        (a_trader(("EURUSD", Side.LONG, "0.123456789")), conditions(a_phase_terms())),
        a_batch(1, quoted("EURUSD", 1)),
    ),
    (
        "its notional would not fit",
        (holding(an_account(policy=a_policy(liquidation_pct=Decimal(0))), ten_million_euros), conditions()),
        a_batch(1, priced("EURUSD", "9000")),
    ),
    (
        "its cash cannot be held",
        (an_account(cash=Decimal(10) ** 15, phase=a_challenger().phase), conditions(a_phase_terms())),
        a_batch(1),
    ),
]


@pytest.mark.parametrize(("live", "batch"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT])
def test_an_account_is_left_to_the_fold_as_it_was_because(live: Live, batch: Batch) -> None:
    bystander = replace(quiet()[0], id=2000), quiet()[1]
    marker = Marker([live, bystander])
    before = lists(marker.book.marks([live[0].id]))
    assert live[0].id in marker.book.mark(batch)
    assert lists(marker.book.marks([live[0].id])) == before
    assert marker.book.dirty().tolist() in ([], [2000])


def test_an_account_left_to_the_fold_is_as_if_the_batch_had_not_been() -> None:
    live = a_trader(("EURUSD", Side.LONG, "100000")), conditions(a_phase_terms())
    book, calm = AccountShard(HOUR, CATALOGUE, a_market()), a_batch(1, priced("EURUSD", "1.1"))
    book.put(*live, a_market())
    assert book.mark(a_batch(1, priced("EURUSD", "1.04"))) == [1001]
    assert book.mark(calm) == []
    assert book.marks([1001]).unrealised.tolist() == [units(folded(live, [calm])[0].unrealised)]


def test_a_stored_profit_that_is_out_of_step_counts_until_the_next_quote_sets_it_right() -> None:
    odd = replace(a_trader(("EURUSD", Side.LONG, "100000")), unrealised=Decimal(-6_000))
    terms = conditions(a_phase_terms())
    marker, book = Marker([(odd, terms)]), AccountShard(HOUR, CATALOGUE, a_market())
    assert marker.book.mark(a_batch(1)) == [1001]
    quote = a_batch(1, quoted("EURUSD", 1))
    book.put(odd, terms, a_market())
    assert book.mark(quote) == []
    assert book.marks([1001]).unrealised.tolist() == [units(folded((odd, terms), [quote])[0].unrealised)]


def test_figures_that_cannot_be_held_are_not_those_of_the_account_that_sat_there_before() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(*quiet(), a_market())
    book.put(replace(quiet()[0], cash=Decimal(10) ** 15), quiet()[1], a_market())
    assert [book.mark(a_batch(1)), book.due().tolist(), book.dirty().tolist()] == [[1001], [], []]


def test_a_balance_above_its_peak_waits_for_a_mark() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(replace(quiet()[0], cash=Decimal(100_001)), quiet()[1], a_market())
    assert [book.mark(a_batch(1)), book.mark(a_batch(2, quoted("EURUSD", 1)))] == [[], [1001]]


@pytest.mark.parametrize("noted", [{"day_low": Decimal(100_001)}, {"day_high": Decimal(99_999)}])
def test_a_high_or_low_not_noted_yet_is_dirty_though_the_profit_has_not_moved(noted: dict[str, Any]) -> None:
    account, its = quiet()
    assert account.phase
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(replace(account, phase=replace(account.phase, **noted)), its, a_market())
    book.mark(a_batch(1, *a_market().values()))
    assert book.dirty().tolist() == [1001]


@given(st.integers(1, 10**12), st.integers(1, 40))
def test_the_holdings_of_an_account_share_the_range_so_that_they_add_up(hundredths: int, count: int) -> None:
    figures = position_figures(a_position(str(Decimal(hundredths) / 100), "1"), count)
    assert figures["quantity"] * figures["price_max"] * count <= UNITS_MAX * UNIT
    with pytest.raises(ValueError, match="too large"):
        position_figures(a_position("1", str(amount(UNITS_MAX // (count + 1)) + 1)), count + 1)


def test_a_limit_found_today_is_not_looked_at_again() -> None:
    terms = a_phase_terms(daily_loss=a_limit("1", consequence=Consequence.WARN), profit_target=a_target("0"))
    marker = Marker([(a_trader(("EURUSD", Side.LONG, "100000")), conditions(terms))])
    marker.tape = [a_batch(n, quoted("EURUSD", -100 - n)) for n in (1, 2, 3)]
    assert [marker.mark(batch) for batch in marker.tape] == [[1001], [], []]


def test_a_phase_that_fails_in_the_fold_is_marked_on_without_its_rules() -> None:
    live = a_trader(("EURUSD", Side.LONG, "100000")), conditions(a_phase_terms())
    marker = Marker([live])
    marker.tape = [a_batch(1, quoted("EURUSD", -500)), a_batch(2, quoted("EURUSD", -900), at=MIDNIGHT)]
    assert [marker.mark(batch) for batch in marker.tape] == [[1001], []]
    marker.write(marker.book.dirty().tolist())
    phase = marker.stored[1001].phase
    assert phase
    assert phase.status is ChallengeStatus.FAILED
    assert (marker.stored[1001], marker.journals[1001]) == folded(live, marker.tape)


def test_an_account_without_a_position_or_a_running_phase_is_not_kept() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(*quiet(), a_market())
    book.put(an_account(), conditions(), a_market())
    assert (len(book), book.ids()) == (0, [])


def test_an_account_brought_beyond_the_batch_is_passed_over_until_the_batches_come_up_to_it() -> None:
    live = quiet()
    marker = Marker([live])
    marker.tape = [a_batch(n, quoted("EURUSD", n)) for n in (1, 2, 3)]
    marker.catch_up(1001, 2)
    marker.reload(1001)
    for batch in marker.tape[:2]:
        assert marker.mark(batch) == []
    assert (marker.book.due().tolist(), marker.book.dirty().tolist(), marker.book.marks([1001]).id.tolist()) == (
        [],
        [],
        [],
    )
    marker.mark(marker.tape[2])
    marker.write(marker.book.dirty().tolist())
    assert (marker.stored[1001], marker.journals[1001]) == folded(live, marker.tape)


def test_long_and_short_of_one_symbol_are_marked_side_by_side() -> None:
    live = a_trader(("EURUSD", Side.LONG, "1000"), ("EURUSD", Side.SHORT, "400")), conditions(a_phase_terms())
    marker = Marker([live])
    marker.tape = [a_batch(1, priced("EURUSD", "1.11005"))]
    assert marker.mark(marker.tape[0]) == []
    assert marker.book.marks([1001]).unrealised.tolist() == [600 * 1_000_000]


some_symbols = st.sets(st.sampled_from(["EURUSD", "BTCUSDC", "EURGBP"]))


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans(), some_symbols), max_size=30))
def test_accounts_come_and_go_without_disturbing_the_others(changes: list[tuple[int, bool, set[str]]]) -> None:
    book, kept = AccountShard(HOUR, CATALOGUE, a_market()), dict[int, Account]()
    for one, stays, symbols in changes:
        account = replace(a_trader(*((symbol, Side.LONG, f"{one}.5") for symbol in sorted(symbols))), id=one)
        kept.pop(one, None)
        if stays:
            book.put(account, conditions(a_phase_terms()), a_market())
            kept[one] = account
        else:
            book.drop(one)
    batch = a_batch(1, *(quoted(symbol, 3) for symbol in BASE))
    assert book.mark(batch) == []
    marks = lists(book.marks(book.ids()))
    for one, unrealised in zip(marks["id"], marks["unrealised"], strict=True):
        alone, _ = folded((kept[one], conditions(a_phase_terms())), [batch])
        assert amount(unrealised) == alone.unrealised
    assert sorted(marks["id"]) == sorted(kept)


CONVERTED = [
    ("inverted by its own quote", "USDJPY", ["USDJPY"]),
    ("by another pair alone", "EURGBP", ["GBPUSD"]),
    ("by another pair, both moving", "EURGBP", ["EURGBP", "GBPUSD"]),
    ("by a pair that stands still", "EURGBP", ["EURGBP"]),
]


@pytest.mark.parametrize(("symbol", "moving"), [c[1:] for c in CONVERTED], ids=[c[0] for c in CONVERTED])
def test_a_holding_is_converted_in_columns_to_the_last_digit(symbol: str, moving: list[str]) -> None:
    live = a_trader((symbol, Side.SHORT, "1234.57")), conditions(a_phase_terms())
    marker = Marker([live])
    marker.tape = [a_batch(1, *(quoted(one, 37) for one in moving))]
    assert marker.mark(marker.tape[0]) == []
    marker.write([1001])
    assert marker.stored[1001] == folded(live, marker.tape)[0]


ORDERS: list[tuple[str, dict[str, Any], str, bool]] = [
    ("a buy limit is reached", {}, "1.09", True),
    ("a buy limit is not", {}, "1.09001", False),
    ("a sell limit is reached", {"side": Side.SHORT, "price": Decimal("1.11")}, "1.11", True),
    ("a sell limit is not", {"side": Side.SHORT, "price": Decimal("1.11")}, "1.10999", False),
    ("a buy stop is reached", {"type": OrderType.STOP, "price": Decimal("1.11")}, "1.11", True),
    ("a buy stop is not", {"type": OrderType.STOP, "price": Decimal("1.11")}, "1.10999", False),
    ("a sell stop is reached", {"type": OrderType.STOP, "side": Side.SHORT}, "1.09", True),
    ("a sell stop is not", {"type": OrderType.STOP, "side": Side.SHORT}, "1.09001", False),
]


@pytest.mark.parametrize(("order", "price", "reached"), [c[1:] for c in ORDERS], ids=[c[0] for c in ORDERS])
def test_an_order_waits_in_columns_until_its_price_is_there(order: dict[str, Any], price: str, reached: bool) -> None:
    live = replace(a_challenger(), orders={3: an_order(**order)}), conditions(a_phase_terms())
    marker = Marker([live])
    assert marker.book.mark(a_batch(1, priced("EURUSD", price))) == [1001] * reached
    assert marker.book.mark(a_batch(2, priced("GBPUSD", "1.3"))) == [1001] * reached, "it missed a batch, or none"


def test_what_trips_an_order_observes_the_account_too() -> None:
    live = replace(a_challenger("100001"), orders={3: an_order()}), conditions(a_phase_terms())
    assert Marker([live]).book.mark(a_batch(1, quoted("EURUSD", 1))) == [1001]


TRAILS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("by a share of the initial balance", {"pct": Decimal(2)}, "0", "1.06001", "1.06"),
    ("by an amount", {"amount": Decimal(1000)}, "0", "1.07001", "1.07"),
    ("by a share of the high", {"pct": Decimal(2), "percent_of": PercentOf.REFERENCE}, "0", "1.05921", "1.0592"),
    ("until it stops", {"pct": Decimal(2), "lock_at": Decimal(500)}, "0", "1.04501", "1.045"),
    ("as long as no other is higher", {"pct": Decimal(4)}, "500", "1.04501", "1.045"),
]


@pytest.mark.parametrize(("limit", "daily", "above", "below"), [c[1:] for c in TRAILS], ids=[c[0] for c in TRAILS])
def test_a_floor_follows_a_new_high_in_columns(limit: dict[str, Any], daily: str, above: str, below: str) -> None:
    """100,000 euros bought at 1.04 on a day that began with 101,000; a price of 1.08 makes a high of 104,000."""
    terms = a_phase_terms(
        daily_loss=a_limit("0", amount=Decimal(daily) or None),
        total_loss=replace(a_total_limit(trail=Trail.TRAIL_INTRADAY), **limit),
        profit_target=a_target("0"),
    )
    market = {**a_market(), "EURUSD": priced("EURUSD", "1.05")}
    account = a_challenger(day_start_equity=Decimal(101_000), day_start_balance=Decimal(101_000))
    account = replace(account, ledger_due_at=NOON + HOUR)
    book = AccountShard(HOUR, CATALOGUE, market)
    book.put(holding(account, a_position("100000", "104000"), market=market), conditions(terms), market)
    prices = ("1.08", above, below)
    assert [book.mark(a_batch(n, priced("EURUSD", price))) for n, price in enumerate(prices, 1)] == [[], [], [1001]]
