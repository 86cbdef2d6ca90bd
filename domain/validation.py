"""Validation of values from outside: each check returns the fault as text, or None."""

from dataclasses import dataclass
from decimal import Decimal

from domain.money import PLACES, ZERO, is_whole_minor, plain
from domain.quotes import PRICE_MAX


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `least` to `most`, both included unless `above` or `below` says otherwise."""

    least: Decimal = ZERO
    most: Decimal = PRICE_MAX
    above: bool = False  # more than `least`
    below: bool = False  # less than `most`
    places: int = PLACES

    def fault(self, value: Decimal | int) -> str | None:
        """Return why the number cannot be used, or None."""
        number = Decimal(value)
        if not number.is_finite():
            return "is not a finite number"
        if number < self.least or (self.above and number == self.least):
            return f"must be {'above' if self.above else 'at least'} {plain(self.least)}"
        if number > self.most or (self.below and number == self.most):
            return f"must be {'below' if self.below else 'at most'} {plain(self.most)}"
        if not is_whole_minor(number, self.places):
            return f"has more than {self.places} decimal places"
        return None


def amount_range(minor_units: int, *, above: bool = True) -> Range:
    """Return the range of money in a currency's minor units, within the int64 columns; 0 is allowed unless `above`."""
    return Range(above=above, below=True, places=minor_units)


def text_fault(text: str, length_max: int, *, empty: bool = False) -> str | None:
    """Return why the text cannot be stored, or None."""
    if not empty and not text.strip():
        return "must not be empty"
    if len(text) > length_max:
        return f"is longer than {length_max} characters"
    if not is_storable(text):
        return "holds a character that is not text"
    return None


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store the text: it accepts neither NUL nor unpaired surrogates."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def api_name(name: str) -> str:
    """Return a field's name as the API spells it: max_positions is maxPositions."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
