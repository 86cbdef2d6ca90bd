"""What booked fills come to, replayed from nothing at the prices, fees and rates they were booked with.

A holding runs from flat to flat. Its position keeps the name its earliest fill has; where a void parts one holding in
two, the later one is named by the ledger row that follows its earliest fill, as an opened one is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.fills import execute
from domain.money import ZERO
from domain.orders import Fill
from domain.positions import Position, Side


@dataclass(frozen=True, slots=True)
class Replay:
    """The fills in their order, each with the profit and position that are its own now, and what they come to."""

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
        """What is open in the end."""
        return {(p.symbol, p.side): p for _, p in sorted(self.positions.items()) if p.quantity}


def replay(fills: Iterable[Fill]) -> Replay:
    """Book the fills of one account again, in order of seq."""
    held: dict[tuple[str, Side], Position] = {}
    positions: dict[int, Position] = {}
    kept, uncovered = [], []
    for fill in fills:
        key = fill.symbol, fill.side
        position = held.get(key) or _begun(fill, positions)
        if not fill.verb.adds and fill.quantity > position.quantity:
            uncovered.append(fill)
            continue
        after, realised = book_again(position, fill)
        positions[after.seq] = held[key] = after
        if not after.quantity:
            del held[key]
        kept.append(replace(fill, realised=realised, position_seq=after.seq))
    return Replay(tuple(kept), positions, tuple(uncovered))


def _begun(fill: Fill, positions: dict[int, Position]) -> Position:
    """The holding the fill begins."""
    name = fill.seq + 1 if fill.position_seq in positions else fill.position_seq
    return Position(name, fill.symbol, fill.side, fill.filled_at)


def book_again(position: Position, fill: Fill) -> tuple[Position, Decimal]:
    """The position after the fill, and what the fill realises in the account's currency."""
    adds = fill.verb.adds
    after, realised = execute(position, adds=adds, quantity=fill.quantity, price=fill.price, rate=fill.rate)
    closed = None if after.quantity else fill.filled_at
    after = replace(after, realised=after.realised + realised, fees=after.fees + fill.fee, closed_at=closed)
    return after, realised
