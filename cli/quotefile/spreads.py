"""Bid and ask where a file has one price only: as far apart as its spread column, or the caller, says."""

from decimal import Decimal, InvalidOperation

from cli.quotefile.numbers import number
from cli.quotefile.plans import Plan
from cli.quotefile.rows import BadRow
from domain.money import EXACT, plain


class Spread:
    """Makes two prices of one: an ask that much above the bid, or a bid that much below the ask."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._constant = plan.spread or Decimal(0)

    def around(self, line: int, price: str, cells: list[str]) -> tuple[str, str]:
        """Bid and ask as text. Raises BadRow for a spread that is none."""
        spread = self._constant if self._plan.point is None else self._of_row(line, cells, self._plan.point)
        if not spread:
            return price, price
        value = Decimal(price)
        if not value.is_finite():
            return price, price  # the desk drops it as it is
        if self._plan.ask_side:
            return plain(EXACT.subtract(value, spread)), price
        return price, plain(EXACT.add(value, spread))

    def _of_row(self, line: int, cells: list[str], point: Decimal) -> Decimal:
        cell = cells[self._plan.columns["points"]]
        try:
            spread = EXACT.multiply(Decimal(number(cell, self._plan.delimiter) or "NaN"), point)
        except InvalidOperation:
            spread = Decimal("NaN")
        if not spread.is_finite() or spread < 0:
            raise BadRow(line, f"the spread is not a number of 0 or more: {cell[:40]!r}")
        return spread
