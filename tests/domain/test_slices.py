"""Sliced orders: any slices book the same figures, within one unit of the exact sum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.fills import deal
from domain.money import ONE, ZERO, ceil8, round8, round18
from domain.orders import Fill
from domain.positions import Position, Side
from domain.replay import replay
from tests.domain.builders import a_batch, a_policy, a_position, an_account
from tests.domain.desk_builders import conditions, holding, priced, quoted
from tests.domain.marker import Marker, folded
from tests.domain.played import Played
from tests.domain.test_replay import a_fill

ATOM = Decimal("0.00000001")
UNIT = Fraction(1, 10**8)


@dataclass(frozen=True, slots=True)
class Move:
    """So many atoms bought or sold at one price and rate, in one go or in slices."""

    adds: bool
    atoms: int
    price: Decimal
    rate: Decimal


def atoms(quantity: Decimal) -> int:
    return int(quantity / ATOM)


def book(position: Position, move: Move, slices: Sequence[int], fee_bps: Decimal) -> tuple[Position, Decimal, Decimal]:
    """The position after the slices (in atoms), and what they booked of profit and of fees."""
    profit, fees = ZERO, ZERO
    for many in slices:
        done = deal(position, adds=move.adds, quantity=many * ATOM, price=move.price, rate=move.rate, fee_bps=fee_bps)
        position, profit, fees = done.after, profit + done.realised, fees + done.fee
    return position, profit, fees


def cut(total: int, cuts: Sequence[int]) -> list[int]:
    """The total in slices, cut at these places as far as they are within it."""
    places = sorted({place % total for place in cuts} | {0, total})
    return [last - first for first, last in pairwise(places)]


prices = st.one_of(
    st.integers(1, 10**9).map(lambda price: Decimal(price).scaleb(-5)),
    st.integers(1, 10**10).map(lambda price: Decimal(price).scaleb(-10)),
    st.sampled_from([Decimal("0.5"), Decimal("0.05123"), Decimal(3)]),
)
rates = st.one_of(
    st.just(ONE),
    st.sampled_from([Decimal("0.5"), Decimal("65000.123456789012345678"), Decimal("0.000015384615384615")]),
    st.integers(1, 10**12).map(lambda rate: round18(Decimal(rate) / 7 / 10**6)),
)
moves = st.builds(Move, st.booleans(), st.integers(1, 10**11), prices, rates)
bps = st.sampled_from([ZERO, Decimal(10), Decimal("2.5"), Decimal("0.00000001")])
cuts = st.lists(st.integers(1, 10**11), max_size=8)


@settings(max_examples=300)
@given(st.sampled_from(Side), st.lists(st.tuples(moves, cuts), min_size=1, max_size=8), bps)
@example(  # a third of an odd cost, twice: the sum is half a unit, however it is cut
    Side.LONG,
    [
        (Move(True, 3, Decimal("0.5"), ONE), []),
        (Move(False, 2, Decimal("0.75"), Decimal("0.5")), [1]),
        (Move(False, 1, Decimal("0.25"), Decimal("0.5")), []),
    ],
    Decimal(10),
)
def test_any_two_ways_to_trade_the_same_book_the_same(
    side: Side, journey: list[tuple[Move, list[int]]], fee_bps: Decimal
) -> None:
    """After each move the sliced position equals the unsliced one, whatever is carried included."""
    whole = sliced = a_position(side=side)
    for move, places in journey:
        adds = move.adds or not whole.quantity
        total = move.atoms if adds else min(move.atoms, atoms(whole.quantity))
        move = replace(move, adds=adds)
        whole, profit, fees = book(whole, move, [total], fee_bps)
        sliced, sliced_profit, sliced_fees = book(sliced, move, cut(total, places), fee_bps)
        assert (sliced_profit, sliced_fees) == (profit, fees)
        assert sliced == whole
        if not whole.quantity:
            whole = sliced = a_position(side=side)


@settings(max_examples=300)
@given(st.sampled_from(Side), st.lists(st.tuples(moves, cuts), min_size=1, max_size=8), bps)
def test_at_every_moment_what_is_booked_is_within_a_unit_of_the_exact_sum(
    side: Side, journey: list[tuple[Move, list[int]]], fee_bps: Decimal
) -> None:
    """Against fractions that round nothing; fees are never below the exact sum."""
    position, sign = a_position(side=side), 1 if side is Side.LONG else -1
    quantity = cost = profit = fees = Fraction(0)
    for move, places in journey:
        adds = move.adds or not position.quantity
        total = move.atoms if adds else min(move.atoms, atoms(position.quantity))
        for many in cut(total, places):
            position, _, _ = book(position, replace(move, adds=adds), [many], fee_bps)
            size, price, rate = Fraction(many * ATOM), Fraction(move.price), Fraction(move.rate)
            released = Fraction(0) if adds else cost * size / quantity
            profit += Fraction(0) if adds else (size * price - released) * sign * rate
            quantity, cost = (quantity + size, cost + size * price) if adds else (quantity - size, cost - released)
            fees += size * price * rate * Fraction(fee_bps) / 10_000
            assert abs(Fraction(position.realised) - profit) < UNIT
            assert 0 <= Fraction(position.fees) - fees < UNIT
            assert abs(position.realised_rest) <= ATOM / 2
            assert -ATOM < position.fees_rest <= 0
        if not position.quantity:
            assert (position.realised_rest, position.fees_rest) == (ZERO, ZERO), "what is carried ends with it"
            position, profit, fees, cost = a_position(side=side), Fraction(0), Fraction(0), Fraction(0)


LOSS = ("a loss of 2.60 USD", "0.05", "0.04996", "65000", "-2.6")
GAIN = ("a profit of 5.2 USD", "0.05", "0.05008", "65000", "5.2")
DUST = ("of a BTC account", "0.05", "0.050048", "1", "0.000048")


@pytest.mark.parametrize(("opened", "closed", "rate", "expected"), [c[1:] for c in (LOSS, GAIN, DUST)],
                         ids=[c[0] for c in (LOSS, GAIN, DUST)])  # fmt: skip
def test_ten_thousand_slices_of_an_ethbtc_book_what_one_does(
    opened: str, closed: str, rate: str, expected: str
) -> None:
    """Each slice is worth less than the smallest unit of bitcoin; so is its fee, which rounds up as a whole."""
    fee_bps = Decimal(10)
    held, _, opening = book(a_position(), Move(True, 10**8, Decimal(opened), Decimal(rate)), [10**8], fee_bps)
    _, profit, fees = book(held, Move(False, 10**8, Decimal(closed), Decimal(rate)), [10**4] * 10**4, fee_bps)
    assert profit == Decimal(expected)
    assert opening + fees == ceil8((Decimal(opened) + Decimal(closed)) * Decimal(rate) / 1000)


def test_fees_round_up() -> None:
    """A fee of a hundredth of a unit costs a unit; the next hundred are paid for by it, and no more."""
    dust = Move(True, 1, Decimal("0.1"), ONE)
    held, _, fees = book(a_position(), dust, [1], Decimal(1000))
    assert fees == ATOM
    held, _, fees = book(held, dust, [1] * 99, Decimal(1000))
    assert fees == ZERO
    _, _, fees = book(held, dust, [1], Decimal(1000))
    assert fees == ATOM


def test_a_rest_is_rounded_as_a_whole_even_at_half_a_unit() -> None:
    """Three halves of a unit are booked as one and a half is: as two, the even one."""
    held = a_position().add(Decimal("0.00000003"), Decimal("0.5"))
    for quantity in ("0.00000001", "0.00000001", "0.00000001"):
        held = held.reduce(Decimal(quantity), Decimal(1))
    assert held.realised == round8(Decimal("0.000000015")) == 2 * ATOM


sizes = st.lists(
    st.tuples(st.sampled_from(["OPEN", "REDUCE", "REDUCE", "REDUCE"]), st.integers(1, 40), st.integers(-50, 50)),
    min_size=2,
    max_size=25,
)


@settings(max_examples=60)
@given(st.sampled_from(["USD", "EUR", "GBP"]), st.sampled_from(Side), sizes, st.data())
def test_the_fold_books_what_a_replay_of_its_fills_books_and_a_void_leaves_the_rest(
    currency: str, side: Side, trades: list[tuple[str, int, int]], data: Any
) -> None:
    """Of dust in a pair that converts; without any one of the fills, the others come to what they alone come to."""
    played = Played(a_policy(), currency=currency)
    for verb, many, ticks in trades:
        played.market |= {"EURGBP": priced("EURGBP", str(Decimal("0.84615") + ticks * Decimal("0.00001")))}
        there = played.account.positions.get(("EURGBP", side))
        given = {"symbol": "EURGBP", "side": side, "quantity": str(many * ATOM * 10**6)}
        played.propose("INCREASE" if there and verb == "OPEN" else verb, **given)
    fills, fee_bps = played.journal.fills, played.account.policy.fee_bps
    done = replay(fills, fee_bps)
    assert list(done.fills) == fills
    assert done.holdings == played.account.positions
    assert (done.realised, done.fees) == (played.account.realised, played.account.fees)
    if fills:
        gone = data.draw(st.sampled_from(fills))
        left = replay([fill for fill in fills if fill is not gone], fee_bps)
        assert [replace(fill, position_seq=0) for fill in left.fills] == alone(left.fills, fee_bps)


def alone(fills: Sequence[Fill], fee_bps: Decimal) -> list[Fill]:
    """The fills as they would have been booked if there had been no others."""
    position, booked = a_position(), list[Fill]()
    for fill in fills:
        if not position.quantity:
            position = a_position(side=fill.side)
        done = deal(
            position, adds=fill.verb.adds, quantity=fill.quantity, price=fill.price, rate=fill.rate, fee_bps=fee_bps
        )
        position = done.after
        booked.append(replace(fill, realised=done.realised, fee=done.fee, position_seq=0))
    return booked


@settings(max_examples=60)
@given(st.booleans(), st.sampled_from(["USD", "EUR", "GBP"]), st.sampled_from(Side), cuts, st.integers(-50, 50))
def test_columns_mark_what_slices_left_as_the_fold_does(
    loaded: bool, currency: str, side: Side, places: list[int], move_bps: int
) -> None:
    """Put one by one or loaded as a whole: a seventh was closed in slices, and the cost left has all its 18 places."""
    held = a_position(symbol="EURGBP", side=side)
    held, _, _ = book(held, Move(True, 3 * 10**11, Decimal("0.84615"), ONE), [3 * 10**11], ZERO)
    held, _, _ = book(held, Move(True, 4 * 10**11, Decimal("0.84617"), ONE), [4 * 10**11], ZERO)
    held, _, _ = book(held, Move(False, 10**11, Decimal("0.8461"), ONE), cut(10**11, places), ZERO)
    assert held.cost_basis.as_tuple().exponent == -18
    account = holding(an_account(currency=currency, policy=a_policy(liquidation_pct=ZERO)), held)
    live, tape = (account, conditions()), [a_batch(1, quoted("EURGBP", move_bps)), a_batch(2, quoted("GBPUSD", -7))]
    marker = Marker([live], whole=loaded)
    marker.tape = tape
    for batch in tape:
        assert marker.mark(batch) == []
    marker.write(marker.book.dirty().tolist())
    expected, _ = folded(live, tape)
    assert (marker.stored[account.id].unrealised, marker.stored[account.id].equity) == (
        expected.unrealised,
        expected.equity,
    )


def test_a_position_of_the_first_edition_begins_without_a_rest() -> None:
    """What was booked of it stays; what is closed from now on is carried."""
    early = [
        a_fill(1, "OPEN", "1", "0.05", rate=Decimal(65000), cumulative=False),
        *(a_fill(seq, "REDUCE", "0.0001", "0.04996", rate=Decimal(65000), cumulative=False) for seq in (5, 9)),
    ]
    position = replay(early, Decimal(10)).positions[2]
    assert (position.realised, position.realised_rest) == (ZERO, ZERO)
    assert position.whole_quantity is None
    late = [a_fill(seq, "REDUCE", "0.0001", "0.04996", rate=Decimal(65000)) for seq in range(13, 113, 10)]
    assert replay([*early, *late], Decimal(10)).positions[2].realised == Decimal("-0.0026")
