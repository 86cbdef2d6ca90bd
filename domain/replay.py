"""Replay of booked fills from an empty account, at the prices and rates they were booked with.

A holding runs from flat to flat. Its position keeps the name its earliest fill has; where a void parts one holding in
two, the later one is named by the ledger row that follows its earliest fill, as an opened one is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.fills import execute
from domain.money import EXACT, ONE, ZERO, divide, multiply, round8, round18
from domain.orders import Fill
from domain.positions import Position, Side


@dataclass(frozen=True, slots=True)
class Replay:
    """The fills in their order, each with the profit, fee and position that are its own now, and what they come to."""

    fills: tuple[Fill, ...]
    positions: dict[int, Position]  # open and closed, by seq
    uncovered: tuple[Fill, ...]  # close more than is open; passed over

    @property
    def realised(self) -> Decimal:
        """Before fees."""
        return sum((fill.realised for fill in self.fills), ZERO)

    @property
    def fees(self) -> Decimal:
        return sum((fill.fee for fill in self.fills), ZERO)

    @property
    def holdings(self) -> dict[tuple[str, Side], Position]:
        """The positions open at the end."""
        return {(p.symbol, p.side): p for _, p in sorted(self.positions.items()) if p.quantity}


def replay(fills: Iterable[Fill], fee_bps: Decimal) -> Replay:
    """Book the fills of one account again, in order of seq; `fee_bps` is the fee of its policy."""
    held: dict[tuple[str, Side], Position] = {}
    positions: dict[int, Position] = {}
    kept, uncovered = [], []
    for fill in fills:
        key = fill.symbol, fill.side
        position = held.get(key) or _begun(fill, positions)
        if not fill.verb.adds and fill.quantity > position.quantity:
            uncovered.append(fill)
            continue
        after = book_again(position, fill, fee_bps)
        positions[after.seq] = held[key] = after
        if not after.quantity:
            del held[key]
        realised, fee = after.realised - position.realised, after.fees - position.fees
        kept.append(replace(fill, realised=realised, fee=fee, position_seq=after.seq))
    return Replay(tuple(kept), positions, tuple(uncovered))


def _begun(fill: Fill, positions: dict[int, Position]) -> Position:
    """Return the holding the fill begins."""
    name = fill.seq + 1 if fill.position_seq in positions else fill.position_seq
    return Position(name, fill.symbol, fill.side, fill.filled_at)


def book_again(position: Position, fill: Fill, fee_bps: Decimal) -> Position:
    """Return the position after the fill, with what the fill realises and costs."""
    if fill.cumulative:
        adds, quantity, price, rate = fill.verb.adds, fill.quantity, fill.price, fill.rate
        after = execute(position, adds=adds, quantity=quantity, price=price, rate=rate, fee_bps=fee_bps)
    else:
        after = _book_alone(position, fill)
    return after if after.quantity else replace(after, closed_at=fill.filled_at)


def _book_alone(position: Position, fill: Fill) -> Position:
    """The position after a fill of the first edition, which rounded each fill by itself; its fee is as booked."""
    quantity, fees = fill.quantity, position.fees + fill.fee
    if fill.verb.adds:
        return replace(position.add(quantity, fill.price), fees=fees)
    left, released = position.quantity - quantity, position.cost_basis
    if left:
        released = round18(divide(multiply(released, quantity), position.quantity))
    in_quote = round8(EXACT.subtract(multiply(quantity, fill.price), released)) * position.side.sign
    realised = in_quote if fill.rate == ONE else round8(multiply(in_quote, fill.rate))
    cost = EXACT.subtract(position.cost_basis, released)
    return replace(position, quantity=left, cost_basis=cost, realised=position.realised + realised, fees=fees)
