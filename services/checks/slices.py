"""Checks that compare the exact value of an account's fills with what was booked: slicing an order gains nothing.

This module shares no code with the booking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from domain.lifecycles import FillStatus
from domain.money import AMOUNT_UNIT, COST_UNIT, EXACT, ONE, ZERO, divide, multiply, plain, round8
from domain.orders import Fill
from domain.positions import Side
from models import accounts
from models.checks import reading
from models.sql import Connection
from services.checks.accounts import Violation

PART_OF_BPS = Decimal("0.0001")
HALF_A_UNIT = Decimal("0.000000005")
CHANCE = Decimal(4)
"""Factor of the root of the squared rounding errors' sum: random errors stay below four times that root."""


@dataclass(slots=True)
class Holding:
    """A position from flat to flat: the booked figures and the exact ones, to 96 digits."""

    seq: int  # of the position
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    profit: Decimal = ZERO  # exact, in the account's currency
    fees: Decimal = ZERO
    booked_profit: Decimal = ZERO
    booked_fees: Decimal = ZERO
    tolerance: Decimal = AMOUNT_UNIT  # one unit, and the rounding of the cost basis at its 18th digit
    slices: int = 0

    def take(self, fill: Fill, fee_bps: Decimal) -> None:
        worth = multiply(fill.quantity, fill.price)
        if fill.verb.adds:
            self.quantity, self.cost = EXACT.add(self.quantity, fill.quantity), EXACT.add(self.cost, worth)
        else:
            released = divide(multiply(self.cost, fill.quantity), self.quantity)
            self.quantity = EXACT.subtract(self.quantity, fill.quantity)
            self.cost = EXACT.subtract(self.cost, released)
            profit = EXACT.subtract(worth, released) if fill.side is Side.LONG else EXACT.subtract(released, worth)
            self.profit = EXACT.add(self.profit, multiply(profit, fill.rate))
        fee = multiply(multiply(worth, fill.rate), multiply(fee_bps, PART_OF_BPS))
        self.fees = EXACT.add(self.fees, fee)
        self.booked_profit += fill.realised
        self.booked_fees += fill.fee
        self.tolerance = EXACT.add(self.tolerance, multiply(COST_UNIT, fill.rate))
        self.slices += 1

    @property
    def gained(self) -> Decimal:
        """Return the booked profit beyond the exact sum plus the fees below it."""
        profit, fees = EXACT.subtract(self.booked_profit, self.profit), EXACT.subtract(self.fees, self.booked_fees)
        return EXACT.add(profit, fees)

    def settle(self) -> None:
        """Take what is booked so far as exact: only later fills are compared."""
        self.profit, self.fees = self.booked_profit, self.booked_fees

    def fault(self) -> str | None:
        """Return what is wrong if booked sums are more than one unit from the exact ones, or fees below them."""
        apart = EXACT.abs(EXACT.subtract(self.booked_profit, self.profit))
        if apart <= self.tolerance and ZERO <= EXACT.subtract(self.booked_fees, self.fees) < AMOUNT_UNIT:
            return None
        booked = f"realised {plain(self.booked_profit)} for fees of {plain(self.booked_fees)}"
        exact = f"exactly it is {plain(round8(self.profit))} for {plain(round8(self.fees))}"
        return f"{booked} in {self.slices} fills, {exact}: {_outcome(self.gained)} by slicing"


@dataclass(slots=True)
class Slices:
    """The booked fills of one account, in order of seq."""

    fee_bps: Decimal
    holdings: dict[tuple[str, Side], Holding] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)  # by position, the first fill of each
    roundings: int = 0  # of closed positions, and of fills of the first edition, which were rounded one by one
    gained: Decimal = ZERO  # the account's gain by rounding
    squares: Decimal = ZERO  # sum of the squares of the possible errors

    def take(self, fill: Fill) -> None:
        key = fill.symbol, fill.side
        holding = self.holdings.setdefault(key, Holding(fill.position_seq))
        if not fill.verb.adds and fill.quantity > holding.quantity:
            return  # more than is open: another check reports it
        holding.take(fill, self.fee_bps)
        if not fill.cumulative:  # half a unit of its fee, and of its profit in both currencies
            self._round(holding.gained, ONE if fill.verb.adds else EXACT.add(fill.rate, Decimal(2)))
            holding.settle()
        elif fault := holding.fault():
            self.faults.setdefault(holding.seq, fault)
        if not holding.quantity:
            if fill.cumulative and holding.seq not in self.faults:
                self._round(holding.gained, ONE)
            del self.holdings[key]

    def _round(self, gained: Decimal, halves: Decimal) -> None:
        """Count an amount that was rounded by itself: its gain, and its largest error in halves of a unit."""
        most = multiply(HALF_A_UNIT, halves)
        self.roundings += 1
        self.gained = EXACT.add(self.gained, gained)
        self.squares = EXACT.add(self.squares, multiply(most, most))

    def fault(self) -> str | None:
        """Return what is wrong if rounding favoured the account by more than chance explains."""
        if self.gained <= multiply(CHANCE, EXACT.sqrt(self.squares)):
            return None
        return f"{_outcome(self.gained)} by slicing: of {self.roundings} amounts too many were rounded in its favour"


def _outcome(gained: Decimal) -> str:
    return f"{'gained' if gained > 0 else 'lost'} {plain(round8(EXACT.abs(gained)))}"


async def slices_sum_to_the_whole(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that what is booked is within one unit of the exact sum after each fill, however an order was sliced.

    Amounts that were rounded by themselves (a closed position, each fill of the first edition) favour an account by no
    more than chance explains.
    """
    every = {
        one.account.id: Slices(one.account.policy.fee_bps) for one in (await accounts.load_accounts(conn, ids)).loaded
    }
    async for fill in reading.iterate_fills(conn, ids):
        if fill.account in every and fill.status is FillStatus.BOOKED:
            every[fill.account].take(fill)
    found = []
    for account, slices in every.items():
        told = [(f"position {account}-{seq}", fault) for seq, fault in slices.faults.items()]
        if fault := slices.fault():
            told.append((f"account {account}", fault))
        found += [Violation("slices sum to the whole", subject, message) for subject, message in told]
    return found
