"""Tiny prices are never rounded before use: the value is, in the fold and in columns alike."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.columnar.fixed_point import units
from domain.columnar.position_groups import PositionGroup, position_figures
from domain.positions import Position, Side
from domain.quotes import Dropped, Listing, Quote, screen
from domain.terms import Slippage
from domain.valuation import mark_price
from tests.domain.builders import NOON, a_batch, a_policy, a_position, an_account
from tests.domain.desk_builders import CATALOGUE, conditions, holding, priced
from tests.domain.marker import Marker, folded
from tests.domain.played import FREE, Played

ATOM = Decimal("0.00000001")


def an_atom_wide(ticks: int) -> Quote:
    """A quote of so many ticks of 1e-8, a tick wide: its mid has a ninth place."""
    return Quote("EURUSD", ticks * ATOM, (ticks + 1) * ATOM, NOON)


def test_a_tick_counts_the_same_wherever_it_happens() -> None:
    """A tick of 1e-8 on 800,000,000 units is worth 8; with the mid rounded it was 0 or 16."""
    held = a_position("800000000", "20000")
    account = holding(an_account(policy=a_policy(liquidation_pct=Decimal(0))), held)
    live = account, conditions()
    tape = [a_batch(ticks, an_atom_wide(1000 + ticks)) for ticks in range(1, 9)]
    marker = Marker([live])
    marker.tape = tape
    for batch in tape:
        marker.mark(batch)
        marker.write(marker.book.dirty().tolist())
        expected = Decimal(1000 + batch.number) * 8 + 4 - 20_000
        assert folded(live, tape[: batch.number])[0].unrealised == expected
        assert marker.stored[account.id].unrealised == expected
    half = replace(an_atom_wide(1009), bid=1008 * ATOM)  # the bid alone moves: half a tick of the mid
    assert folded(live, [*tape, a_batch(9, half)])[0].unrealised == 1009 * 8 - 20_000


def test_a_fill_is_booked_at_the_exact_mid() -> None:
    played = Played(FREE)
    played.market = played.market | {"EURUSD": an_atom_wide(1000)}
    opened = played.propose(quantity="800000000").fill
    assert opened
    assert opened.price == Decimal("0.000010005")
    assert played.account.positions["EURUSD", Side.LONG].cost_basis == 8004
    assert played.account.unrealised == 0
    played.market = played.market | {"EURUSD": an_atom_wide(1001)}
    closed = played.propose("CLOSE", quantity=None).fill
    assert closed
    assert closed.realised == 8


prices = st.tuples(st.integers(1, 10**15), st.integers(0, 12)).map(lambda price: Decimal(price[0]).scaleb(-price[1]))
prices = prices.filter(lambda price: price < 10**9)


@given(
    st.lists(st.tuples(st.integers(1, 10**18), st.integers(0, 10**17)), min_size=1, max_size=5),
    prices, st.integers(0, 10**6), st.sampled_from(Side), st.sampled_from(Slippage), st.sampled_from(["USD", "EUR"]),
)  # fmt: skip
@example([(8 * 10**16, 0)], ATOM, 1, Side.LONG, Slippage.MID_PRICE, "USD")
@example([(10**8, 10**6)], Decimal("1e-12"), 1, Side.SHORT, Slippage.BID_ASK, "EUR")
def test_columns_value_a_holding_as_the_fold_does(
    held: list[tuple[int, int]], bid: Decimal, wide: int, side: Side, slippage: Slippage, currency: str
) -> None:
    spread = wide * Decimal(1).scaleb(-12)
    market = {"GBPUSD": Quote("GBPUSD", bid, bid + spread, NOON), "EURUSD": priced("EURUSD", "1.0837251")}
    lane = PositionGroup("GBPUSD", side, slippage, currency, CATALOGUE)
    positions = [Position(n, "GBPUSD", side, NOON, q * ATOM, c * ATOM) for n, (q, c) in enumerate(held)]
    figures = [position_figures(position, len(held)) for position in positions if position.cost_basis < 10**9]
    if len(figures) < len(positions):
        return
    quantity, cost, price_max = (
        np.array([one[name] for one in figures], np.int64) for name in ("quantity", "cost", "price_max")
    )
    profits, beyond = lane.profits(quantity, cost, price_max, market)
    mark = mark_price(market["GBPUSD"], side, slippage)
    rate = CATALOGUE.rate("USD", currency, market)
    assert rate
    for position, profit, left_to_fold in zip(positions, profits.tolist(), beyond.tolist(), strict=True):
        assert left_to_fold or profit == units(position.unrealised(mark, rate.value))
        assert not left_to_fold or max(position.quantity * mark, position.cost_basis) > 10**6, "only large ones are"


TWELVE = [
    ("0.000000000001", 12, None),
    ("0.0000000000011", 12, Dropped.TOO_PRECISE),
    ("0.0000000001", 10, None),
    ("0.00000000011", 10, Dropped.TOO_PRECISE),
    ("0.00000001", 5, None),  # feeds quote finer than the instrument displays
    ("0.000000001", 5, Dropped.TOO_PRECISE),
]


@pytest.mark.parametrize(("bid", "precision", "reason"), TWELVE)
def test_an_instrument_s_precision_says_how_fine_its_quotes_may_be(
    bid: str, precision: int, reason: Dropped | None
) -> None:
    quote = Quote("EURUSD", Decimal(bid), Decimal(1), NOON)
    screened = screen([quote], {"EURUSD": Listing(precision)}, None)
    assert [dropped[1] for dropped in screened.dropped] == ([reason] if reason else [])
    assert screened.taken == ([] if reason else [quote])


def test_protection_triggers_at_a_price_of_twelve_places() -> None:
    """The mid stands half a tick above the bid."""
    played = Played(FREE)
    assert played.propose(symbol="PEPUSD", quantity="1000000", stop_loss="0.000123456001").fill
    played.quote("0.000123456001", "PEPUSD", spread="0.000000000001")
    assert len(played.account.orders) == 1
    played.quote("0.000123456", "PEPUSD", spread="0.000000000001")
    assert (played.account.orders, played.account.positions) == ({}, {})
    assert played.journal.fills[-1].price == Decimal("0.0001234560005")


def test_a_price_of_an_action_finer_than_its_instrument_is_refused_and_not_rounded() -> None:
    for price, code in (("0.0001234560005", "PRICE_PRECISION"), ("0.000123456", None)):
        refusal = Played(FREE).propose(symbol="PEPUSD", quantity="1000000", stop_loss=price).refusal
        assert (refusal.code if refusal else None) == code
