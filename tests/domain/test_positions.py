"""Average cost by side: exact against fractions, no dust, never flipping."""

import random
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.fills import deal
from domain.positions import Position, Side
from tests.domain.builders import a_position

CLOSE_ENOUGH = Fraction(1, 10**15)  # the cost basis is kept to 18 places
UNIT = Fraction(1, 10**8)  # the booked amount to 8

quantities = st.decimals("0.00000001", "100000", places=8)
prices = st.decimals("0.00000001", "100000", places=8)
fills = st.lists(st.tuples(st.booleans(), quantities, prices), min_size=1, max_size=25)


@dataclass
class Naive:
    """The same holding in fractions, rounding nothing."""

    sign: int
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)

    def add(self, quantity: Fraction, price: Fraction) -> None:
        self.quantity += quantity
        self.cost += quantity * price

    def fill(self, adds: bool, quantity: Fraction, price: Fraction) -> Fraction:
        if not adds:
            return self.reduce(quantity, price)
        self.add(quantity, price)
        return Fraction(0)

    def reduce(self, quantity: Fraction, price: Fraction) -> Fraction:
        released = self.cost * quantity / self.quantity
        self.quantity -= quantity
        self.cost -= released
        return (quantity * price - released) * self.sign


@settings(max_examples=150)
@given(st.sampled_from(Side), fills)
def test_a_holding_agrees_with_fractions(side: Side, fills: list[tuple[bool, Decimal, Decimal]]) -> None:
    held, naive, profit = a_position(side=side), Naive(1 if side is Side.LONG else -1), Fraction(0)
    for adds, quantity, price in fills:
        if adds or not held.quantity:
            held = held.add(quantity, price)
            naive.add(Fraction(quantity), Fraction(price))
        else:
            closed = min(quantity, held.quantity)
            held = held.reduce(closed, price)
            profit += naive.reduce(Fraction(closed), Fraction(price))
            assert abs(Fraction(held.realised) - profit) < UNIT / 2 + CLOSE_ENOUGH
            assert held.realised.as_tuple().exponent == -8
        assert held.quantity >= 0
        assert Fraction(held.quantity) == naive.quantity
        assert abs(Fraction(held.cost_basis) - naive.cost) < CLOSE_ENOUGH
        if not held.quantity:
            assert held.cost_basis == 0, "the last reduction releases all of the cost"
            assert held.average_entry == 0
            held, profit = a_position(side=side), Fraction(0)


RATES = [Decimal(1), Decimal("0.006666664444445185"), Decimal("0.909049588655061134"), Decimal("1.30005")]
STEP = Decimal("0.00000001")


def a_size(chance: random.Random, held: Decimal) -> tuple[bool, Decimal]:
    """Add, close a part, all but dust, or all; what is flat can only be opened. Sizes run over eight magnitudes."""
    size = Decimal(chance.randint(1, 10 ** chance.randint(1, 13))).scaleb(-8)
    if not held or chance.random() < 0.45:
        return True, size
    return False, chance.choice([min(size, held), held, max(held - STEP, STEP), (held / 3).quantize(STEP) or held])


def test_books_by_side_agree_with_fractions_over_thousands_of_sequences() -> None:
    """Opens, adds, partial closes, closes to dust and to zero, reopenings; long beside short, at par and converted.

    Booked profit is within half a unit of 1e-8 of the exact sum, booked fees less than a unit above it, and one fill
    within a unit of its own.
    """
    closed = dust = reopened = 0
    for seed in range(2000):
        chance = random.Random(seed)
        rate, fee_bps = chance.choice(RATES), Decimal(chance.choice(["0", "10", "2.5"]))
        marked_within = UNIT / 2 * (1 + Fraction(rate)) + CLOSE_ENOUGH
        profits, fees = dict.fromkeys(Side, Fraction(0)), dict.fromkeys(Side, Fraction(0))
        books = {side: a_position(side=side) for side in Side}
        naive, flat = {Side.LONG: Naive(1), Side.SHORT: Naive(-1)}, set[Side]()
        for _ in range(chance.randint(3, 9)):
            side = chance.choice(list(Side))
            price = Decimal(chance.randint(1, 10 ** chance.randint(4, 10))).scaleb(-5)
            adds, quantity = a_size(chance, books[side].quantity)
            done = deal(books[side], adds=adds, quantity=quantity, price=price, rate=rate, fee_bps=fee_bps)
            expected = naive[side].fill(adds, Fraction(quantity), Fraction(price)) * Fraction(rate)
            assert abs(Fraction(done.realised) - expected) <= UNIT + CLOSE_ENOUGH
            profits[side] += expected
            fee = Fraction(quantity) * Fraction(price) * Fraction(rate) * Fraction(fee_bps) / 10_000
            assert abs(Fraction(done.fee) - fee) < UNIT
            fees[side] += fee
            assert abs(Fraction(done.after.realised) - profits[side]) <= UNIT / 2 + CLOSE_ENOUGH
            assert 0 <= Fraction(done.after.fees) - fees[side] < UNIT
            reopened += not books[side].quantity and side in flat
            books[side] = done.after
            assert Fraction(done.after.quantity) == naive[side].quantity
            assert abs(Fraction(done.after.cost_basis) - naive[side].cost) < CLOSE_ENOUGH
            dust += done.after.quantity == STEP
            if not done.after.quantity:
                closed += 1
                flat.add(side)
                assert done.after.cost_basis == 0
                books[side] = a_position(side=side)
                profits[side] = fees[side] = Fraction(0)
        for side, held in books.items():
            mark = Fraction(held.unrealised(Decimal("7.5"), rate))
            open_profit = (naive[side].quantity * Fraction("7.5") - naive[side].cost) * naive[side].sign
            assert abs(mark - open_profit * Fraction(rate)) <= 2 * marked_within
    assert min(closed, dust, reopened) > 500


@given(st.sampled_from(Side), quantities, prices, prices)
def test_opening_and_closing_at_one_price_realises_nothing(
    side: Side, quantity: Decimal, price: Decimal, other: Decimal
) -> None:
    flat = a_position(side=side).add(quantity, price).reduce(quantity, price)
    assert flat.realised == flat.quantity == flat.cost_basis == 0
    there = a_position(side=side).add(quantity, price).reduce(quantity, other)
    mirrored = a_position(side=_other(side)).add(quantity, price).reduce(quantity, other)
    assert there.realised == -mirrored.realised


def _other(side: Side) -> Side:
    return Side.SHORT if side is Side.LONG else Side.LONG


def test_dust_left_behind_keeps_the_average() -> None:
    held = a_position().add(Decimal(3), Decimal("33.33333333")).add(Decimal(1), Decimal("0.00000001"))
    average = held.average_entry
    dust = held.reduce(held.quantity - Decimal("0.00000001"), Decimal(40))
    assert abs(dust.average_entry - average) < Decimal("0.00001")


@pytest.mark.parametrize("quantity", ["0", "-1", "2.00000001"])
def test_a_position_never_flips(quantity: str) -> None:
    held = a_position("2", "20")
    with pytest.raises(AssertionError, match="never flips"):
        held.reduce(Decimal(quantity), Decimal(10))


MARKS = [
    ("a long that rose", Side.LONG, "12", "126000", "10510", "1", "120", "126120"),
    ("a short that rose", Side.SHORT, "12", "126000", "10510", "1", "-120", "126120"),
    ("a short that fell", Side.SHORT, "10.15", "106575", "10390", "1", "1116.5", "105458.5"),
    ("converted at a rate", Side.LONG, "2", "10", "6", "2", "4", "24"),
    ("converted and rounded", Side.LONG, "1", "0", "1", "0.333333333333333333", "0.33333333", "0.33333333"),
    ("rounded before it is converted", Side.LONG, "0.5", "0", "0.00000003", "1000000", "0.02", "0.015"),
    ("the cost rounded by itself", Side.LONG, "1", "0.000000015", "0.00000002", "1", "0", "0.00000002"),
]


@pytest.mark.parametrize(
    ("side", "quantity", "cost", "mark", "rate", "unrealised", "notional"),
    [c[1:] for c in MARKS],
    ids=[c[0] for c in MARKS],
)
def test_a_holding_is_marked(
    side: Side, quantity: str, cost: str, mark: str, rate: str, unrealised: str, notional: str
) -> None:
    held = a_position(quantity, cost, side=side)
    assert held.unrealised(Decimal(mark), Decimal(rate)) == Decimal(unrealised)
    assert held.notional(Decimal(mark), Decimal(rate)) == Decimal(notional)


def test_the_average_is_read_from_the_cost() -> None:
    held: Position = a_position().add(Decimal("0.5"), Decimal(5000)).add(Decimal("0.3"), Decimal(6000))
    assert held.average_entry == 5375
    assert held.cost_basis == 4300
    assert a_position("3", "10").average_entry == Decimal("3.333333333333")
